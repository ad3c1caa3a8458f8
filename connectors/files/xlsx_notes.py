"""A copy of an XLSX workbook with marks, comments and a list; of all else every byte is kept.

Cells are marked by a conditional format, so that none of them is touched: values, formulas with
their results, formats, charts and images stay as the office has them. A copy that is checked again
gets new marks in the place of the old ones, also where a spreadsheet has saved it in between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO
from xml.sax.saxutils import quoteattr

from connectors.common.xml_stream import Refused
from connectors.files import xlsx_book, xlsx_write
from connectors.files.sheets import NOTES, column_letters
from connectors.files.text_file import Text
from connectors.files.xlsx_book import ListedSheet, Workbook, list_of
from connectors.files.xlsx_comments import AUTHOR, comments, drawing
from connectors.files.xlsx_package import Package, own
from connectors.files.xml_outline import Data, Element, Outline, inside, outline
from onecard.errors import ProtocolError

MOST_RANGES = 20_000
"""Ranges of cells that are marked: more make a spreadsheet slow. All reasons stand in the list."""
MOST_COMMENTS = 5_000
"""Cells that get a comment."""
_RANGES_OF_ONE = 500
"""Ranges that one element names."""
_ALWAYS = b"20051051=20051051"
"""A condition that always holds, and by which the marks of an earlier copy are known again."""
_FILL = (
    b'<dxf><fill><patternFill patternType="solid"><fgColor rgb="FFFFC7CE"/>'
    b'<bgColor rgb="FFFFC7CE"/></patternFill></fill></dxf>'
)
_BEHIND_COMMENTS = (
    *("legacyDrawingHF", "drawingHF", "picture", "oleObjects", "controls", "AlternateContent"),
    *("webPublishItems", "tableParts", "extLst"),
)
"""Elements of a sheet that stand behind the drawing of its comments (ECMA-376-1, 18.3.1.99)."""
_BEHIND_MARKS = (
    *("dataValidations", "hyperlinks", "printOptions", "pageMargins", "pageSetup", "headerFooter"),
    *("rowBreaks", "colBreaks", "customProperties", "cellWatches", "ignoredErrors", "smartTags"),
    *("drawing", "legacyDrawing", *_BEHIND_COMMENTS),
)
"""The same of its conditional formats."""
_BEHIND_DIFFERENCES = ("tableStyles", "colors", "extLst")
"""The same, in a workbook's styles, of what conditions change (18.8.39)."""
_KINDS = "application/vnd.openxmlformats-officedocument"
_LEGACY = re.compile(rb"legacyDrawing[\s/>]")
_DIFFERENCE = re.compile(rb"<(?:[^\s<>/:]+:)?dxf[\s/>]")
_PRIORITY = re.compile(rb"\spriority\s*=\s*[\"'](\d{1,9})[\"']")
_NUMBER = re.compile(rb"sheetId\s*=\s*[\"'](\d{1,9})[\"']")
_WRITER = re.compile(rb"<(?:[^\s<>/:]+:)?author>([^<]*)</")


class CannotAnnotate(Exception):
    """The workbook is read, and yet nothing can be put into it; nothing was written."""


CellPlace = tuple[int, int]
"""Row, from 1 as the spreadsheet shows it, and column, from 0."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is put into a copy.

    Attributes:
        cells: the cells that are marked, each with its comment.
        header: names of the list's columns.
        lines: of the list.
    """

    cells: Mapping[CellPlace, str]
    header: Sequence[str]
    lines: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Copied:
    """What could not be put into the copy.

    Attributes:
        unmarked: cells without a mark, as there are too many.
        uncommented: cells without a comment, as there are too many, or the sheet has its own.
    """

    unmarked: int
    uncommented: int

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence for each."""
        counts = (
            (self.unmarked, "cell(s) not marked, as there are too many: see the list"),
            (self.uncommented, "cell(s) without a comment, which are too many or not the first"),
        )
        return tuple(f"{count} {what}" for count, what in counts if count)


def copy(file: Text, sheet: str, notes: Notes, target: BinaryIO) -> Copied:
    """Write the workbook with the notes.

    Args:
        file: a local copy of the workbook.
        sheet: name of the sheet whose cells are marked.
        notes: what is put in.
        target: gets the bytes.

    Raises:
        ProtocolError: no workbook that is read, or no sheet of that name.
        CannotAnnotate: its parts are of a form that is read, but not changed.
    """
    with xlsx_book.opened(file.path, file.origin, file.limit) as book:
        found = next((s for s in book.sheets if s.name == sheet != NOTES), None)
        if found is None:
            msg = f"{file.origin}: no sheet in it can be marked"
            raise ProtocolError(msg)
        try:
            return _written(book, found, notes, target)
        except Refused as error:
            raise CannotAnnotate(str(error)) from None


def _written(book: Workbook, sheet: ListedSheet, notes: Notes, target: BinaryIO) -> Copied:
    ranges = _ranges(notes.cells)
    root = outline(book.whole(book.part)).root
    package = Package(book, root.uri)
    with package.unpacked(sheet.part) as data:
        shape = outline(data)
        marks = _Marks(sheet.part, data, shape)
        marks.put(package, [r for r, _ in ranges[:MOST_RANGES]], _styled(book, package))
        uncommented = _comment(_Commented(book, sheet.part, data, shape), package, notes.cells)
        _list(book, package, notes)
        package.pack(target, {sheet.part: data})
    return Copied(sum(cells for _, cells in ranges[MOST_RANGES:]), uncommented)


def _styled(book: Workbook, package: Package) -> int:
    """Number of the format of marks, which is added."""
    kinds = {kind.rpartition("/")[2]: part for kind, part in book.related.values()}
    part = kinds.get("styles")
    if part is None:
        msg = "it has no formats"
        raise Refused(msg)
    data = package.content(part)
    shape = outline(data)
    found = shape.first("dxfs")
    if found is None:
        place = shape.before(_BEHIND_DIFFERENCES)
        new = own(shape, b'<dxfs count="1">' + _FILL + b"</dxfs>", b"dxfs")
        package.change(part, (place, place, new))
        return 0
    package.change(part, inside(data, found, own(shape, _FILL, b"dxf"), count="count"))
    return len(_DIFFERENCE.findall(data[found.begin : found.end]))


@dataclass(frozen=True, slots=True)
class _Marks:
    """The conditional formats of a sheet."""

    part: str
    data: Data
    shape: Outline

    def put(self, package: Package, ranges: Sequence[str], style: int) -> None:
        """Marks in the place of an earlier copy's."""
        last = 0
        for child in self.shape.children:
            if child.name == "conditionalFormatting":
                raw = self.data[child.begin : child.end]
                last = max([last, *(int(n) for n in _PRIORITY.findall(raw))])
                if _ALWAYS in raw:
                    package.change(self.part, (child.begin, child.end, b""))
        new = b"".join(
            b'<conditionalFormatting sqref="%s"><cfRule type="expression" dxfId="%d" priority="%d">'
            b"<formula>%s</formula></cfRule></conditionalFormatting>"
            % (
                " ".join(ranges[start : start + _RANGES_OF_ONE]).encode(),
                style,
                last + number,
                _ALWAYS,
            )
            for number, start in enumerate(range(0, len(ranges), _RANGES_OF_ONE), start=1)
        )
        place = self.shape.before(_BEHIND_MARKS)
        package.change(self.part, (place, place, own(self.shape, new, b"conditionalFormatting")))


@dataclass(frozen=True, slots=True)
class _Commented:
    """The comments of a sheet."""

    book: Workbook
    part: str
    data: Data
    shape: Outline

    def parts(self, package: Package, old: Element) -> tuple[str, str] | None:
        """Texts and drawing of an earlier copy's comments; None: they are somebody else's."""
        if list_of(self.part) not in package.names:
            return None
        named = xlsx_book.related_parts(self.book.archive, self.part, self.book.origin)
        kinds = {kind.rpartition("/")[2]: part for kind, part in named.values()}
        key = next((v for k, v in old.attributes.items() if k.rpartition("}")[2] == "id"), "")
        drawn, texts = named.get(key, ("", ""))[1], kinds.get("comments", "")
        if not {texts, drawn} <= package.names:
            return None
        ours = _WRITER.findall(package.content(texts)) == [AUTHOR.encode()]
        return (texts, drawn) if ours else None

    @property
    def within(self) -> bool:
        """Whether a drawing stands within something else, where it is not looked for."""
        rows = self.shape.first("sheetData")
        return _LEGACY.search(self.data, rows.end if rows else 0) is not None


def _comment(sheet: _Commented, package: Package, notes: Mapping[CellPlace, str]) -> int:
    """Put comments into a sheet, unless it has others; gives how many cells have none."""
    cells = dict(sorted(notes.items())[:MOST_COMMENTS])
    text, drawn = comments(cells, package.namespace), drawing(cells)
    old = sheet.shape.first("legacyDrawing")
    if old is None and not sheet.within:
        parts = f"{package.folder}/comments.xml", f"{package.folder}/notes.vml"
        package.relate(list_of(sheet.part), "comments", parts[0])
        key = package.relate(list_of(sheet.part), "vmlDrawing", parts[1])
        package.declare(parts[0], f"{_KINDS}.spreadsheetml.comments+xml")
        package.declare_ending("vml", f"{_KINDS}.vmlDrawing")
        place = sheet.shape.before(_BEHIND_COMMENTS)
        new = f'<legacyDrawing xmlns:r="{package.related}" r:id="{key}"/>'.encode()
        package.change(sheet.part, (place, place, own(sheet.shape, new, b"legacyDrawing")))
    else:
        found = sheet.parts(package, old) if old else None
        if found is None:
            return len(notes)
        parts = found
    package.put(parts[0], text)
    package.put(parts[1], drawn)
    return len(notes) - len(cells)


def _list(book: Workbook, package: Package, notes: Notes) -> None:
    """Put the list in, in the place of an earlier copy's."""
    pieces = xlsx_write.sheet(notes.header, notes.lines, namespace=package.namespace, styled=False)
    old = next((s for s in book.sheets if s.name == NOTES), None)
    if old is not None:
        package.put(old.part, b"".join(pieces))
        return
    part = f"{package.folder}/list.xml"
    package.put(part, b"".join(pieces))
    package.declare(part, xlsx_write.SHEET_KIND)
    data = package.content(book.part)
    shape = outline(data)
    sheets = shape.first("sheets")
    if sheets is None:
        msg = "it lists no sheets"
        raise Refused(msg)
    number = max(map(int, _NUMBER.findall(data[sheets.begin : sheets.end])), default=0) + 1
    key = package.relate(list_of(book.part), "worksheet", part)
    new = (
        f'<sheet xmlns:r="{package.related}" name={quoteattr(NOTES)} sheetId="{number}"'
        f' r:id="{key}"/>'
    )
    package.change(book.part, inside(data, sheets, own(shape, new.encode(), b"sheet")))


def _ranges(cells: Mapping[CellPlace, str]) -> list[tuple[str, int]]:
    """Cells below one another as one range, each with how many it has; the upper ones first."""
    found: list[tuple[int, int, int]] = []
    for column, row in sorted((column, row) for row, column in cells):
        if found and found[-1][2] == column and found[-1][1] == row - 1:
            found[-1] = (found[-1][0], row, column)
        else:
            found.append((row, row, column))
    return [(_range(*place), place[1] - place[0] + 1) for place in sorted(found)]


def _range(first: int, last: int, column: int) -> str:
    letters = column_letters(column)
    return f"{letters}{first}" if first == last else f"{letters}{first}:{letters}{last}"
