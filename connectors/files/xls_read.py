"""Old workbooks (.xls, BIFF5 and BIFF8 in a compound file), by xlrd: the extra `excel`.

xlrd gives a formula's value and does not say that it is one; the formulas are looked up in the
records themselves ([MS-XLS] 2.4.127).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from connectors.files.sheet_cells import Cell, format_of
from connectors.files.sheets import Sheet, SheetRow
from onecard.errors import ConfigError, ProtocolError

LIMIT = 256 * 1024**2
"""Bytes of such a workbook, which is held in memory; 65,536 rows are less."""
_PASSWORD = "EncryptedPackage".encode("utf-16-le")
_MACROS = ("_VBA_PROJECT_CUR".encode("utf-16-le"), "_VBA_PROJECT".encode("utf-16-le"))
"""Names in the directory of a compound file ([MS-OFFCRYPTO] 2.3.4.4, [MS-OVBA] 2.2.1)."""
_OWN_FORMATS = 164
"""Numbers of formats from here on are the workbook's own; below, those of every workbook."""
_BEGIN, _END, _FORMULA, _SHEET, _SECRET = 0x809, 0x0A, 0x06, 0x85, 0x2F
_BROKEN = (
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What xlrd says of a damaged file, besides its own errors."""

Places = set[tuple[int, int]]
"""Rows and columns, from 0."""


def sheets(path: Path, origin: str) -> tuple[list[Sheet], bool]:
    """The sheets, and whether days are counted from 1904.

    Args:
        path: of a local copy.
        origin: name of the file, for messages.

    Raises:
        ConfigError: xlrd is not installed.
        ProtocolError: not whole, with a password or macros, or too large.
    """
    data = _content(path, origin)
    xlrd = _library(origin)
    broken = (*_BROKEN, xlrd.XLRDError, xlrd.compdoc.CompDocError)
    try:
        book = xlrd.open_workbook(
            file_contents=data,
            logfile=io.StringIO(),
            formatting_info=True,
            on_demand=True,  # else the stream is gone once all sheets are read
            ragged_rows=True,
        )
        stream = bytes(book.mem[book.base : book.base + book.stream_len])
        formulas, found = _formulas(stream), book.sheets()
    except broken:
        raise ProtocolError(_damaged(origin)) from None
    if len(formulas) != len(found):
        raise ProtocolError(_damaged(origin))
    made = [
        Sheet(sheet.name, sheet.visibility == 0, partial(_rows, book, sheet, places, origin))
        for sheet, places in zip(found, formulas, strict=True)
    ]
    return made, book.datemode == 1


def _content(path: Path, origin: str) -> bytes:
    if path.stat().st_size > LIMIT:
        msg = f"{origin}: an old workbook (.xls) of more than {LIMIT} bytes: save it as XLSX"
        raise ProtocolError(msg)
    data = path.read_bytes()
    if _PASSWORD in data:
        msg = f"{origin}: the workbook has a password: send it without one, over a secure channel"
        raise ProtocolError(msg)
    if any(name in data for name in _MACROS):
        msg = f"{origin}: the workbook has macros: save it as XLSX, without them"
        raise ProtocolError(msg)
    return data


def _library(origin: str) -> Any:  # noqa: ANN401 - xlrd has no types
    try:
        import xlrd  # noqa: PLC0415 - an extra, only where needed
    except ModuleNotFoundError:
        msg = f"{origin}: old workbooks (.xls) need xlrd: pip install 'onecard-hub[excel]'"
        raise ConfigError(msg) from None
    return xlrd


def _damaged(origin: str) -> str:
    return f"{origin}: the workbook is not whole, damaged, or has a password"


def _rows(
    book: Any,  # noqa: ANN401 - xlrd has no types
    sheet: Any,  # noqa: ANN401
    formulas: Places,
    origin: str,
) -> Generator[SheetRow, None, None]:
    """The rows of a sheet that hold anything."""
    merged = {r for low, high, _, _ in sheet.merged_cells for r in range(low, high)}
    try:
        for number in range(sheet.nrows):
            cells = dict(_cells(book, sheet, number, formulas))
            info = sheet.rowinfo_map.get(number)
            if cells:
                yield SheetRow(number + 1, cells, bool(info and info.hidden), number in merged)
    except _BROKEN:
        raise ProtocolError(_damaged(origin)) from None


def _cells(
    book: Any,  # noqa: ANN401 - xlrd has no types
    sheet: Any,  # noqa: ANN401
    row: int,
    formulas: Places,
) -> Iterator[tuple[int, str | Cell]]:
    """The cells of a row that are not empty; kinds as xlrd numbers them."""
    kinds, values = sheet.row_types(row), sheet.row_values(row)
    for column, (kind, value) in enumerate(zip(kinds, values, strict=True)):
        asks = "inside" if (row, column) in formulas else ""
        if kind == 1:
            if asks:
                yield column, Cell("text", value, formula="inside")
            elif value:
                yield column, value
        elif kind in (2, 3):
            key = book.xf_list[sheet.cell_xf_index(row, column)].format_key
            own = book.format_map[key].format_str if key >= _OWN_FORMATS else None
            form = format_of(key, own)
            yield column, Cell("number", repr(float(value)), form, "inside" if asks else "")
        elif kind == 4:
            yield column, Cell("boolean", str(int(value)), formula="inside" if asks else "")
        elif kind == 5:
            yield column, Cell("error", "", formula="inside" if asks else "")


def _formulas(stream: bytes) -> list[Places]:
    """Where formulas stand, sheet by sheet."""
    found = []
    for kind, begin, end in _records(stream, 0):
        if kind == _SECRET:
            raise ValueError
        if kind == _SHEET and stream[begin + 5 : begin + 6] == b"\0":
            (place,) = struct.unpack_from("<L", stream, begin)
            inner = _records(stream, place)
            found.append(
                {struct.unpack_from("<HH", stream, b) for k, b, _ in inner if k == _FORMULA}
            )
        if end > len(stream):
            raise ValueError
    return found


def _records(stream: bytes, place: int) -> Iterator[tuple[int, int, int]]:
    """Kind, begin and end of each record of a part of the stream; of parts within it none."""
    depth = 0
    while place + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, place)
        begin, place = place + 4, place + 4 + length
        if kind == _BEGIN:
            depth += 1
        elif kind == _END:
            depth -= 1
            if depth <= 0:
                return
        elif depth == 1:
            yield kind, begin, place
