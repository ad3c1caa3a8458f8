"""Files as office programs write them, made by hand: XLSX, XLS, DBF."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
FORMATS = (
    "General",
    "yyyy/m/d",
    "yyyy-mm-dd hh:mm:ss",
    "0.00%",
    "000000",
    "h:mm",
    "#,##0.00_ ;[Red]\\-#,##0.00\\ ",
    'yyyy"年"m"月"d"日"',
)
"""Styles by number: a cell `Number("45000", 1)` is shown as a date."""


@dataclass(frozen=True)
class Number:
    """A number as the file keeps it, shown in a style."""

    text: str
    style: int = 0


@dataclass(frozen=True)
class Raw:
    """A cell's inner XML and its type."""

    xml: str
    type: str = "n"
    style: int = 0


Value = str | Number | Raw | bool | None


@dataclass
class SheetMade:
    """A sheet: rows of values; what else is written around them."""

    rows: Sequence[Sequence[Value]]
    name: str = "Sheet1"
    state: str = "visible"
    hidden: frozenset[int] = frozenset()
    merged: Sequence[str] = ()
    inline: bool = False
    skip: Mapping[int, int] = field(default_factory=dict)


def letters(column: int) -> str:
    """0 → A, 26 → AA."""
    found = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(65 + rest) + found
    return found


def xlsx(
    *sheets: SheetMade,
    since_1904: bool = False,
    prefix: str = "",
    more: Mapping[str, bytes] | None = None,
    types: str = "",
    namespace: str = MAIN,
) -> bytes:
    """A workbook, with texts shared as Excel does."""
    texts: dict[str, int] = {}
    p = f"{prefix}:" if prefix else ""
    declared = f'xmlns{":" + prefix if prefix else ""}="{namespace}" xmlns:r="{RELATED}"'

    def cell(value: Value, ref: str, inline: bool) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return f'<{p}c r="{ref}" t="b"><{p}v>{int(value)}</{p}v></{p}c>'
        if isinstance(value, Number):
            return f'<{p}c r="{ref}" s="{value.style}"><{p}v>{value.text}</{p}v></{p}c>'
        if isinstance(value, Raw):
            return f'<{p}c r="{ref}" t="{value.type}" s="{value.style}">{value.xml}</{p}c>'
        if inline:
            return (
                f'<{p}c r="{ref}" t="inlineStr"><{p}is><{p}t>{escape(value)}</{p}t></{p}is></{p}c>'
            )
        number = texts.setdefault(value, len(texts))
        return f'<{p}c r="{ref}" t="s"><{p}v>{number}</{p}v></{p}c>'

    parts: dict[str, bytes] = {}
    for place, sheet in enumerate(sheets, start=1):
        lines, number = [], 0
        for offset, row in enumerate(sheet.rows):
            number += 1 + sheet.skip.get(offset, 0)
            cells = "".join(
                cell(v, f"{letters(c)}{number}", sheet.inline) for c, v in enumerate(row)
            )
            hidden = ' hidden="1"' if offset in sheet.hidden else ""
            lines.append(f'<{p}row r="{number}"{hidden}>{cells}</{p}row>')
        merged = "".join(f'<{p}mergeCell ref="{m}"/>' for m in sheet.merged)
        tail = f"<{p}mergeCells>{merged}</{p}mergeCells>" if merged else ""
        body = f"<{p}sheetData>{''.join(lines)}</{p}sheetData>{tail}"
        text = (
            f'<?xml version="1.0" encoding="UTF-8"?><{p}worksheet {declared}>{body}</{p}worksheet>'
        )
        parts[f"xl/worksheets/sheet{place}.xml"] = text.encode()
    listed = "".join(
        f'<{p}sheet name={quoteattr(s.name)} sheetId="{n}" state="{s.state}" r:id="rId{n}"/>'
        for n, s in enumerate(sheets, start=1)
    )
    epoch = f'<{p}workbookPr date1904="1"/>' if since_1904 else ""
    parts["xl/workbook.xml"] = (
        f"<{p}workbook {declared}>{epoch}<{p}sheets>{listed}</{p}sheets></{p}workbook>".encode()
    )
    codes = "".join(
        f'<{p}numFmt numFmtId="{164 + n}" formatCode={quoteattr(code)}/>'
        for n, code in enumerate(FORMATS)
    )
    styles = "".join(f'<{p}xf numFmtId="{164 + n}"/>' for n in range(len(FORMATS)))
    parts["xl/styles.xml"] = (
        f"<{p}styleSheet {declared}><{p}numFmts>{codes}</{p}numFmts>"
        f'<{p}cellStyleXfs><{p}xf numFmtId="14"/></{p}cellStyleXfs>'
        f"<{p}cellXfs>{styles}</{p}cellXfs></{p}styleSheet>".encode()
    )
    shared = "".join(f"<{p}si><{p}t>{escape(t)}</{p}t></{p}si>" for t in texts)
    parts["xl/sharedStrings.xml"] = f"<{p}sst {declared}>{shared}</{p}sst>".encode()
    kinds = [
        *((f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)),
        ("rIdS", "styles", "styles.xml"),
        ("rIdT", "sharedStrings", "/xl/sharedStrings.xml"),
    ]
    parts["xl/_rels/workbook.xml.rels"] = relations(kinds)
    parts["_rels/.rels"] = relations([("rId1", "officeDocument", "xl/workbook.xml")])
    office = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    told = {"xl/workbook.xml": types or f"{office}.sheet.main+xml"}
    told |= {name: f"{office}.worksheet+xml" for name in parts if "/worksheets/" in name}
    told |= {"xl/styles.xml": f"{office}.styles+xml"}
    told |= {"xl/sharedStrings.xml": f"{office}.sharedStrings+xml"}
    listed_types = "".join(
        f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in told.items()
    )
    parts["[Content_Types].xml"] = (
        f'<Types xmlns="{PACKAGE}/content-types">{listed_types}</Types>'.encode()
    )
    return zipped({**parts, **(more or {})})


def relations(kinds: Iterable[tuple[str, str, str]]) -> bytes:
    """A part that names other parts."""
    inner = "".join(
        f'<Relationship Id="{key}" Type="{RELATED}/{kind}" Target="{target}"/>'
        for key, kind, target in kinds
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{inner}</Relationships>'.encode()


def zipped(parts: Mapping[str, bytes]) -> bytes:
    """An archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return made.getvalue()


def record(kind: int, data: bytes = b"") -> bytes:
    """A BIFF record."""
    return struct.pack("<HH", kind, len(data)) + data


def _wide(text: str, size: str = "<H") -> bytes:
    units = text.encode("utf-16-le")
    return struct.pack(size, len(units) // 2) + b"\1" + units


FORMULA_RESULT = 12.5


def xls(
    rows: Sequence[Sequence[Value]],
    *,
    name: str = "Sheet1",
    since_1904: bool = False,
    hidden: frozenset[int] = frozenset(),
    merged: Sequence[tuple[int, int, int, int]] = (),
    formulas: frozenset[tuple[int, int]] = frozenset(),
    streams: Sequence[str] = ("Workbook",),
) -> bytes:
    """An old workbook of one sheet (BIFF8 in a compound file)."""
    texts = list(dict.fromkeys(v for row in rows for v in row if isinstance(v, str)))
    start = record(0x809, struct.pack("<HHHHLL", 0x600, 5, 0x0DBB, 0x07CC, 0, 6))
    start += record(0x42, struct.pack("<H", 1200)) + record(0x22, struct.pack("<H", since_1904))
    font = struct.pack("<HHHHHBBBB", 200, 0, 0x7FFF, 400, 0, 0, 0, 0, 0) + b"\5\0Arial"
    start += record(0x31, font) * 5
    for number, code in enumerate(FORMATS):
        start += record(0x41E, struct.pack("<H", 164 + number) + _wide(code))
    style = struct.pack("<HHHBBBBLLH", 0, 0, 0xFFF5, 0x20, 0, 0, 0, 0, 0, 0x20C0)
    start += record(0xE0, style)
    for number in range(len(FORMATS)):
        start += record(
            0xE0, struct.pack("<HHHBBBBLLH", 0, 164 + number, 1, 0x20, 0, 0, 0, 0, 0, 0x20C0)
        )
    start += record(0x293, struct.pack("<HBB", 0x8000, 0, 255))
    shared = struct.pack("<LL", len(texts), len(texts)) + b"".join(_wide(t) for t in texts)
    table = record(0xFC, shared) + record(0x0A)
    listed = _wide(name, "<B")
    begin = len(start) + 4 + 6 + len(listed) + len(table)
    book = start + record(0x85, struct.pack("<LBB", begin, 0, 0) + listed) + table
    width = max((len(r) for r in rows), default=0)
    sheet = record(0x809, struct.pack("<HHHHLL", 0x600, 0x10, 0x0DBB, 0x07CC, 0, 6))
    sheet += record(0x200, struct.pack("<LLHHH", 0, len(rows), 0, width, 0))
    for number, row in enumerate(rows):
        flags = 0x100 | (0x20 if number in hidden else 0)
        sheet += record(0x208, struct.pack("<HHHHHHL", number, 0, len(row), 255, 0, 0, flags))
        for column, value in enumerate(row):
            sheet += _xls_cell(number, column, value, texts, (number, column) in formulas)
    if merged:
        ranges = b"".join(struct.pack("<HHHH", *m) for m in merged)
        sheet += record(0xE5, struct.pack("<H", len(merged)) + ranges)
    return compound([(stream, book + sheet + record(0x0A)) for stream in streams])


def _xls_cell(row: int, column: int, value: Value, texts: list[str], formula: bool) -> bytes:
    place = struct.pack("<HHH", row, column, 1 + (value.style if isinstance(value, Number) else 0))
    if isinstance(value, Number) and formula:
        tokens = b"\x1f" + struct.pack("<d", float(value.text))
        result = struct.pack("<dHL", float(value.text), 0, 0)
        return record(6, place + result + struct.pack("<H", len(tokens)) + tokens)
    if isinstance(value, Number):
        return record(0x203, place + struct.pack("<d", float(value.text)))
    if isinstance(value, bool):
        return record(0x205, place + struct.pack("<BB", value, 0))
    if isinstance(value, Raw):  # an error, by its number
        return record(0x205, place + struct.pack("<BB", int(value.xml), 1))
    return b"" if value is None else record(0xFD, place + struct.pack("<L", texts.index(value)))


_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def compound(streams: Sequence[tuple[str, bytes]]) -> bytes:
    """A compound file ([MS-CFB], version 3); each stream is filled up to 4,096 bytes at least."""
    bodies = [data.ljust(4096, b"\0") for _, data in streams]
    fat = [_FAT, _END]
    starts, content = [], b""
    for data in bodies:
        body = data.ljust(-(-len(data) // 512) * 512, b"\0")
        first, count = len(fat), len(body) // 512
        starts.append(first)
        fat += [*range(first + 1, first + count), _END]
        content += body
    assert len(fat) <= 128, "one sector of the FAT is enough for tests"
    entries = [_entry("Root Entry", 5, 1, _END, 0)]
    for place, ((name, _), body) in enumerate(zip(streams, bodies, strict=True)):
        right = place + 2 if place + 1 < len(streams) else _FREE
        entries.append(_entry(name, 2, _FREE, starts[place], len(body), right))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    head += struct.pack(
        "<HHHHH6xLLLLLLLLLL", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, _END, 0, _END, 0, 0
    )
    head += struct.pack("<L", _FREE) * 108
    table = b"".join(struct.pack("<L", n) for n in fat).ljust(512, b"\xff")
    return head + table + b"".join(entries).ljust(512, b"\0") + content


def _entry(name: str, kind: int, child: int, start: int, size: int, right: int = _FREE) -> bytes:
    wide = name.encode("utf-16-le") + b"\0\0"
    data = wide.ljust(64, b"\0") + struct.pack("<HBBLLL", len(wide), kind, 1, _FREE, right, child)
    return data + bytes(36) + struct.pack("<LQ", start, size)


@dataclass(frozen=True)
class DbfColumn:
    """A field of a DBF table."""

    name: str
    kind: str
    width: int
    decimals: int = 0
    flags: int = 0


def dbf(
    columns: Sequence[DbfColumn],
    rows: Sequence[Sequence[bytes]],
    *,
    deleted: frozenset[int] = frozenset(),
    version: int = 0x03,
    page: int = 0x4D,
    end: bytes = b"\x1a",
    encoding: str = "gb18030",
) -> bytes:
    """A table; values are as they stand, filled up with blanks."""
    length = 1 + sum(c.width for c in columns)
    begin = 32 + 32 * len(columns) + 1
    head = bytes([version, 126, 11, 24]) + struct.pack("<LHH", len(rows), begin, length)
    head += bytes(17) + bytes([page]) + bytes(2)
    for column in columns:
        name = column.name.encode(encoding).ljust(11, b"\0")
        entry = (
            name + column.kind.encode() + bytes(4) + bytes([column.width % 256, column.decimals])
        )
        head += (entry + bytes([column.flags])).ljust(32, b"\0")
    body = b""
    for number, row in enumerate(rows):
        cells = zip(row, columns, strict=True)
        body += b"*" if number in deleted else b" "
        body += b"".join(value.ljust(c.width)[: c.width] for value, c in cells)
    return head + b"\r" + body + end
