"""Bisecting finds exactly the keys that differ, however few buckets and however many rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from onecard.ports.comparison import Buckets, Coarser, RowKey
from onecard.reconcile.buckets import compare


@dataclass
class Held:
    """A side in memory: key → hash of the row; counts the rows that are listed."""

    rows: dict[int, int]
    listed: int = 0

    def buckets(self, bits: int, within: Coarser | None) -> Buckets:
        found: dict[int, tuple[int, int]] = {}
        for key, row in self.rows.items():
            if within is None or key % (1 << within.bits) in within.chosen:
                rows, checksum = found.get(key % (1 << bits), (0, 0))
                found[key % (1 << bits)] = (rows + 1, checksum ^ row)
        return Buckets((number, *bucket) for number, bucket in found.items())

    def members(self, bits: int, chosen: Collection[int]) -> dict[RowKey, int]:
        found = {(str(k),): r for k, r in self.rows.items() if k % (1 << bits) in chosen}
        self.listed += len(found)
        return found


ROWS = st.dictionaries(st.integers(0, 2**20), st.integers(1, 2**60), max_size=60)


@given(ROWS, ROWS, ROWS, st.integers(0, 8), st.integers(1, 40))
def test_exactly_the_differing_keys(
    shared: dict[int, int], first: dict[int, int], second: dict[int, int], bits: int, leaf: int
) -> None:
    ours, theirs = shared | first, shared | second
    found = compare(Held(ours), Held(theirs), bits=bits, leaf=leaf)
    assert found.missing == {(str(k),) for k in theirs.keys() - ours.keys()}
    assert found.extra == {(str(k),) for k in ours.keys() - theirs.keys()}
    both = ours.keys() & theirs.keys()
    assert found.differing == {(str(k),) for k in both if ours[k] != theirs[k]}
    assert (found.rows_ours, found.rows_theirs) == (len(ours), len(theirs))


def test_one_difference_among_many_lists_few_rows() -> None:
    rows = {k: k * 7919 + 1 for k in range(50_000)}
    ours, theirs = Held(rows), Held({**rows, 777: 5})
    found = compare(ours, theirs, bits=4, leaf=50)
    assert found.differing == {("777",)}
    assert ours.listed + theirs.listed <= 50
