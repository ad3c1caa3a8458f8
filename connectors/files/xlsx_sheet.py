"""One sheet of an XLSX workbook, row by row; only the row that is read stands in memory.

Merged cells are listed behind the rows: `xlsx_merged` looks for them beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from connectors.common import xml_stream
from connectors.common.xml_stream import Handler, Refused
from connectors.files.sheet_cells import Asks, Cell, Kind
from connectors.files.sheets import MOST_COLUMNS, MOST_ROWS, SheetRow, column_number
from connectors.files.xlsx_book import ListedSheet, Workbook
from connectors.files.xlsx_formulas import asks_outside
from connectors.files.xlsx_merged import merged_rows
from connectors.files.xlsx_names import names
from connectors.files.xlsx_texts import unescaped

MOST_SPREAD = 10_000
"""Formulas that fill several cells and are remembered at one time."""
_DEPTH = 2
"""Elements around rows."""
_DESCENT = (
    f"http://schemas.microsoft.com/office/spreadsheetml/2009/9/ac{xml_stream.SEPARATOR}dyDescent"
)
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
    merged = merged_rows(book, sheet)
    handler = RowsOfSheet(book)
    pieces = book.pieces(sheet.part)
    with closing(xml_stream.fed(handler, pieces, book.origin, handler.ready)) as made:
        for found in made:
            for number, cells, hidden in found:
                yield SheetRow(number, cells, hidden, merged.touches(number))
    merged.check(handler.merged, book.origin)


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


class RowsOfSheet(Handler):
    """Rows of a sheet's part as they end.

    Attributes:
        row: number of the last one.
        merged: ranges of merged cells that the part lists.
        is_described: rows have the attribute of Excel 2010 that tells where their text stands.
    """

    _KINDS = names("sheetData", "row", "c", "v", "f", "is", "t", "rPh", "mergeCell")

    def __init__(self, book: Workbook) -> None:
        """No row was read yet.

        Args:
            book: has texts and formats.
        """
        super().__init__()
        self._book = book
        self._found: list[Found] = []
        self._within = self._hidden = self._taking = self._spoken = self.is_described = False
        self.row, self._column = 0, 0
        self._cells: dict[int, str | Cell] = {}
        self._cell: dict[str, str] = {}
        self._parts: list[str] = []
        self._value: str | None = None
        self._formula: str | None = None
        self._over = ""
        self._outside: set[str] = set()
        self._spread: list[_Spread] = []
        self.merged = 0

    def is_between(self) -> bool:
        """Whether rows stand here, and none is open."""
        return self._within and self.depth == _DEPTH

    def plain_before(self) -> int:
        """The first row that formulas of earlier ones may fill."""
        filled = any(s.last_row > self.row for s in self._spread)
        return self.row + 1 if filled else MOST_ROWS + 1

    def ready(self) -> list[Found]:
        """The rows that have ended and were not given yet."""
        found, self._found = self._found, []
        return found

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A row, a cell, a part of one, or something behind the rows."""
        kind = self._KINDS.get(name)
        if not self._within:
            if kind == "sheetData":
                self._within, self.around_at = True, self.here()
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
        """The same ends."""
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
                self._found.append((self.row, self._cells, self._hidden))
            self.text, self.ended_at = 0, self.here()
        elif kind == "rPh":
            self._spoken = False
        elif kind == "sheetData":
            self._within = False

    def characters(self, text: str) -> None:
        """A value, a formula, or a part of one."""
        if self._taking:
            self._parts.append(text)

    def _begin_row(self, attributes: dict[str, str]) -> None:
        said = attributes.get("r", str(self.row + 1))
        number = int(said) if said.isdecimal() and len(said) < 8 else 0
        if not self.row < number <= MOST_ROWS:
            msg = f"its rows are not numbered upwards from 1 to {MOST_ROWS}"
            raise Refused(msg)
        self.row, self._column, self._cells = number, -1, {}
        self._hidden = attributes.get("hidden") in ("1", "true")
        self.is_described = self.is_described or _DESCENT in attributes

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
        self._spread = [s for s in self._spread if s.last_row >= self.row]
        here = (s.asks for s in self._spread if s.holds(self.row, self._column))
        return next(here, None)

    def _text(self, kind: str, value: str) -> str | None:
        """A text; None where its number is none of the workbook's texts."""
        if kind != "s":
            return unescaped(value)
        number = int(value) if value.isdecimal() and len(value) < 10 else -1
        return self._book.texts.text(number)
