"""The twelve-byte times of old Parquet files (INT96): no value may wrap around unseen.

Arrow counts them in 64 bits. Nanoseconds end in 2262 and microseconds in 294247; beyond, the count
wraps and is another time. Seconds hold any day that twelve bytes can say, so a column is read in
all three: seconds say whether the microseconds are right, nanoseconds whether some are lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_MICRO = 1_000_000


class Witness:
    """Some columns of a file in another unit, row by row beside the reading."""

    def __init__(self, path: Path, names: Sequence[str], rows: int, unit: str) -> None:
        """Open the file once more.

        Args:
            path: of the file.
            names: its INT96 columns that are read.
            rows: of a batch, about.
            unit: that the times are counted in.
        """
        file = pq.ParquetFile(path, coerce_int96_timestamp_unit=unit)
        self._batches = file.iter_batches(rows, columns=list(names))
        self._held = file.schema_arrow.empty_table().select(list(names))

    def take(self, rows: int) -> pa.Table:
        """The next rows, in the columns' own unit.

        Args:
            rows: how many.
        """
        while self._held.num_rows < rows:
            self._held = pa.concat_tables(
                [self._held, pa.Table.from_batches([next(self._batches)])]
            )
        taken, self._held = self._held.slice(0, rows), self._held.slice(rows)
        return taken


class Witnesses:
    """The same columns in seconds and in nanoseconds."""

    def __init__(self, path: Path, names: Sequence[str], rows: int) -> None:
        """Open the file twice more.

        Args:
            path: of the file.
            names: its INT96 columns that are read.
            rows: of a batch, about.
        """
        self._names = names
        self._seconds = Witness(path, names, rows, "s")
        self._nanoseconds = Witness(path, names, rows, "ns")

    def unread(self, batch: pa.RecordBatch) -> dict[str, dict[int, str]]:
        """Column → row offset → what is told of a time that microseconds cannot say.

        Args:
            batch: the next rows, with these columns in microseconds.
        """
        seconds = self._seconds.take(batch.num_rows)
        nanoseconds = self._nanoseconds.take(batch.num_rows)
        found = {}
        for name in self._names:
            micro = _count(batch.column(name))
            second, nano = _count(seconds.column(name)), _count(nanoseconds.column(name))
            with np.errstate(over="ignore"):
                wrong = (micro // _MICRO != second) | (nano - micro * 1_000 != 0)
            wrong &= batch.column(name).is_valid().to_numpy(zero_copy_only=False)
            texts = {int(i): f"{second[i]} s since 1970" for i in np.flatnonzero(wrong)}
            if texts:
                found[name] = texts
        return found


def _count(column: pa.Array | pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    count: np.ndarray[tuple[int], np.dtype[np.int64]] = (
        column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        if isinstance(column, pa.Array)
        else column.cast(pa.int64()).fill_null(0).to_numpy()
    )
    return count
