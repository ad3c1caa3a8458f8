"""Workbooks of plain texts (ECMA-376): what looks like a number or a formula stays the text it is.

A text is an inline string and its cell is formatted as text, so that neither opening nor editing
it makes 18 digits a number; one that begins as a formula is marked as quoted (OWASP, CSV
injection). No row stays in memory.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO
from xml.sax.saxutils import escape, quoteattr

from connectors.files.sheets import MOST_ROWS, column_letters
from connectors.files.xlsx_names import MAIN, RELATED

LONGEST = 32_767
"""Characters of a cell, as UTF-16 counts them (Excel's limits)."""
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
"""What XML cannot hold or changes, and what would be read as such (ECMA-376-1, 22.9.2.19)."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
TEXT, QUOTED, HEADER = 1, 2, 3
"""Styles of cells: as text; as text that looks like a formula; as a column's name."""
_PIECE = 1 << 20
"""Characters that are packed at once."""
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
SHEET_KIND = f"{_KINDS}.worksheet+xml"
_FIXED = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KINDS}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_KINDS}.styles+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{SHEET_KIND}"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{RELATED[0]}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{RELATED[0]}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2"'
        f' Type="{RELATED[0]}/styles" Target="styles.xml"/></Relationships>'
    ),
    "xl/styles.xml": (
        f'<styleSheet xmlns="{MAIN[0]}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/>'
        '</font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2">'
        '<fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/>'
        '</fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/>'
        '</border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0"'
        ' borderId="0"/></cellStyleXfs><cellXfs count="4">'
        '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1"'
        ' applyNumberFormat="1"/><xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0"'
        ' applyNumberFormat="1" applyFont="1"/></cellXfs><cellStyles count="1">'
        '<cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    ),
}
"""The parts beside the list of sheets and the sheet."""


def workbook(
    target: BinaryIO, name: str, header: Sequence[str], rows: Iterable[Sequence[str | None]]
) -> None:
    """Write a workbook of one sheet, its header row frozen.

    Args:
        target: gets the bytes.
        name: of the sheet.
        header: names of the columns.
        rows: texts in the order of the columns; None: no cell.

    Raises:
        ValueError: more rows than a sheet has.
    """
    listed = (
        f'<workbook xmlns="{MAIN[0]}" xmlns:r="{RELATED[0]}"><sheets>'
        f'<sheet name={quoteattr(name)} sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in {**_FIXED, "xl/workbook.xml": listed}.items():
            archive.writestr(part, _DECLARATION + text)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as stream:
            for piece in sheet(header, rows):
                stream.write(piece)


def sheet(
    header: Sequence[str],
    rows: Iterable[Sequence[str | None]],
    *,
    namespace: str = MAIN[0],
    styled: bool = True,
) -> Iterator[bytes]:
    """A sheet's part, piece by piece.

    Args:
        header: names of the columns.
        rows: texts in the order of the columns; None: no cell.
        namespace: of the workbook.
        styled: whether the workbook has the styles of `workbook`.

    Raises:
        ValueError: more rows than a sheet has.
    """
    letters = [column_letters(n) for n in range(len(header))]
    head = (
        f'{_DECLARATION}<worksheet xmlns="{namespace}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>'
        f'</sheetViews><cols><col min="1" max="{len(header)}" width="20" customWidth="1"/></cols>'
        "<sheetData>"
    )
    parts, held = [head, _row(1, letters, header, HEADER if styled else 0)], 0
    for number, row in enumerate(rows, start=2):
        if number > MOST_ROWS:
            msg = f"a sheet has {MOST_ROWS} rows at most"
            raise ValueError(msg)
        text = _row(number, letters, row, TEXT if styled else 0)
        parts.append(text)
        held += len(text)
        if held > _PIECE:
            yield "".join(parts).encode()
            parts, held = [], 0
    yield ("".join(parts) + "</sheetData></worksheet>").encode()


def writable(text: str) -> str:
    """A text as XML of a workbook can hold it: read back it is the same.

    Args:
        text: of any characters.
    """
    return escape(_UNWRITABLE.sub(_code, text) if _UNWRITABLE.search(text) else text)


def _code(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"


def _row(number: int, letters: Sequence[str], cells: Sequence[str | None], style: int) -> str:
    found = [f'<row r="{number}">']
    for letter, text in zip(letters, cells, strict=True):
        if text:
            own = QUOTED if style == TEXT and text.startswith(_FORMULA) else style
            styled = f' s="{own}"' if own else ""
            found.append(
                f'<c r="{letter}{number}"{styled} t="inlineStr"><is><t xml:space="preserve">'
                f"{writable(cut(text))}</t></is></c>"
            )
    found.append("</row>")
    return "".join(found)


def is_cut(text: str) -> bool:
    """Whether a cell does not hold all of a text."""
    return len(text) > LONGEST // 2 and cut(text) != text


def cut(text: str) -> str:
    """As much of a text as a cell holds."""
    if len(text) <= LONGEST // 2:
        return text
    return text.encode("utf-16-le")[: 2 * LONGEST].decode("utf-16-le", "ignore")
