"""Listeners of transfers: log, metrics, OpenLineage.

In: the steps of a transfer as they start and end. Out: log events, figures, lineage events.
A listener that fails never fails a transfer.
"""
