"""One sheet of an XLSX workbook, row by row; only the row that is read stands in memory.

Merged cells are listed behind the rows. So the part is looked through for them first, and what was
found is held against the list once all rows have been read.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from connectors.common import xml_stream
from connectors.common.xml_stream import Handler, Refused
from connectors.files.sheet_cells import Asks, Cell, Kind
from connectors.files.sheets import MOST_COLUMNS, MOST_ROWS, SheetRow, column_number
from connectors.files.xlsx_book import ListedSheet, Workbook, unescaped
from connectors.files.xlsx_formulas import asks_outside
from connectors.files.xlsx_names import names
from onecard.errors import ProtocolError

_CELL = rb"[A-Za-z]{1,3}\d{1,7}"
_MERGED = re.compile(
    rb"mergeCell\s[^<>]{0,200}?ref\s*=\s*[\"'](" + _CELL + b":" + _CELL + rb")[\"']"
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_OVERLAP = 512
"""Bytes of a piece that are looked at again with the next one: longer than such an element."""
MOST_MERGED = 100_000
"""Ranges of merged cells that are remembered."""
MOST_SPREAD = 10_000
"""Formulas that fill several cells and are remembered at one time."""
_SPREADING = ("array", "dataTable")
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_TEXTS = frozenset({"s", "str", "inlineStr"})
_OTHERS: dict[str, Kind] = {"b": "boolean", "d": "date"}
"""Types of a cell (ECMA-376-1, 18.18.11); what is none of these is an error."""


def rows(book: Workbook, sheet: ListedSheet) -> Generator[SheetRow, None, None]:
    """The rows that hold anything, in their order.

    Args:
        book: an open workbook.
        sheet: one of its sheets.

    Raises:
        ProtocolError: not whole, not well formed, or of a shape that no spreadsheet writes.
    """
    with closing(book.pieces(sheet.part)) as data:
        ranges = _merged_ranges(data, book.origin)
    handler = _Rows(book)
    merged = _Merged(ranges)
    pieces = book.pieces(sheet.part)
    with closing(xml_stream.fed(handler, pieces, book.origin, handler.ready)) as made:
        for found in made:
            for number, cells, hidden in found:
                yield SheetRow(number, cells, hidden, merged.touches(number))
    if handler.merged != len(ranges):
        msg = f"{book.origin}: its merged cells cannot be told: save it anew as XLSX"
        raise ProtocolError(msg)


def _merged_ranges(data: Generator[bytes, None, None], origin: str) -> list[tuple[int, int]]:
    """First and last row of each range of merged cells, in the order of the first rows."""
    found: list[tuple[int, int]] = []
    rest = b""
    for piece in data:
        window = rest + piece
        end = 0
        if b"mergeCell" in window:
            for match in _MERGED.finditer(window):
                end = match.end()
                first, _, last = match[1].decode().partition(":")
                pair = sorted(int(ref.lstrip(_LETTERS)) for ref in (first, last))
                found.append((pair[0], pair[1]))
                if len(found) > MOST_MERGED:
                    msg = f"{origin}: more than {MOST_MERGED} ranges of merged cells"
                    raise ProtocolError(msg)
        rest = window[max(end, len(window) - _OVERLAP) :]
    return sorted(found)


class _Merged:
    """Whether rows, asked for in their order, are touched by a range."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        self._ahead = ranges[::-1]
        self._open: list[int] = []

    def touches(self, row: int) -> bool:
        while self._ahead and self._ahead[-1][0] <= row:
            heapq.heappush(self._open, self._ahead.pop()[1])
        while self._open and self._open[0] < row:
            heapq.heappop(self._open)
        return bool(self._open)


@dataclass(frozen=True, slots=True)
class _Spread:
    """Cells that one formula fills, which stands at the first of them."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int
    asks: str

    def holds(self, row: int, column: int) -> bool:
        within = self.first_column <= column <= self.last_column
        return within and self.first_row <= row <= self.last_row


def _spread(reference: str, asks: str) -> _Spread:
    """The cells of a reference; one that cannot be told is the rest of the sheet."""
    first, _, last = reference.partition(":")
    match = re.fullmatch(_REFERENCE, first), re.fullmatch(_REFERENCE, last or first)
    if match[0] is None or match[1] is None:
        return _Spread(1, MOST_ROWS, 0, MOST_COLUMNS, asks)
    columns = [column_number(m[1]) for m in match if m]
    rows = [int(m[2]) for m in match if m]
    return _Spread(min(rows), max(rows), min(columns), max(columns), asks)


Found = tuple[int, dict[int, str | Cell], bool]


class _Rows(Handler):
    """Rows of a sheet's part as they end."""

    _KINDS = names("sheetData", "row", "c", "v", "f", "is", "t", "rPh", "mergeCell")

    def __init__(self, book: Workbook) -> None:
        super().__init__()
        self._book = book
        self._found: list[Found] = []
        self._within = self._hidden = self._taking = self._spoken = False
        self._row = self._column = 0
        self._cells: dict[int, str | Cell] = {}
        self._cell: dict[str, str] = {}
        self._parts: list[str] = []
        self._value: str | None = None
        self._formula: str | None = None
        self._over = ""
        self._outside: set[str] = set()
        self._spread: list[_Spread] = []
        self.merged = 0

    def ready(self) -> list[Found]:
        """The rows that have ended and were not given yet."""
        found, self._found = self._found, []
        return found

    def start(self, name: str, attributes: dict[str, str]) -> None:
        kind = self._KINDS.get(name)
        if not self._within:
            self._within = kind == "sheetData"
            self.merged += kind == "mergeCell"
        elif kind == "c":
            self._begin_cell(attributes)
        elif kind in ("v", "t"):
            self._taking = not self._spoken
        elif kind == "f":
            self._taking, self._parts = True, []
            self._formula = attributes.get("si", "")
            self._over = attributes.get("ref", "") if attributes.get("t") in _SPREADING else ""
        elif kind == "row":
            self._begin_row(attributes)
        elif kind == "rPh":
            self._spoken = True

    def end(self, name: str) -> None:
        kind = self._KINDS.get(name)
        if kind == "c" and self._within:
            self._end_cell()
        elif kind in ("v", "t"):
            self._taking = False
            if self._within and not self._spoken:
                self._value = "".join(self._parts)
        elif kind == "f":
            self._end_formula()
        elif kind == "row" and self._within:
            if self._cells:
                self._found.append((self._row, self._cells, self._hidden))
            self.text = 0
        elif kind == "rPh":
            self._spoken = False
        elif kind == "sheetData":
            self._within = False

    def characters(self, text: str) -> None:
        if self._taking:
            self._parts.append(text)

    def _begin_row(self, attributes: dict[str, str]) -> None:
        said = attributes.get("r", str(self._row + 1))
        number = int(said) if said.isdecimal() and len(said) < 8 else 0
        if not self._row < number <= MOST_ROWS:
            msg = f"its rows are not numbered upwards from 1 to {MOST_ROWS}"
            raise Refused(msg)
        self._row, self._column, self._cells = number, -1, {}
        self._hidden = attributes.get("hidden") in ("1", "true")

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("r")
        column = self._column + 1 if reference is None else column_number(reference)
        if column <= self._column:
            msg = "the cells of a row are not in the order of their columns"
            raise Refused(msg)
        self._column, self._cell = column, attributes
        self._parts, self._value, self._formula = [], None, None

    def _end_formula(self) -> None:
        """Whether it asks another workbook; a shared one is written out at its first cell only."""
        text, shared = "".join(self._parts), self._formula
        self._parts, self._taking = [], False
        outside = asks_outside(text, self._book.outside) or (
            bool(shared) and shared in self._outside
        )
        if outside and shared:
            self._outside.add(shared)
        self._formula = "outside" if outside else "inside"
        if ":" in self._over:
            self._spread.append(_spread(self._over, self._formula))
            if len(self._spread) > MOST_SPREAD:
                msg = f"more than {MOST_SPREAD} formulas fill cells around them"
                raise Refused(msg)

    def _end_cell(self) -> None:
        kind, value, formula = self._cell.get("t", "n"), self._value, self._formula
        if not value and formula is None:
            return
        if self._spread and formula is None:
            formula = self._spread_here()
        text = self._text(kind, value or "") if kind in _TEXTS else None
        if text is not None and formula is None:
            if text:
                self._cells[self._column] = text
            return
        asks: Asks = "outside" if formula == "outside" else "inside" if formula else ""
        if text is not None:
            self._cells[self._column] = Cell("text", text, formula=asks)
        elif kind == "n":
            form = self._book.format(self._cell.get("s", "0"))
            self._cells[self._column] = Cell("number", value or "", form, asks)
        else:
            self._cells[self._column] = Cell(_OTHERS.get(kind, "error"), value or "", formula=asks)

    def _spread_here(self) -> str | None:
        """The formula of another cell that fills this one, as one of an array does."""
        self._spread = [s for s in self._spread if s.last_row >= self._row]
        here = (s.asks for s in self._spread if s.holds(self._row, self._column))
        return next(here, None)

    def _text(self, kind: str, value: str) -> str | None:
        """A text; None where its number is none of the workbook's texts."""
        if kind != "s":
            return unescaped(value)
        number = int(value) if value.isdecimal() and len(value) < 10 else -1
        return self._book.texts.text(number)
