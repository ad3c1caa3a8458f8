"""Sound CSV records into Arrow columns of text, up to the next one that is odd."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from onecard.native.cells import Cells, address, bytes_of, place


@dataclass(frozen=True, slots=True)
class Layout:
    """How records are written.

    Attributes:
        names: of the columns.
        delimiter: one ASCII character.
        blanks: bytes that a blank line may hold, LF among them.
        codes: of GB 18030: what a two-byte code means, by (lead - 0x81) * 256 + trail, and what a
            four-byte code of the BMP means, by its place, as 16-bit numbers, 0 for nothing; None:
            the text is UTF-8.
    """

    names: tuple[str, ...]
    delimiter: str
    blanks: bytes
    codes: tuple[bytes, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Scanned:
    """Sound records.

    Attributes:
        batch: their cells; an empty unquoted cell is NULL.
        end: the place behind them in the data; the record there is odd, if any is there.
        blank: blank lines among them.
    """

    batch: pa.RecordBatch
    end: int
    blank: int


class Scanner:
    """Reads the sound records of some data.

    A record is odd where it is not in the encoding, has another number of cells, is not well
    quoted, has a lone CR outside of quotes or a line break inside of them, or begins as the header
    row does.
    """

    def __init__(self, library: ctypes.CDLL, data: bytes, layout: Layout) -> None:
        """Make room for the records.

        Args:
            library: the compiled one.
            data: whole lines, at most `LARGEST` bytes; the last one may lack its LF.
            layout: how they are written.
        """
        self._library, self._layout = library, layout
        self._data = bytes_of(data)
        self._rows = data.count(b"\n") + 1
        self._cells = Cells(self._rows, len(layout.names), len(data) + len(data) // 2 + 8)
        self._blanks = np.zeros(256, np.uint8)
        self._blanks[list(layout.blanks)] = 1
        self._name = bytes_of(layout.names[0].encode())
        codes = layout.codes or (b"\0\0", b"\0\0")
        self._two, self._four = (np.frombuffer(part, np.uint16) for part in codes)

    def scan(self, start: int) -> Scanned:
        """Read records as far as they are sound.

        Args:
            start: where the first one begins.
        """
        cells, layout, data = self._cells, self._layout, self._data[start:]
        cells.begin()
        self._library.onecard_csv_scan(
            *place(data),
            ctypes.c_uint8(ord(layout.delimiter)),
            address(self._blanks),
            ctypes.c_int(layout.codes is not None),
            address(self._two),
            address(self._four),
            *place(self._name),
            ctypes.c_size_t(cells.columns),
            ctypes.c_size_t(self._rows),
            address(cells.table),
            *place(cells.text),
            address(cells.totals),
            address(cells.found),
        )
        arrays = cells.arrays(self._library, data)
        batch = pa.RecordBatch.from_arrays(arrays, names=list(layout.names))
        return Scanned(batch, start + int(cells.found[1]), int(cells.found[2]))
