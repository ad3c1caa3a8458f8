"""What a comparison of two tables sees of each: rows counted and hashed by bucket, then keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

RowKey = tuple[str, ...]
"""A row's key as PostgreSQL writes its values (dates ISO, times in UTC)."""

_BUCKET = np.dtype([("number", np.int64), ("rows", np.int64), ("checksum", np.int64)])


class Buckets:
    """How many rows fell into each bucket, and their hashes combined by XOR.

    Arrays, since there are 65,536 buckets of each side at first: some 100 bytes each as objects.
    """

    def __init__(self, triples: Iterable[tuple[int, int, int]]) -> None:
        """Take number, rows and checksum of each bucket that is not empty, in any order."""
        self._found = np.sort(np.fromiter(triples, _BUCKET), order="number")

    @property
    def total(self) -> int:
        """Rows of all buckets."""
        return int(self._found["rows"].sum())

    def unlike(self, other: Buckets) -> list[int]:
        """Numbers of the buckets that are not the same in both."""
        numbers = np.union1d(self._found["number"], other._found["number"])
        differ = self._at(numbers) != other._at(numbers)
        return [int(n) for n in numbers[differ]]

    def rows(self, numbers: Collection[int]) -> int:
        """Rows of some buckets."""
        return int(self._at(np.fromiter(numbers, np.int64))["rows"].sum())

    def _at(self, numbers: np.ndarray) -> np.ndarray:
        """Buckets of these numbers; nought where there is none."""
        there = np.zeros(len(numbers), _BUCKET)
        there["number"] = numbers
        known = np.isin(numbers, self._found["number"])
        there[known] = self._found[np.searchsorted(self._found["number"], numbers[known])]
        return there


@dataclass(frozen=True, slots=True)
class Coarser:
    """Some buckets of a coarser division.

    Attributes:
        bits: of that division: 2 to that power of buckets.
        chosen: numbers of the buckets.
    """

    bits: int
    chosen: Collection[int]


class Side(Protocol):
    """What is compared; buckets are numbered by the low bits of the key's hash."""

    def buckets(self, bits: int, within: Coarser | None) -> Buckets:
        """All rows by bucket, or those `within` some buckets of a coarser division."""
        ...

    def members(self, bits: int, chosen: Collection[int]) -> dict[RowKey, int]:
        """The rows of some buckets: key → hash of the row."""
        ...
