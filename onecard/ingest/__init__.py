"""Ingest: takes what agencies bring themselves, whole and judged, into the spool of their datasets.

In: signed parts of uploads over HTTP, each at its offset. Out: files that the collect of the
dataset reads like any other source; what the gate says of them, by row number and rule. Publishes
nothing: that is the collect's.
"""
