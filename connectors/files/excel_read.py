"""A sheet of a workbook: titles, header, rows; each cell as text, or with the rule it breaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice

from connectors.common.gather import OBJECT_ROWS
from connectors.common.records import check_columns
from connectors.files import (
    excel_scanned,
    looks,
    sheet_chunks,
    xls_read,
    xlsx_book,
    xlsx_sheet,
)
from connectors.files.excel_scanned import SheetReading
from connectors.files.layouts import Excel
from connectors.files.sheet_cells import Cell, Taking, number_text, text_of
from connectors.files.sheet_chunks import OpenSheet, chunk
from connectors.files.sheets import Sheet, SheetRow, chosen
from connectors.files.text_file import Text
from onecard import native
from onecard.base import shown
from onecard.errors import ProtocolError, SchemaMismatch
from onecard.ports.source import Chunk, Column, ReadRequest

_OLD = b"\xd0\xcf\x11\xe0"
EARLY = 10
"""Rows among which a header row is looked for that is not the first."""


@contextmanager
def opened(file: Text, options: Excel, natives: Sequence[str], where: str) -> Iterator[OpenSheet]:
    """The sheet that the options name.

    Args:
        file: a local copy.
        options: sheet, titles, and how cells are taken.
        natives: names that the contract has for columns.
        where: dataset and file, for messages.

    Raises:
        ConfigError: the file is an old workbook, and xlrd is not installed.
        ProtocolError: no workbook that is read, no such sheet, or nothing in it.
        SchemaMismatch: the row in the header's place names no column of the contract, or one twice.
    """
    with _sheets(file) as (sheets, since_1904):
        sheet = chosen(sheets, options.sheet, file.origin)
        file.skipped.unread += sum(not s.visible for s in sheets if s is not sheet)
        taking = Taking(options.formulas, options.percent, since_1904)
        with closing(sheet.rows()) as rows:
            titles: list[str] = []
            header: SheetRow | None = None
            for row in rows:
                if row.number > options.above:
                    header = row
                    break
                titles.append(" ".join(_plain(cell) for cell in row.cells.values()))
            if header is None:
                msg = f"{file.origin}: the sheet holds nothing below row {options.above}"
                raise ProtocolError(msg)
            file.skipped.titles += options.above
            file.skipped.blank += header.number - options.above - 1
            names = {place: _plain(cell) for place, cell in header.cells.items()}
            _check(names, natives, where, (header.number, rows))
            by_name = {name: place for place, name in names.items()}
            first = header.number + 1
            yield OpenSheet(sheet.name, tuple(titles), by_name, names, first, rows, taking)


@contextmanager
def _sheets(file: Text) -> Iterator[tuple[list[Sheet], bool]]:
    """The sheets of the workbook, of whichever kind it is, and whether it counts from 1904."""
    if looks.head(file.path).startswith(_OLD):
        yield xls_read.sheets(file.path, file.origin)
        return
    with xlsx_book.opened(file.path, file.origin, file.limit) as book:
        kind = partial(SheetReading, library) if (library := native.library()) else xlsx_sheet.rows
        found = [Sheet(s.name, s.visible, partial(kind, book, s)) for s in book.sheets]
        yield found, book.since_1904


def chunks(file: Text, options: Excel, request: ReadRequest) -> Iterator[Chunk]:
    """The sheet's rows as text by contract names.

    Args:
        file: a local copy.
        options: sheet, titles, and how cells are taken.
        request: names the columns.

    Raises:
        SchemaMismatch: unknown or missing columns, or as `opened`.
        ProtocolError: as `opened`, or not whole.
    """
    natives = [c.native for c in request.columns]
    with opened(file, options, natives, f"{request.dataset} from {file.origin}") as sheet:
        check_columns(sheet.names, request, file.origin)
        wanted = [c for c in request.columns if c.native in sheet.names]
        if isinstance(sheet.rows, SheetReading):
            yield from excel_scanned.chunks(sheet.rows, sheet, (wanted, request.batch_rows), file)
            return
        first = 1
        last = sheet.first - 1
        size = min(request.batch_rows, OBJECT_ROWS)
        for rows in _gathered(sheet.rows, size):
            yield chunk(rows, wanted, sheet, (file.origin, first))
            first += len(rows)
            file.skipped.hidden += sum(row.hidden for row in rows)
            file.skipped.blank += rows[-1].number - last - len(rows)
            last = rows[-1].number


def _gathered(rows: Iterator[SheetRow], most: int) -> Iterator[list[SheetRow]]:
    """So many rows at a time, or fewer where their texts are long."""
    found: list[SheetRow] = []
    held = 0
    for row in rows:
        found.append(row)
        cells = row.cells.values()
        held += sum([len(c) if isinstance(c, str) else len(c.text) for c in cells])
        if len(found) == most or held > sheet_chunks.LONGEST_ROWS:
            yield found
            found, held = [], 0
    if found:
        yield found


def count(file: Text, options: Excel) -> tuple[int, tuple[str, ...]]:
    """Rows below the header, and the titles above it.

    Args:
        file: a local copy.
        options: sheet and titles.
    """
    with opened(file, options, (), file.origin) as sheet:
        return sum(1 for _ in sheet.rows), sheet.titles


def sample(
    file: Text, options: Excel, known: tuple[Sequence[Column], str], most: int
) -> Iterator[dict[str, str | None]]:
    """The header as a record without values, then some rows by their native names.

    Args:
        file: a local copy.
        options: sheet, titles, and how cells are taken.
        known: the contract's columns; dataset and file, for messages.
        most: rows.
    """
    columns, where = known
    natives = {c.native: c for c in columns}
    with opened(file, options, list(natives), where) as sheet:
        yield dict.fromkeys(sheet.names, "")
        places = [(n, p, natives.get(n) or Column(n, n)) for n, p in sheet.names.items()]
        for row in islice(sheet.rows, most):
            yield {n: _value(row.cells.get(p), column, sheet.taking) for n, p, column in places}


def _value(cell: str | Cell | None, column: Column, taking: Taking) -> str | None:
    """A cell's text; None where it breaks a rule."""
    if not isinstance(cell, Cell):
        return cell
    text, rule = text_of(cell, column, taking)
    return None if rule else text


def _plain(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return cell
    return number_text(cell.text)[0] if cell.kind == "number" else cell.text


def _check(
    names: dict[int, str], natives: Sequence[str], where: str, at: tuple[int, Iterator[SheetRow]]
) -> None:
    """Whether it is a header row; `at` is its number and the rows behind it."""
    found = list(names.values())
    twice = [place for place, name in enumerate(found) if name in found[:place]]
    if natives and not shown.is_header(found, natives):
        number, rows = at
        lower = ((r.number, [_plain(c) for c in r.cells.values()]) for r in islice(rows, EARLY))
        later = (lower_number for lower_number, cells in lower if shown.is_header(cells, natives))
        place = next(later, None)
        hint = (
            f"; the header row looks to be row {place}: say `above: {place - 1}`" if place else ""
        )
        msg = f"{where}: row {number} names no column of the contract{hint}"
        raise SchemaMismatch(msg)
    if twice:
        msg = f"{where}: column {shown.columns(found, natives, twice)} stands twice"
        raise SchemaMismatch(msg)
