"""The row gate: a contract's row-level checks, compiled once, run over whole batches.

In: Arrow batches as they were read. Out: typed good rows, rejected rows with all reasons.
A bad value costs its row, never its neighbours. Kernels of `onecard.native` prove most rows right;
the gate's own checks judge the others, or all.
"""
