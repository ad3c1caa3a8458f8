"""The card master as offices hand it over: XLSX as Excel writes it, DBF, XML."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

import polars as pl
import pyarrow as pa

from connectors.common.wire_text import as_text
from connectors.files.sheets import column_letters
from demo.hot import DATASET, cards
from schemas.models import catalogue
from schemas.models.contract import Contract

PER_FILE = 100_000
"""Rows of a file at most."""
FOLDERS = ("xlsx", "dbf", "xml")
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEETS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_FIRST_DAY = date(1899, 12, 30)
_FIXED = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEETS}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_SHEETS}.styles+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SHEETS}.worksheet+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_SHEETS}.sharedStrings+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1"'
        f' Type="{_RELATED}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{_RELATED}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{_RELATED}/styles" Target="styles.xml"/>'
        f'<Relationship Id="r3" Type="{_RELATED}/sharedStrings" Target="sharedStrings.xml"/>'
        "</Relationships>"
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATED}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="r1"/></sheets></workbook>'
    ),
    "xl/styles.xml": (
        f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font><sz val="11"/></font></fonts>'
        '<fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs>'
        "</styleSheet>"
    ),
}
DBF_NAME = "C{:02}"
"""Names of the fields by number: those of the contract are longer than DBF has them."""


def make(folder: Path, rows: int) -> None:
    """Write the cards in each kind, in files of at most 100,000 rows.

    Args:
        folder: gets a folder for each kind.
        rows: in all.
    """
    contract = catalogue.load().contract(DATASET)
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    for number, part in enumerate(_parts(contract, rows)):
        _xlsx(folder / "xlsx" / f"cards_{number:03}.xlsx", contract, part)
        texts = _texts(part)
        _dbf(folder / "dbf" / f"cards_{number:03}.dbf", texts)
        _xml(folder / "xml" / f"cards_{number:03}.xml", contract, texts)


def _parts(contract: Contract, rows: int) -> Iterator[pl.DataFrame]:
    left: list[pl.DataFrame] = []
    for frame in cards(rows, seed=1):
        left.append(frame.select(contract.names))
        while sum(map(len, left)) >= PER_FILE:
            whole = pl.concat(left)
            yield whole.head(PER_FILE)
            left = [whole.slice(PER_FILE)]
    if sum(map(len, left)):
        yield pl.concat(left)


def _texts(frame: pl.DataFrame) -> list[list[str | None]]:
    """Columns as texts."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    return [as_text(table.column(n).combine_chunks()).to_pylist() for n in table.column_names]


def _xlsx(file: Path, contract: Contract, frame: pl.DataFrame) -> None:
    """A workbook with its texts in one list, dates as numbers of days, whole numbers as such."""
    texts: dict[str, int] = {}
    columns = []
    for place, name in enumerate(frame.columns):
        letter, values = column_letters(place), frame.get_column(name)
        if values.dtype == pl.Date:
            days = values.to_physical() - (_FIRST_DAY - date(1970, 1, 1)).days
            cells = [None if d is None else f' s="1"><v>{d}</v></c>' for d in days]
        elif values.dtype.is_integer():
            cells = [None if n is None else f"><v>{n}</v></c>" for n in values]
        else:
            table = pa.table({"v": values.to_arrow(compat_level=pl.CompatLevel.oldest())})
            said = as_text(table.column("v").combine_chunks()).to_pylist()
            cells = [
                None if t is None else f' t="s"><v>{texts.setdefault(t, len(texts))}</v></c>'
                for t in said
            ]
        columns.append((letter, cells))
    natives = [f.native for f in contract.fields]
    head = "".join(
        f'<c r="{column_letters(n)}1" t="s"><v>{texts.setdefault(t, len(texts))}</v></c>'
        for n, t in enumerate(natives)
    )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in _FIXED.items():
            archive.writestr(part, text)
        with archive.open("xl/worksheets/sheet1.xml", "w") as stream:
            stream.write(f'<worksheet xmlns="{_MAIN}"><sheetData><row r="1">{head}</row>'.encode())
            for row in range(len(frame)):
                cells_ = "".join(f'<c r="{a}{row + 2}"{c[row]}' for a, c in columns if c[row])
                stream.write(f'<row r="{row + 2}">{cells_}</row>'.encode())
            stream.write(b"</sheetData></worksheet>")
        listed = "".join(f"<si><t>{escape(t)}</t></si>" for t in texts)
        counted = f'<sst xmlns="{_MAIN}" count="{len(texts)}" uniqueCount="{len(texts)}">'
        archive.writestr("xl/sharedStrings.xml", f"{counted}{listed}</sst>")


def _dbf(file: Path, columns: list[list[str | None]]) -> None:
    """A table of texts in GB 18030."""
    cells = [[(t or "").encode("gb18030") for t in column] for column in columns]
    widths = [max(1, *map(len, column)) for column in cells]
    begin = 32 * (len(widths) + 1) + 1
    head = bytes([3, 126, 11, 24]) + struct.pack("<LHH", len(cells[0]), begin, 1 + sum(widths))
    with file.open("wb") as stream:
        stream.write(head + bytes(17) + b"\x4d" + bytes(2))
        for number, width in enumerate(widths):
            name = DBF_NAME.format(number).encode().ljust(11, b"\0")
            stream.write((name + b"C" + bytes(4) + bytes([width, 0])).ljust(32, b"\0"))
        stream.write(b"\r")
        for row in zip(*cells, strict=True):
            stream.write(b" " + b"".join(map(bytes.ljust, row, widths)))
        stream.write(b"\x1a")


def _xml(file: Path, contract: Contract, columns: list[list[str | None]]) -> None:
    natives = [f.native for f in contract.fields]
    with file.open("w", encoding="utf-8") as stream:
        stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<rows>\n')
        for row in zip(*columns, strict=True):
            inner = "".join(
                f"<{n}>{escape(t)}</{n}>" for n, t in zip(natives, row, strict=True) if t
            )
            stream.write(f"<row>{inner}</row>\n")
        stream.write("</rows>\n")
