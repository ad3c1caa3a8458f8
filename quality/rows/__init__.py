"""The row gate: a contract's row-level checks, compiled once, run in one Polars pass per batch.

In: Arrow batches as they were read. Out: typed good rows, rejected rows with all reasons.
A bad value costs its row, never its neighbours.
"""
