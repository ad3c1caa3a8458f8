"""XLSX workbooks (ECMA-376): parts, texts and formats; what is no plain workbook is refused."""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.common import xml_stream
from connectors.common.xml_stream import Handler
from connectors.files import unzip
from connectors.files.sheet_cells import PLAIN, CellFormat
from connectors.files.xlsx_formulas import outside_names
from connectors.files.xlsx_names import RELATED, names
from connectors.files.xlsx_styles import Styles
from connectors.files.xlsx_texts import SharedTexts, listed_texts
from onecard.errors import ProtocolError

PART_LIMIT = 64 * 1024**2
"""Bytes of a part that describes the workbook."""


@dataclass(frozen=True, slots=True)
class ListedSheet:
    """A sheet as the workbook lists it.

    Attributes:
        part: name of its part.
    """

    name: str
    visible: bool
    part: str


@dataclass(frozen=True, slots=True)
class Workbook:
    """What all sheets of a workbook share.

    Attributes:
        archive: that it is.
        origin: name of the file, for messages.
        limit: bytes that one of its parts may unpack to.
        part: name of the part that lists its sheets.
        related: the parts that this one names: id → kind and name.
        sheets: in their order, without charts.
        since_1904: whether days are counted from 1904.
        outside: names that formulas may use and that lead to another workbook.
        texts: by number.
        formats: by number of a cell's style.
    """

    archive: zipfile.ZipFile
    origin: str
    limit: int
    part: str
    related: Mapping[str, tuple[str, str]]
    sheets: tuple[ListedSheet, ...]
    since_1904: bool
    outside: frozenset[str]
    texts: SharedTexts
    formats: tuple[CellFormat, ...]

    def pieces(self, part: str) -> Generator[bytes, None, None]:
        """The bytes of a part.

        Raises:
            ProtocolError: it is not there, or as `unzip.pieces`.
        """
        return _pieces(self.archive, part, self.origin, self.limit)

    def whole(self, part: str) -> bytes:
        """The bytes of a part that describes others; raises as `pieces`."""
        member = _member(self.archive, part, self.origin)
        return unzip.whole(self.archive, member, self.origin, PART_LIMIT)

    def format(self, style: str) -> CellFormat:
        """The format of a style; an unknown one is plain."""
        number = int(style) if style.isdecimal() and len(style) < 7 else -1
        return self.formats[number] if 0 <= number < len(self.formats) else PLAIN


@contextmanager
def opened(path: Path, origin: str, limit: int) -> Iterator[Workbook]:
    """The workbook.

    Args:
        path: of a local copy.
        origin: name of the file, for messages.
        limit: bytes that one of its parts may unpack to.

    Raises:
        ProtocolError: no workbook, not whole, with macros, or in the binary form.
    """
    with unzip.opened(path, origin) as archive:
        parts = set(archive.namelist())
        _check_kind(archive, parts, origin)
        main = related_parts(archive, "", origin)
        book_part = next((t for k, t in main.values() if k.endswith("/officeDocument")), "")
        if not book_part or book_part not in parts:
            msg = f"{origin}: no Excel workbook: its archive has no sheets"
            raise ProtocolError(msg)
        related = related_parts(archive, book_part, origin)
        book = _Book()
        _parsed(archive, book_part, origin, book)
        sheets = tuple(
            ListedSheet(name, visible, related[key][1])
            for name, visible, key in book.sheets
            if key in related and related[key][0].endswith("/worksheet")
        )
        kinds = {kind.rpartition("/")[2]: part for kind, part in related.values()}
        styles, texts = Styles(), SharedTexts()
        if "styles" in kinds:  # without them a date, or a percentage, is a plain number
            _parsed(archive, kinds["styles"], origin, styles)
        if kinds.get("sharedStrings") in parts:
            texts = listed_texts(_pieces(archive, kinds["sharedStrings"], origin, limit), origin)
        yield Workbook(
            archive,
            origin,
            limit,
            book_part,
            related,
            sheets,
            book.since_1904,
            outside_names(book.defined),
            texts,
            styles.formats(),
        )


def _check_kind(archive: zipfile.ZipFile, parts: set[str], origin: str) -> None:
    if "[Content_Types].xml" not in parts:
        msg = f"{origin}: no Excel workbook; it looks like a ZIP archive"
        raise ProtocolError(msg)
    types = unzip.whole(archive, archive.getinfo("[Content_Types].xml"), origin, PART_LIMIT)
    if b"macroEnabled" in types or any(p.endswith("vbaProject.bin") for p in parts):
        msg = f"{origin}: the workbook has macros: save it as XLSX, without them"
        raise ProtocolError(msg)
    if any(p.endswith("workbook.bin") for p in parts):
        msg = f"{origin}: a workbook in the binary form (.xlsb): save it as XLSX"
        raise ProtocolError(msg)


def _member(archive: zipfile.ZipFile, part: str, origin: str) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(part)
    except KeyError:
        msg = f"{origin}: the workbook lacks a part that it names"
        raise ProtocolError(msg) from None


def _pieces(
    archive: zipfile.ZipFile, part: str, origin: str, limit: int
) -> Generator[bytes, None, None]:
    return unzip.pieces(archive, _member(archive, part, origin), origin, limit)


def _parsed(archive: zipfile.ZipFile, part: str, origin: str, handler: Handler) -> None:
    for _ in xml_stream.fed(handler, _pieces(archive, part, origin, PART_LIMIT), origin, list):
        pass


def list_of(part: str) -> str:
    """Name of the part that lists the parts that one names."""
    folder, _, name = part.rpartition("/")
    return f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels"


def related_parts(archive: zipfile.ZipFile, part: str, origin: str) -> dict[str, tuple[str, str]]:
    """The parts that one names: id → kind and name.

    Args:
        archive: of the workbook.
        part: its name; empty: the workbook itself.
        origin: name of the file, for messages.

    Raises:
        ProtocolError: it has no such list, or one that is not well formed.
    """
    found = _Related(part.rpartition("/")[0])
    _parsed(archive, list_of(part), origin, found)
    return found.parts


class _Related(Handler):
    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder
        self.parts: dict[str, tuple[str, str]] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(xml_stream.SEPARATOR)[2] != "Relationship":
            return
        if attributes.get("TargetMode") == "External":
            return
        target, folder = attributes.get("Target", ""), self._folder
        if target.startswith("/"):
            place = target[1:]
        else:
            steps = folder.split("/") if folder else []
            for step in target.split("/"):
                if step == "..":
                    steps = steps[:-1]
                elif step != ".":
                    steps.append(step)
            place = "/".join(steps)
        self.parts[attributes.get("Id", "")] = (attributes.get("Type", ""), place)


class _Book(Handler):
    _KINDS = names("sheet", "workbookPr", "definedName")

    def __init__(self) -> None:
        super().__init__()
        self.sheets: list[tuple[str, bool, str]] = []
        self.since_1904 = False
        self.defined: list[tuple[str, str]] = []
        self._parts: list[str] | None = None
        self._name = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        kind = self._KINDS.get(name)
        if kind == "workbookPr":
            self.since_1904 = attributes.get("date1904") in ("1", "true")
        elif kind == "sheet":
            keys = (attributes.get(f"{uri}{xml_stream.SEPARATOR}id") for uri in RELATED)
            key = next((k for k in keys if k), "")
            visible = attributes.get("state", "visible") == "visible"
            self.sheets.append((attributes.get("name", ""), visible, key))
        elif kind == "definedName":
            self._name, self._parts = attributes.get("name", ""), []

    def end(self, name: str) -> None:
        if self._KINDS.get(name) == "definedName" and self._parts is not None:
            self.defined.append((self._name, "".join(self._parts)))
            self._parts = None  # their characters are counted: all of them as those of one row

    def characters(self, text: str) -> None:
        if self._parts is not None:
            self._parts.append(text)
