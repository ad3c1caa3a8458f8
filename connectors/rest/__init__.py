"""HTTP JSON APIs: paginated reading, idempotent delivery.

In: a connection and paths. Out: Arrow batches of text; answers 00 and 01 for what was stored.
A page is whole or not accepted.
"""
