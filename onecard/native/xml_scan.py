"""Plain rows of XML as Arrow columns of text; what is odd is left to who reads it more slowly."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from onecard.native.cells import Cells, RowTable, address, bytes_of, place

SPARE_ROWS = 1024
"""Room for rows that are written in another way than those that are counted."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows are written.

    Attributes:
        row: name of the elements that are rows, as it stands in the document.
        parts: the same of the elements in them that are columns.
    """

    row: bytes
    parts: tuple[bytes, ...]


class XmlTable(RowTable):
    """The rows of a piece of a document, some of them left out for another reader.

    Attributes:
        seen: marks of the columns that a row had.
    """

    def __init__(self, library: ctypes.CDLL, shape: Shape, data: bytes, at: int) -> None:
        """Make room for the rows.

        Args:
            library: the compiled one.
            shape: of the rows.
            data: a piece of a document, UTF-8, at most `LARGEST` bytes; it may end within a row.
            at: where the first row begins.
        """
        most = data.count(b"</" + shape.row, at) + SPARE_ROWS
        cells = Cells(most, len(shape.parts), len(data) - at)
        self._data = bytes_of(data)
        super().__init__(library, self._data, cells, np.array([0, at, 0, 0], np.int64))
        self._names, self._row = bytes_of(b"".join(shape.parts)), bytes_of(shape.row)
        self._ends = np.cumsum([len(name) for name in shape.parts], dtype=np.uint32)
        self.seen = np.zeros(len(shape.parts), np.uint8)

    @property
    def full(self) -> bool:
        """Whether no more rows have room."""
        return self.rows >= self._cells.rows

    def scan(self, at: int) -> int:
        """Take rows as far as they are plain; says how many line feeds were gone past.

        Args:
            at: where the next one begins.
        """
        self._found[1], self._found[2] = at, 0
        self._library.onecard_xml_rows(
            *place(self._data),
            *place(self._row),
            address(self._names),
            address(self._ends),
            ctypes.c_size_t(self._cells.columns),
            ctypes.c_size_t(self._cells.rows),
            address(self._cells.table),
            address(self._cells.text),
            address(self._cells.totals),
            address(self.seen),
            address(self._found),
        )
        return int(self._found[2])

    def leave_out(self) -> int:
        """A row that another reader has read: NULL throughout; gives its number, from 0."""
        return self._blank()
