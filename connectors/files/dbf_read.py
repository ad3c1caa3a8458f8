"""DBF tables (dBASE III to IV, Clipper, FoxPro): fields of fixed length, deleted rows left out.

Header, field descriptors and record flags as in dBASE III PLUS and Visual FoxPro's table structure;
the byte at 29 marks the code page.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from connectors.common.gather import Part, regrouped
from connectors.common.records import check_columns
from connectors.files import looks
from connectors.files.csv_careful import CELLS, ENCODING
from connectors.files.fixed_cells import Records, check_encoding, records, texts
from connectors.files.layouts import Dbf
from connectors.files.moments import written
from connectors.files.text_file import Text
from onecard.base import shown
from onecard.errors import ProtocolError, SchemaMismatch
from onecard.ports.source import Chunk, Column, ReadRequest

PIECE = 1 << 22
"""Bytes of records that are read at once."""
_VERSIONS = frozenset(
    {0x02, 0x03, 0x30, 0x31, 0x32, 0x43, 0x63, 0x83, 0x8B, 0x8E, 0xCB, 0xE5, 0xF5, 0xFB}
)
"""First bytes of the tables that are read; dBASE 7 has other field descriptors."""
_OTHER_PAGES = {
    0x13: "code page 932 (Japanese)",
    0x7B: "code page 932 (Japanese)",
    0x4E: "code page 949 (Korean)",
    0x79: "code page 949 (Korean)",
    0x4F: "code page 950 (Big5)",
    0x78: "code page 950 (Big5)",
}
_DESCRIPTOR, _DESCRIPTORS_END = 32, 0x0D
_SECRET = 15
"""Place of the mark of encryption (dBASE IV); 0 in all other tables."""
_KEPT, _DELETED = ord(" "), ord("*")
_NULL_FLAGS, _NULLABLE = "0", 0x02
_WIDTHS = {"D": 8, "L": 1, "I": 4, "Y": 8, "T": 8}
_WHY = {
    "M": "a memo, whose text stands in another file",
    "G": "an object (OLE)",
    "P": "a picture",
    "B": "a binary fraction, not the decimals that were written, or a memo",
    "O": "a binary fraction, not the decimals that were written",
    "Q": "bytes, which have no one text form",
    "W": "bytes, which have no one text form",
    "V": "text whose length stands elsewhere in its row",
}
_BLANKS = 0x20202020
"""Four blanks as a number: a time that nobody entered is eight of them, or zeros."""
_JULIAN_OF_1970 = 2_440_588
"""1970-01-01 as a Julian day number."""


@dataclass(frozen=True, slots=True)
class DbfField:
    """A field of a table.

    Attributes:
        kind: its letter.
        begin: its place in a record, behind the flag.
        nullable: whether NULL is kept apart from its bytes.
    """

    name: str
    kind: str
    begin: int
    width: int
    nullable: bool


@dataclass(frozen=True, slots=True)
class DbfTable:
    """A table as its header describes it.

    Attributes:
        rows: deleted ones included.
        length: bytes of a record.
    """

    fields: tuple[DbfField, ...]
    rows: int
    length: int
    stream: BinaryIO


@contextmanager
def opened(file: Text, options: Dbf) -> Iterator[DbfTable]:
    """The table; its stream stands at the first record.

    Args:
        file: a local copy.
        options: the encoding.

    Raises:
        ProtocolError: no such table, not whole, or of another code page than the contract's.
    """
    origin = file.origin
    with file.path.open("rb") as stream:
        head = stream.read(_DESCRIPTOR)
        if len(head) < _DESCRIPTOR or head[0] not in _VERSIONS:
            kind = looks.foreign(looks.head(file.path))
            hint = f"; it looks like {kind}" if kind else ""
            msg = f"{origin}: no DBF table that is read{hint}"
            raise ProtocolError(msg)
        if head[_SECRET]:
            msg = f"{origin}: the table is encrypted: send it plain, over a secure channel"
            raise ProtocolError(msg)
        if options.encoding == "gb18030" and head[29] in _OTHER_PAGES:
            page = _OTHER_PAGES[head[29]]
            msg = f"{origin}: the table says it is in {page}; the contract declares gb18030"
            raise ProtocolError(msg)
        rows, begin, length = struct.unpack_from("<LHH", head, 4)
        fields = _fields(stream.read(max(0, begin - _DESCRIPTOR)), options, origin)
        size = os.fstat(stream.fileno()).st_size
        if sum(f.width for f in fields) + 1 != length:
            msg = f"{origin}: the table's fields are not as long as its records"
            raise ProtocolError(msg)
        if not begin + rows * length <= size <= begin + rows * length + 1:
            there = max(0, size - begin) // length
            msg = f"{origin}: the table says {rows} rows; the file has {there}: it is not whole"
            raise ProtocolError(msg)
        stream.seek(begin)
        yield DbfTable(fields, rows, length, stream)


def names(table: DbfTable) -> list[str]:
    """Names of the columns that hold values."""
    return [f.name for f in table.fields if f.kind != _NULL_FLAGS]


def chunks(file: Text, options: Dbf, request: ReadRequest) -> Iterator[Chunk]:
    """The table's rows as text by contract names.

    Args:
        file: a local copy.
        options: the encoding.
        request: names the columns.

    Raises:
        SchemaMismatch: unknown, missing or repeated columns, or one of a kind that is not read.
        ProtocolError: as `opened`, or UTF-8 where GB18030 is declared.
    """
    with opened(file, options) as table:
        where = f"{request.dataset} from {file.origin}"
        found = names(table)
        if twice := [place for place, name in enumerate(found) if name in found[:place]]:
            known = [c.native for c in request.columns]
            msg = f"{where}: column {shown.columns(found, known, twice)} stands twice"
            raise SchemaMismatch(msg)
        check_columns(found, request, file.origin)
        fields = {f.name: f for f in table.fields}
        wanted = [(c, fields[c.native]) for c in request.columns if c.native in fields]
        _check_kinds(wanted, where)
        parts = (_part(rows, wanted, file, options) for rows in _pieces(table, file))
        yield from regrouped(parts, file.origin, request.batch_rows)


def count(file: Text, options: Dbf) -> int:
    """Rows that are not marked as deleted.

    Args:
        file: a local copy.
        options: the encoding.
    """
    with opened(file, options) as table:
        return sum(len(rows) for rows in _pieces(table, Text(file.path, file.origin)))


def sample(
    file: Text, options: Dbf, known: tuple[Mapping[str, Column], str], most: int
) -> Iterator[dict[str, str | None]]:
    """The names as a record without values, then some rows by their native names.

    Args:
        file: a local copy.
        options: the encoding.
        known: the contract's columns by native name; dataset and file, for messages.
        most: rows.
    """
    columns, where = known
    with opened(file, options) as table:
        yield dict.fromkeys(names(table), "")
        fields = [f for f in table.fields if f.kind != _NULL_FLAGS]
        wanted = [(columns.get(f.name) or Column(f.name, f.name), f) for f in fields]
        _check_kinds(wanted, where)
        for rows in _pieces(table, Text(file.path, file.origin)):
            batch, _ = _part(rows[:most], wanted, file, options)
            for row in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                yield dict(zip((f.name for f in fields), row, strict=True))
            return


def _fields(data: bytes, options: Dbf, origin: str) -> tuple[DbfField, ...]:
    found: list[DbfField] = []
    begin = 1
    for place in range(0, len(data), _DESCRIPTOR):
        entry = data[place : place + _DESCRIPTOR]
        if entry[0] == _DESCRIPTORS_END:
            return tuple(found)
        if len(entry) < _DESCRIPTOR:
            break
        try:
            name = entry[:11].partition(b"\0")[0].decode(options.codec).strip()
        except UnicodeDecodeError:
            msg = f"{origin}: the name of column {len(found) + 1} is not {options.encoding}"
            raise ProtocolError(msg) from None
        kind, width = chr(entry[11]), entry[16]
        if kind == "C":
            width += 256 * entry[17]
        found.append(DbfField(name, kind, begin, width, bool(entry[18] & _NULLABLE)))
        begin += width
    msg = f"{origin}: the table's list of fields has no end"
    raise ProtocolError(msg)


def _check_kinds(wanted: list[tuple[Column, DbfField]], where: str) -> None:
    """Refuse fields of which no value can be taken, before the first row."""
    said = []
    for column, found in wanted:
        binary = found.kind in ("I", "Y", "T")
        sound = found.width == _WIDTHS.get(found.kind, found.width) and found.width > 0
        if found.kind in ("C", "N", "F", "D", "L", "I", "Y", "T") and sound:
            if not (binary and found.nullable):
                continue
            why = "a number that may be NULL, which its bytes do not tell"
        else:
            why = _WHY.get(found.kind, "of a kind that is not read")
        said.append(f"column {found.name} ({column.name}) is {why}")
    if said:
        msg = f"{where}: {'; '.join(said)}; texts, numbers, dates and logical fields are read"
        raise SchemaMismatch(msg)


def _pieces(table: DbfTable, file: Text) -> Iterator[Records]:
    """The records that are not marked as deleted; counts the others."""
    left, some = table.rows, max(1, PIECE // table.length)
    while left:
        wanted = min(left, some) * table.length
        data = table.stream.read(wanted)
        if len(data) < wanted:
            msg = f"{file.origin}: the table became shorter while it was read"
            raise ProtocolError(msg)
        rows = records(data, table.length)
        kept = rows[:, 0] != _DELETED
        file.skipped.deleted += int(len(rows) - np.count_nonzero(kept))
        left -= len(rows)
        yield rows[kept]


def _part(rows: Records, wanted: list[tuple[Column, DbfField]], file: Text, options: Dbf) -> Part:
    """Records as a batch of text."""
    damaged = dict.fromkeys(map(int, np.flatnonzero(rows[:, 0] != _KEPT)), CELLS)
    arrays = []
    for column, found in wanted:
        block = rows[:, found.begin : found.begin + found.width].tobytes()
        if found.kind == "C":
            check_encoding(block, file.origin, options.encoding)
        values, bad = _values(block, found, column, options.codec)
        damaged |= dict.fromkeys(bad, ENCODING)
        arrays.append(pa.array(values, pa.string()))
    return pa.RecordBatch.from_arrays(arrays, names=[c.name for c, _ in wanted]), damaged


def _values(
    block: bytes, found: DbfField, column: Column, codec: str
) -> tuple[list[str | None], list[int]]:
    """The values of a field as text, and the records whose text is not in the encoding."""
    if found.kind in ("I", "Y", "T"):
        code = {"I": "<i", "Y": "<q", "T": "<ii"}[found.kind]
        return [_binary(found.kind, v, column) for v in struct.iter_unpack(code, block)], []
    cells, bad = texts(block, found.width, codec)
    if found.kind == "C":
        return [(cell.rstrip(" \0") or None) if cell else None for cell in cells], bad
    bare = [cell.strip(" \0") if cell else "" for cell in cells]
    if found.kind == "D":
        return [_day(cell, column) for cell in bare], bad
    if found.kind == "L":
        return [_LOGICAL.get(cell, cell) or None for cell in bare], bad
    return [_signed(_whole(cell), column) or None for cell in bare], bad


_LOGICAL = dict.fromkeys("TtYy", "true") | dict.fromkeys("FfNn", "false") | {"?": ""}


def _whole(text: str) -> str:
    """A number with a digit on both sides of its point: a narrow field leaves out the zero."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    before, point, behind = digits.partition(".")
    if not point or not (before + behind).isdecimal():
        return text
    return f"{sign}{before or '0'}" + (f".{behind}" if behind else "")


def _signed(text: str, column: Column) -> str:
    return text.replace(".", column.decimal) if column.decimal != "." else text


def _day(text: str, column: Column) -> str | None:
    """A date of eight digits as the column's text; what is none stays as it is."""
    if len(text) != 8 or not text.isascii() or not text.isdecimal():
        return text or None
    try:
        day = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return text
    return written(datetime.combine(day, time()), column.type, column.format) or text


def _binary(kind: str, value: tuple[int, ...], column: Column) -> str | None:
    if kind == "I":
        return str(value[0])
    if kind == "Y":
        text = format(Decimal(value[0]).scaleb(-4), "f")
        return _signed(text if column.type != "integer" else text.removesuffix(".0000"), column)
    days, milliseconds = value
    if days == milliseconds and days in (0, _BLANKS):
        return None
    try:
        day = datetime(1970, 1, 1) + timedelta(days - _JULIAN_OF_1970, milliseconds=milliseconds)  # noqa: DTZ001 - a clock time
    except OverflowError:
        return f"{days} {milliseconds}"
    return written(day, column.type, column.format) or day.isoformat(" ")
