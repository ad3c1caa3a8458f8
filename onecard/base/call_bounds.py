"""How long a call may have taken: the bounds between which times are counted, in milliseconds.

They are fixed, so that counts of processes and hours add up, and what an agreement promises must be
one of them (`schemas.models.promise`), so that the share within it is counted and not estimated.
"""

from __future__ import annotations

from bisect import bisect_left

BOUNDS_MS = (
    *(5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 650, 800),
    *(1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 20_000, 60_000),
)
"""The last one holds whatever took longer too: a connection is closed by then
(`onecard.daemon.serving`)."""


def bound_of(seconds: float) -> int:
    """The least bound that a time does not pass, in milliseconds.

    Args:
        seconds: how long a call took.
    """
    return BOUNDS_MS[min(bisect_left(BOUNDS_MS, seconds * 1_000), len(BOUNDS_MS) - 1)]
