"""The row hashes that are published already, as a sorted array: 9 to 10 bytes a row.

A hash covers the whole row, key included. A row whose hash is known is counted as unchanged and
is not staged again. Two different rows share a hash with probability rows / 2^64: below 1e-12
for a changed row among 13 million.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from onecard.base.sql_text import query
from onecard.native.lookup import Lookup
from onecard.store import arrow, registry
from schemas.models.contract import Contract

LARGEST = 40_000_000
"""Above this many rows (320 MB of hashes) everything is staged instead: memory stays bounded."""


class KnownHashes:
    """Answers which of a batch's row hashes are published, and remembers which were met."""

    def __init__(self, hashes: npt.NDArray[np.int64], *, places: bool = False) -> None:
        """Take the hashes.

        Args:
            hashes: of the published rows.
            places: remember also where in the reading each was met last: 8 bytes a row more.
        """
        self._lookup = Lookup(np.sort(hashes))
        kind = np.int64 if places else np.bool_
        self._last: npt.NDArray[np.int64 | np.bool_] = np.zeros(len(hashes), kind)
        self._found = 0

    @classmethod
    def load(cls, address: str, contract: Contract, *, places: bool) -> KnownHashes | None:
        """Read the hashes of all live registry rows, or None when there are too many.

        Args:
            address: of the hub's database.
            contract: of the dataset.
            places: as for the class.
        """
        found = _load(address, contract)
        return None if found is None else cls(found, places=places)

    @classmethod
    def merged(
        cls, hashes: npt.NDArray[np.int64], places: npt.NDArray[np.int64], found: int
    ) -> KnownHashes:
        """What several readings have met, as if one had.

        Args:
            hashes: of the published rows that they met; one may stand there more than once.
            places: of each in the whole, never 0.
            found: rows of all readings that equalled a published one.
        """
        order = np.lexsort((places, hashes))
        hashes, places = hashes[order], places[order]
        last = np.append(hashes[1:] != hashes[:-1], [True])[: len(hashes)]
        made = cls(hashes[last], places=True)
        made._last, made._found = places[last], found
        return made

    def met_rows(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Hashes of the published rows that were met, with their last places (1 where none is)."""
        met = self._last != 0
        return self._lookup.values[met], self._last[met].astype(np.int64)

    @property
    def found(self) -> int:
        """How many rows equalled a published one."""
        return self._found

    @property
    def met(self) -> int:
        """How many of the published rows were met."""
        return int(np.count_nonzero(self._last))

    @property
    def repeats(self) -> int:
        """How many rows repeated one that had been met."""
        return self._found - self.met

    def contains(
        self, hashes: npt.NDArray[np.int64], places: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.bool_]:
        """Which of `hashes` are known; these are noted as met.

        Args:
            hashes: of rows, in the order of the reading.
            places: of the rows in the reading, rising and never 0; only where they are remembered.
        """
        at = self._lookup.places(hashes)
        found: npt.NDArray[np.bool_] = at >= 0
        # Of equal indexes NumPy keeps the last value: that of the highest place.
        self._last[at[found]] = True if places is None else places[found]
        self._found += int(np.count_nonzero(found))
        return found

    def last_places(self, hashes: npt.NDArray[np.int64]) -> dict[int, int]:
        """Those of `hashes` that were met, each with its last place (1 where none is remembered).

        Args:
            hashes: of published rows.
        """
        wanted = np.unique(hashes)
        at = self._lookup.places(wanted)
        wanted, last = wanted[at >= 0], self._last[at[at >= 0]]
        met = last != 0
        return dict(zip(wanted[met].tolist(), map(int, last[met]), strict=True))


def _load(address: str, contract: Contract) -> npt.NDArray[np.int64] | None:
    table = registry.published(contract)
    (rows,) = arrow.integers(address, query("SELECT count(*) FROM {t}", t=table))
    if rows > LARGEST:
        return None
    hashes = query("SELECT _row_hash FROM {t} WHERE _deleted_at IS NULL", t=table)
    return arrow.integers(address, hashes)
