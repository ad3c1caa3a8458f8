"""Plain rows of a workbook's sheet, and plain texts of its list; what is odd is left to others."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from onecard.native.cells import Bytes, Cells, RowTable, address, bytes_of, place

NOT_WANTED, NO_NAME = -1, -2
"""Instead of the number of a column, as in sheet_rows.c."""
JUDGED = 255
"""A style that is no plain number."""
KINDS: tuple[Literal["number", "boolean", "error", "date"], ...] = (
    "number",
    "boolean",
    "error",
    "date",
)
"""What the caller judges, from 1 on."""
_TEXT, _OTHER_POINT = 1, 2
_KIND_BITS = 24
_SMALLEST_TEXT = len(b"<si><t/></si>")
_ASIDE = 2
"""Bytes aside for a byte of a sheet: a digit in its tags becomes eighteen with zeros before it."""
_POINTERS = ("places", "named", "styles", "style_count", "marks", "columns")
_FIELDS = (
    *_POINTERS,
    *("texts", "ends", "text_count", "name", "name_size", "name_place"),
    *("described", "most_rows", "most_bytes", "plain_before"),
)
_ADDRESSES = ("places", "styles", "marks", "texts", "ends", "name")


class _Sheet(ctypes.Structure):
    """As `sheet` in sheet_rows.c."""

    _fields_ = tuple(
        (name, ctypes.c_void_p if name in _ADDRESSES else ctypes.c_int64) for name in _FIELDS
    )


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A column that is wanted.

    Attributes:
        text: the contract says text: whole numbers are filled up with zeros as their style says.
        other_point: numbers have another sign than a point before their decimals.
    """

    text: bool = False
    other_point: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """How the rows of a sheet are read.

    Attributes:
        places: by a cell's place: the number of its column, `NOT_WANTED` or `NO_NAME`.
        columns: that are wanted.
        styles: of each, zeros that whole numbers are filled up with, or `JUDGED`.
        texts: the workbook's, one behind the other, and where each ends.
        name: place of a column and what the header has there: a row that has it is odd.
        most_bytes: bytes of texts of one table.
    """

    places: Sequence[int]
    columns: Sequence[SheetColumn]
    styles: bytes
    texts: tuple[Bytes, npt.NDArray[np.uint64]]
    name: tuple[int, str]
    most_bytes: int


class SheetTable(RowTable):
    """The rows of a piece of a sheet, some of them left out for another reader.

    Attributes:
        forms: what each cell is judged by: its kind (`KINDS`) and its style; 0: a text as it is.
    """

    def __init__(self, library: ctypes.CDLL, frame: Frame, data: bytes, most: int) -> None:
        """Make room for the rows.

        Args:
            library: the compiled one.
            frame: how they are read.
            data: a piece of a sheet, UTF-8, at most a half of `LARGEST` bytes; it may end anywhere.
            most: rows.
        """
        cells = Cells(most, len(frame.columns), _ASIDE * len(data))
        super().__init__(library, frame.texts[0], cells, np.zeros(8, np.int64))
        self._frame, self._data = frame, bytes_of(data)
        self.forms: npt.NDArray[np.int32] = np.zeros((most, len(frame.columns)), np.int32)
        self._name = bytes_of(frame.name[1].encode())
        self._places = np.array(frame.places, np.int32)
        self._styles = np.frombuffer(frame.styles or b"\0", np.uint8)
        marks = [c.text * _TEXT | c.other_point * _OTHER_POINT for c in frame.columns]
        self._marks = np.array(marks, np.uint8)
        self._given = self._sheet(most)

    @property
    def seen(self) -> int:
        """Number of the last row that was read."""
        return int(self._found[4])

    @property
    def last(self) -> int:
        """Number of the last row that holds anything; 0: none did."""
        return int(self._found[5])

    @property
    def hidden(self) -> int:
        """Rows that the sheet does not show."""
        return int(self._found[6])

    @property
    def full(self) -> bool:
        """Whether no more rows have room, or their texts are long."""
        return self.rows >= self._cells.rows or self._found[7] >= self._frame.most_bytes

    def scan(self, at: int, seen: int, plain_before: int, *, described: bool) -> int:
        """Take rows as far as they are plain; says how many line feeds were gone past.

        Args:
            at: where the next one begins.
            seen: number of the last row that was read.
            plain_before: rows from this number on are odd.
            described: rows may have the attribute x14ac:dyDescent.
        """
        self._found[1], self._found[2], self._found[4] = at, 0, seen
        self._given.plain_before, self._given.described = plain_before, described
        self._library.onecard_sheet_rows(
            *place(self._data),
            ctypes.byref(self._given),
            address(self._cells.table),
            address(self.forms),
            address(self._cells.text),
            address(self._cells.totals),
            address(self._found),
        )
        return int(self._found[2])

    def leave_out(self, number: int, texts: int, *, hidden: bool) -> int:
        """A row that another reader has read: NULL throughout; gives its place, from 0.

        Args:
            number: as the sheet counts it.
            texts: characters that it holds.
            hidden: the sheet does not show it.
        """
        row = self._blank()
        self.forms[row] = 0
        self._found[4] = self._found[5] = number
        self._found[6] += hidden
        self._found[7] += texts
        return row

    def _sheet(self, most: int) -> Any:  # noqa: ANN401 - a structure of ctypes
        frame = self._frame
        texts, ends = frame.texts
        return _Sheet(
            places=address(self._places),
            named=len(self._places),
            styles=address(self._styles),
            style_count=len(frame.styles),
            marks=address(self._marks),
            columns=len(self._marks),
            texts=address(texts),
            ends=address(ends),
            text_count=len(ends),
            name=address(self._name),
            name_size=len(self._name),
            name_place=frame.name[0],
            most_rows=most,
            most_bytes=frame.most_bytes,
        )


def judged(form: int) -> tuple[Literal["number", "boolean", "error", "date"], str]:
    """What a cell is that the caller judges, and the number of its style.

    Args:
        form: as in `SheetTable.forms`, not 0.
    """
    return KINDS[(form >> _KIND_BITS) - 1], str(form & ((1 << _KIND_BITS) - 1))


@dataclass(frozen=True, slots=True)
class ListedTexts:
    """Texts of a workbook's list.

    Attributes:
        texts: one behind the other.
        ends: where each ends.
        at: place behind them in the data.
        lines: line feeds among them.
    """

    texts: Bytes
    ends: npt.NDArray[np.uint64]
    at: int
    lines: int


def texts(library: ctypes.CDLL, data: bytes, at: int, longest: int) -> ListedTexts:
    """Texts of a workbook's list as far as they are plain.

    Args:
        library: the compiled one.
        data: a piece of the list, UTF-8; it may end anywhere.
        at: where the first one begins.
        longest: bytes of one text; a longer one is odd.
    """
    whole, size = bytes_of(data), len(data) - at
    most = size // _SMALLEST_TEXT + 1
    found_texts, aside = np.empty(size, np.uint8), np.empty(size, np.uint8)
    ends = np.empty(most, np.uint64)
    found: npt.NDArray[np.int64] = np.array([0, at, 0, 0], np.int64)
    library.onecard_sheet_texts(
        *place(whole),
        ctypes.c_size_t(longest),
        ctypes.c_size_t(most),
        address(found_texts),
        address(ends),
        address(aside),
        address(found),
    )
    count, end, lines, used = map(int, found)
    return ListedTexts(found_texts[:used], ends[:count], end, lines)
