"""Cells that a scanner has found in text, and the Arrow columns that are gathered from them."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

LARGEST = 1 << 30
"""Bytes that are scanned at once; a cell's place has 31 bits, and text may grow by half."""
CELL = np.dtype([("at", "<u4"), ("size", "<i4")])
IS_NULL = -1
"""Instead of the size of a cell's text, as in cells.h."""
_SPARE = 16
"""Bytes behind each column's own: short texts are copied by whole steps."""

Bytes = npt.NDArray[np.uint8]


def address(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    """Where an array's numbers stand, for C."""
    return ctypes.c_void_p(array.ctypes.data)


def place(data: Bytes) -> tuple[ctypes.c_void_p, ctypes.c_size_t]:
    """Where bytes stand and how many they are, for C."""
    return address(data), ctypes.c_size_t(len(data))


def bytes_of(data: bytes) -> Bytes:
    """Bytes as numbers, not copied."""
    return np.frombuffer(data, np.uint8)


@dataclass(slots=True)
class Cells:
    """Room for the cells of some records, filled by one scan.

    Attributes:
        rows: for how many records there is room.
        columns: cells of a record.
        aside: bytes of room for texts that do not stand in the data as they are meant.
        table: the cells, record by record.
        text: the room aside.
        totals: bytes of each column.
        found: what the scan tells: rows, bytes taken, blank lines, bytes aside, odd rows.
    """

    rows: int
    columns: int
    aside: int
    table: npt.NDArray[Any] = field(init=False)
    text: Bytes = field(init=False)
    totals: npt.NDArray[np.int64] = field(init=False)
    found: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.table = np.empty((self.rows, self.columns), CELL)
        self.text = np.empty(self.aside, np.uint8)
        self.totals = np.zeros(self.columns, np.int64)
        self.found = np.zeros(5, np.int64)

    def begin(self) -> None:
        """Nothing is found yet."""
        self.totals[:] = 0
        self.found[:] = 0

    def arrays(self, library: ctypes.CDLL, data: Bytes) -> list[pa.Array]:
        """The columns, as text; an absent cell is NULL.

        Args:
            library: the compiled one.
            data: what was scanned.
        """
        rows, count = int(self.found[0]), self.columns
        offsets = [pa.allocate_buffer(4 * (rows + 1)) for _ in range(count)]
        texts = [pa.allocate_buffer(int(total) + _SPARE) for total in self.totals]
        valid = [pa.allocate_buffer((rows + 7) // 8) for _ in range(count)]
        library.onecard_cells_fill(
            *place(data),
            *place(self.text),
            address(self.table),
            ctypes.c_size_t(rows),
            ctypes.c_size_t(count),
            *(_addresses(buffers) for buffers in (offsets, texts, valid)),
        )
        return [
            pa.Array.from_buffers(pa.string(), rows, list(buffers))
            for buffers in zip(valid, offsets, texts, strict=True)
        ]


class RowTable:
    """Rows that scans take one after the other, some of them left out for another reader.

    Args:
        library: the compiled one.
        texts: in which the cells stand, where they do not stand aside.
        cells: room for them.
        found: what a scan tells; first how many rows there are, then the place behind them.
    """

    def __init__(
        self, library: ctypes.CDLL, texts: Bytes, cells: Cells, found: npt.NDArray[np.int64]
    ) -> None:
        self._library, self._texts, self._cells, self._found = library, texts, cells, found

    @property
    def rows(self) -> int:
        """So many there are."""
        return int(self._found[0])

    @property
    def at(self) -> int:
        """Place in the piece."""
        return int(self._found[1])

    def arrays(self) -> list[pa.Array]:
        """The columns, as text as the file has it."""
        self._cells.found[0] = self.rows
        return self._cells.arrays(self._library, self._texts)

    def _blank(self) -> int:
        """A row that is NULL throughout; gives its number, from 0."""
        row = self.rows
        self._cells.table["size"][row] = IS_NULL
        self._found[0] += 1
        return row


def _addresses(buffers: list[pa.Buffer]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(buffers))(*(buffer.address for buffer in buffers))
