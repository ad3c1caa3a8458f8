"""Rows of an XLSX sheet by the compiled scanner, where it is there; those that are odd by expat.

Both give the same rows, damaged ones, lost values and refusals.
"""

from __future__ import annotations

import ctypes
import re
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from connectors.common import xml_cut
from connectors.common.scanned import with_rows
from connectors.common.xml_cut import CutDocument, CutOut
from connectors.files import sheet_chunks
from connectors.files.sheet_chunks import OpenSheet
from connectors.files.sheet_judged import Judged
from connectors.files.sheets import SheetRow
from connectors.files.text_file import Text
from connectors.files.xlsx_book import ListedSheet, Workbook
from connectors.files.xlsx_merged import merged_rows
from connectors.files.xlsx_sheet import RowsOfSheet
from onecard.native.sheet_scan import JUDGED, NO_NAME, NOT_WANTED, Frame, SheetColumn, SheetTable
from onecard.ports.source import Chunk, Column

_SPARE_ROWS = 1024
"""Room for rows that are written in another way than those that are counted."""
_DESCENT = re.compile(rb'<row [^<>]*\sx14ac:dyDescent="')


class SheetReading(Iterator[SheetRow]):
    """The rows of a sheet in their order, one by one or by the scanner.

    Attributes:
        library: the compiled one.
        book: the workbook.
        document: the sheet's part.
    """

    def __init__(self, library: ctypes.CDLL, book: Workbook, sheet: ListedSheet) -> None:
        """Nothing was read yet but where cells are merged.

        Args:
            library: the compiled one.
            book: an open workbook.
            sheet: one of its sheets.

        Raises:
            ProtocolError: not whole, or of more ranges of merged cells than may be.
        """
        self.library, self.book = library, book
        self._merged, self._handler = merged_rows(book, sheet), RowsOfSheet(book)
        self.document = CutDocument(self._handler, book.pieces(sheet.part), "row", book.origin)
        self._waiting: deque[SheetRow] = deque()
        self._is_described = False

    def __next__(self) -> SheetRow:
        """The next row that holds anything.

        Raises:
            ProtocolError: not whole, not well formed, or of a shape that no spreadsheet writes.
        """
        left = True
        while not self._waiting and left:
            left = self.document.read_on()
            self._wait()
        if self._waiting:
            return self._waiting.popleft()
        self._merged.check(self._handler.merged, self.book.origin)
        raise StopIteration

    def close(self) -> None:
        """No more rows are read."""
        self.document.close()

    def ready(self) -> Iterator[SheetRow]:
        """The rows that were read and not given yet."""
        self._wait()
        while self._waiting:
            yield self._waiting.popleft()

    def scan(self, table: SheetTable) -> None:
        """Take plain rows into a table, out of what expat sees.

        Args:
            table: of the piece of the document that is held.
        """
        document, handler = self.document, self._handler
        described = handler.is_described and self._described()
        before = min(handler.plain_before(), self._merged.first_from(handler.row + 1))
        lines = table.scan(document.at, handler.row, before, described=described)
        document.took(table.at, lines)
        handler.row = table.seen

    def check(self) -> None:
        """After the last row; raises ProtocolError where its merged cells cannot be told."""
        self._merged.check(self._handler.merged, self.book.origin)

    def _wait(self) -> None:
        for number, cells, hidden in self._handler.ready():
            self._waiting.append(SheetRow(number, cells, hidden, self._merged.touches(number)))

    def _described(self) -> bool:
        """Whether a row that expat has read has the attribute under the name that is expected."""
        if not self._is_described:
            tags = self.document.last_fed
            self._is_described = b"xmlns" not in tags and _DESCENT.search(tags) is not None
        return self._is_described


def chunks(
    reading: SheetReading, sheet: OpenSheet, wanted: tuple[Sequence[Column], int], file: Text
) -> Generator[Chunk, None, None]:
    """The sheet's rows as text by contract names.

    Args:
        reading: its rows behind the header.
        sheet: names of its columns, and how cells become text.
        wanted: columns that it has; rows of a chunk at most.
        file: counts blank and hidden rows.

    Raises:
        ProtocolError: not whole, not well formed, or of a shape that no spreadsheet writes.
    """
    yield from xml_cut.given(reading.document, _Held(reading, sheet, wanted, file), reading.ready)
    reading.check()


class _Held(CutOut[SheetRow, Chunk]):
    """Rows that are read and not given yet."""

    def __init__(
        self,
        reading: SheetReading,
        sheet: OpenSheet,
        wanted: tuple[Sequence[Column], int],
        file: Text,
    ) -> None:
        self._reading, self._sheet, self._file = reading, sheet, file
        self._wanted, self._most = wanted
        self._frame = _frame(reading.book, sheet, self._wanted)
        self._first, self._last = 1, sheet.first - 1
        self._data = reading.document.data
        self._table: SheetTable | None = None
        self._rows: list[SheetRow] = []
        self._places: list[int] = []

    @property
    def full(self) -> bool:
        """Whether no more rows have room."""
        return self._table is not None and self._table.full

    def can_scan(self) -> bool:
        """Rows can be cut out where they stand."""
        return True

    def is_of_this_piece(self) -> bool:
        """Whether the rows stand in the piece of the document that is held."""
        return self._table is None or self._data is self._reading.document.data

    def scan(self) -> None:
        """Cut plain rows out of the document."""
        self._reading.scan(self._here())

    def leave_out(self, element: SheetRow) -> None:
        """Take a row that was not plain."""
        cells = element.cells.values()
        held = sum([len(c) if isinstance(c, str) else len(c.text) for c in cells])
        place = self._here().leave_out(element.number, held, hidden=element.hidden)
        self._places.append(place)
        self._rows.append(element)

    def given(self) -> Iterable[Chunk]:
        """All rows as a chunk, where there are any."""
        table, rows, places = self._table, self._rows, self._places
        self._table, self._rows, self._places = None, [], []
        if table is None or not table.rows:
            return
        origin, skipped = self._file.origin, self._file.skipped
        skipped.hidden += table.hidden
        skipped.blank += table.last - self._last - table.rows
        first, self._first, self._last = self._first, self._first + table.rows, table.last
        if len(rows) == table.rows:
            yield sheet_chunks.chunk(rows, self._wanted, self._sheet, (origin, first))
            return
        found = self._scanned(table, (origin, first))
        if rows:
            odd = sheet_chunks.chunk(rows, self._wanted, self._sheet, (origin, first))
            found = _joined(found, odd, places)
        yield found

    def _here(self) -> SheetTable:
        if self._table is None:
            document = self._reading.document
            self._data = document.data
            rows = min(document.ends_held() + _SPARE_ROWS, self._most)
            self._table = SheetTable(self._reading.library, self._frame, self._data, rows)
        return self._table

    def _scanned(self, table: SheetTable, at: tuple[str, int]) -> Chunk:
        """The rows that were cut out; the others are NULL."""
        arrays, forms = table.arrays(), table.forms[: table.rows]
        unread: dict[str, dict[int, str]] = {}
        because: dict[str, dict[int, str]] = {}
        for n, column in enumerate(self._wanted):
            if forms[:, n].any():
                judged = Judged(self._reading.book, column, self._sheet.taking)
                arrays[n], lost = judged.texts(arrays[n], forms[:, n])
                if lost.texts:
                    unread[column.name], because[column.name] = lost.texts, lost.rules
        batch = pa.RecordBatch.from_arrays(arrays, names=[c.name for c in self._wanted])
        return Chunk(batch, *at, {}, unread=unread, because=because)


def _frame(book: Workbook, sheet: OpenSheet, wanted: Sequence[Column]) -> Frame:
    """How the rows of a sheet are read."""
    columns = {sheet.names[c.native]: n for n, c in enumerate(wanted)}
    header = sheet.header
    first = min(header)
    return Frame(
        places=[
            columns.get(place, NOT_WANTED) if place in header else NO_NAME
            for place in range(max(header) + 1)
        ],
        columns=[SheetColumn(c.type == "string", c.decimal != ".") for c in wanted],
        styles=bytes(f.zeros if f.form == "plain" else JUDGED for f in book.formats),
        texts=book.texts.listed(),
        name=(first, header[first]),
        most_bytes=sheet_chunks.LONGEST_ROWS,
    )


def _joined(found: Chunk, odd: Chunk, places: Sequence[int]) -> Chunk:
    """A chunk with the rows that were not plain, at their places in it."""
    batch = with_rows(found.batch, np.array(places), pa.Table.from_batches([odd.batch]))
    damaged = {places[i]: rule for i, rule in odd.damaged.items()}
    unread, because = (
        _moved(found.unread, odd.unread, places),
        _moved(found.because, odd.because, places),
    )
    return replace(found, batch=batch, damaged=damaged, unread=unread, because=because)


def _moved(
    found: Mapping[str, Mapping[int, str]],
    odd: Mapping[str, Mapping[int, str]],
    places: Sequence[int],
) -> dict[str, dict[int, str]]:
    """What is told of values by column and row, of rows of both kinds."""
    names = dict.fromkeys([*found, *odd])
    here = {name: {places[i]: text for i, text in odd.get(name, {}).items()} for name in names}
    return {name: {**found.get(name, {}), **here[name]} for name in names}
