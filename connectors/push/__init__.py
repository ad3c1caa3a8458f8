"""Uploads that an agency brings: the files of a spool folder, each read once, in order.

In: the folder that `onecard ingest` fills. Out: Arrow batches, as files give them. What a published
collect has taken is removed.
"""
