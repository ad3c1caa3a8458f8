"""Which fields tell the rows of a sample apart, where no catalogue says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import polars as pl

REPEATED, FEW = 0.005, 3
"""Share and number of rows whose key another one has: a source repeats a row now and then."""
MOST_FIELDS = 3
MOST_CANDIDATES = 8


def guessed(rows: pl.DataFrame, candidates: Sequence[str]) -> tuple[str, ...]:
    """The first fields, in the order of the source, that tell nearly all different rows apart.

    Args:
        rows: columns of text, by name.
        candidates: columns that may be of a key, in their order.

    Returns:
        Names of one to three columns; none where no such few tell the rows apart.
    """
    if not len(rows):
        return ()
    different = rows.unique(maintain_order=True)
    most = max(REPEATED * len(different), min(FEW, len(different) // 10))
    filled = [n for n in candidates if different[n].null_count() <= most]
    for names in _tried(filled):
        if len(different) - different.select(list(names)).n_unique() <= most:
            return names
    return ()


def _tried(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for count in range(1, MOST_FIELDS + 1):
        yield from combinations(names if count == 1 else names[:MOST_CANDIDATES], count)
