"""The row hashes that are published already, as a sorted array: 8 bytes a row.

A hash covers the whole row, key included. A row whose hash is known is counted as unchanged and
is not staged again. Two different rows share a hash with probability rows / 2^64: below 1e-12
for a changed row among 13 million.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from onecard.base import timeouts
from onecard.store import arrow, registry
from onecard.store.database import query
from schemas.models.contract import Contract

LARGEST = 40_000_000
"""Above this many rows (320 MB of hashes) everything is staged instead: memory stays bounded."""


class KnownHashes:
    """Answers which of a batch's row hashes are published."""

    def __init__(self, hashes: npt.NDArray[np.int64]) -> None:
        self._hashes = np.sort(hashes)

    @classmethod
    def load(cls, address: str, contract: Contract) -> KnownHashes | None:
        """Read the hashes of all live registry rows, or None when there are too many."""
        limit = 2 * timeouts.seconds()
        return timeouts.within(lambda: cls._load(address, contract), limit, "the hub's database")

    @classmethod
    def _load(cls, address: str, contract: Contract) -> KnownHashes | None:
        table = registry.published(contract)
        count = query("SELECT count(*) FROM {t}", t=table)
        hashes = query("SELECT _row_hash FROM {t} WHERE _deleted_at IS NULL", t=table)
        with arrow.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute(count.as_string(None))
            (rows,) = cursor.fetchone() or (0,)
            if rows > LARGEST:
                return None
            cursor.execute(hashes.as_string(None))
            batches = [b.column(0).to_numpy() for b in cursor.fetch_record_batch()]
        return cls(np.concatenate(batches) if batches else np.empty(0, np.int64))

    def contains(self, hashes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of `hashes` are known."""
        if not len(self._hashes):
            return np.zeros(len(hashes), np.bool_)
        places = np.searchsorted(self._hashes, hashes)
        places[places == len(self._hashes)] = 0
        found: npt.NDArray[np.bool_] = self._hashes[places] == hashes
        return found
