"""Arrow arrays while they are filled by the library."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import pyarrow as pa

TEXTS = (pa.string(),)
_FIRST_ROOM = 1 << 16
_SMALLEST_ROOM = 1 << 12


class FilledColumn(ctypes.Structure):
    """As `column` in copy_out.c."""

    _fields_ = (
        ("kind", ctypes.c_int64),
        ("validity", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("room", ctypes.c_int64),
        ("nulls", ctypes.c_int64),
    )


class Filling:
    """The arrays of one batch: C writes into buffers that Arrow has allocated, and owns.

    Attributes:
        columns: what C is given.
    """

    def __init__(
        self, kinds: Sequence[tuple[int, pa.DataType]], most_rows: int, rooms: Sequence[int] = ()
    ) -> None:
        """Allocate it.

        Args:
            kinds: of the columns: a number that C knows, and the type of the array.
            most_rows: so many rows have room.
            rooms: bytes of text that each column is likely to need.
        """
        self._types = [kind for _, kind in kinds]
        self._validity = [pa.allocate_buffer((most_rows + 7) // 8) for _ in kinds]
        self._values = [pa.allocate_buffer(_width(t) * (most_rows + 1)) for t in self._types]
        rooms = rooms or [_FIRST_ROOM] * len(kinds)
        self._data = [
            pa.allocate_buffer(room if kind in TEXTS else 0, resizable=True)
            for kind, room in zip(self._types, rooms, strict=True)
        ]
        self.columns = (FilledColumn * len(kinds))()
        for n, (number, _) in enumerate(kinds):
            ctypes.memset(self._validity[n].address, 0, self._validity[n].size)
            ctypes.memset(self._values[n].address, 0, _width(self._types[n]))
            self.columns[n] = FilledColumn(
                kind=number,
                validity=self._validity[n].address,
                values=self._values[n].address,
                data=self._data[n].address,
                room=self._data[n].size,
            )

    def grow(self, column: int, needed: int) -> None:
        """Give a column of text more room.

        Args:
            column: its place.
            needed: bytes that it must hold.
        """
        buffer = self._data[column]
        buffer.resize(max(needed, 2 * buffer.size))
        self.columns[column].data = buffer.address
        self.columns[column].room = buffer.size

    def rooms(self, rows: int) -> list[int]:
        """Bytes of text that the next batch is likely to need, from what this one has used."""
        used = (self._used(n, rows) for n in range(len(self._types)))
        return [size + size // 8 + _SMALLEST_ROOM for size in used]

    def batch(self, names: Sequence[str], rows: int) -> pa.RecordBatch:
        """The first rows, over the very buffers, which stop where the rows do.

        Args:
            names: of the columns.
            rows: so many are filled.
        """
        return pa.RecordBatch.from_arrays([self._array(n, rows) for n in range(len(names))], names)

    def _array(self, n: int, rows: int) -> pa.Array:
        kind, nulls = self._types[n], self.columns[n].nulls
        validity = self._validity[n].slice(0, (rows + 7) // 8) if nulls else None
        entries = rows + 1 if kind in TEXTS else rows
        buffers = [validity, self._values[n].slice(0, entries * _width(kind))]
        if kind in TEXTS:
            buffers.append(self._data[n].slice(0, self._used(n, rows)))
        return pa.Array.from_buffers(kind, rows, buffers, null_count=nulls)

    def _used(self, n: int, rows: int) -> int:
        if self._types[n] not in TEXTS:
            return 0
        return ctypes.c_int32.from_address(self._values[n].address + 4 * rows).value


def _width(kind: pa.DataType) -> int:
    return 4 if kind in TEXTS else kind.bit_width // 8
