"""From bucketed checksums down to the keys that differ."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from onecard.ports.comparison import Coarser, RowKey, Side

BITS = 16
"""The first division: 65,536 buckets."""
FINER = 4
"""Each bucket that differs is split into so many bits more."""
FINEST = 32
LEAF = 100_000
"""Rows in differing buckets that are listed rather than divided again."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Candidates:
    """What two sides do not share: missing from ours, extra in ours, differing; and the sums."""

    missing: frozenset[RowKey]
    extra: frozenset[RowKey]
    differing: frozenset[RowKey]
    buckets: int
    rows_ours: int
    rows_theirs: int

    @property
    def keys(self) -> frozenset[RowKey]:
        """All of them."""
        return self.missing | self.extra | self.differing


def compare(ours: Side, theirs: Side, *, bits: int = BITS, leaf: int = LEAF) -> Candidates:
    """Compare by buckets, split those that differ until few rows are left, and list these.

    Memory grows with the rows in differing buckets, not with the table.

    Args:
        ours: the registry's side.
        theirs: the other side.
        bits: of the first division: 2 to that power of buckets.
        leaf: rows in differing buckets that are listed rather than divided again.
    """
    first, second = _both(ours, theirs, lambda side: side.buckets(bits, None))
    sums = first.total, second.total
    seen = 1 << bits
    while True:
        chosen = first.unlike(second)
        if not chosen:
            return Candidates(frozenset(), frozenset(), frozenset(), seen, *sums)
        rows = first.rows(chosen) + second.rows(chosen)
        if rows <= leaf or bits + FINER > FINEST or 2 * len(chosen) > (1 << bits):
            break
        coarser, bits = Coarser(bits, chosen), bits + FINER
        first, second = _both(ours, theirs, lambda s: s.buckets(bits, coarser))  # noqa: B023
        seen += len(chosen) << FINER
    mine, its = _both(ours, theirs, lambda side: side.members(bits, chosen))
    return Candidates(
        frozenset(its.keys() - mine.keys()),
        frozenset(mine.keys() - its.keys()),
        frozenset(k for k in mine.keys() & its.keys() if mine[k] != its[k]),
        seen,
        *sums,
    )


def _both(ours: Side, theirs: Side, ask: Callable[[Side], _T]) -> tuple[_T, _T]:
    """Ask both sides at once: two servers (or two cores of one) work at the same time."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        other = pool.submit(ask, theirs)
        return ask(ours), other.result()
