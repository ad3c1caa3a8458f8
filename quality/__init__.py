"""Checks: rows as they come, datasets before they are published, deliveries before they leave.

In: Arrow batches, staged tables, treated frames. Out: typed rows, findings, verdicts, reports.
Knows no connector; speaks of rows by rule, field and reference, never by value.
"""
