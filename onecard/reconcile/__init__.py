"""Reconciliation: the registry against its source, an inbox against its agreement; healing.

In: a dataset or an agreement. Out: what differs, by keyed references, and what heals it.
Deletes are believed slowly, never many at once.
"""
