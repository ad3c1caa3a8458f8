"""XLSX workbooks (ECMA-376): parts, texts and formats; what is no plain workbook is refused."""

from __future__ import annotations

import re
import zipfile
from array import array
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.common import xml_stream
from connectors.common.xml_stream import Handler, Refused
from connectors.files import unzip
from connectors.files.sheet_cells import PLAIN, CellFormat
from connectors.files.xlsx_formulas import outside_names
from connectors.files.xlsx_names import RELATED, names
from connectors.files.xlsx_styles import Styles
from onecard.errors import ProtocolError

PART_LIMIT = 64 * 1024**2
"""Bytes of a part that describes the workbook."""
TEXTS_LIMIT = 256 * 1024**2
"""Bytes of all texts of a workbook, which are held in memory."""
MOST_TEXTS = 1 << 25
"""Texts of a workbook; empty ones take room as well."""
LONGEST_TEXT = 1 << 16
"""Characters of one text; a cell of Excel holds half as many."""
LONG_TEXT = 1 << 10
"""Bytes from which on a text is one object, however many cells hold it."""
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
"""A control character as the format writes it (ECMA-376-1, 22.9.2.19)."""


def unescaped(text: str) -> str:
    """Text with the characters that XML cannot hold; halves of a pair stay as they are written.

    Args:
        text: as it stands in the part.
    """
    if "_x" not in text:
        return text
    return _ESCAPED.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return found[0] if 0xD800 <= code < 0xE000 else chr(code)


class SharedTexts:
    """The texts of a workbook, each once, as one run of bytes: a fifth of a list of strings.

    Attributes:
        ends: where each ends among the bytes.
    """

    def __init__(self) -> None:
        self._bytes, self.ends = bytearray(), array("Q")
        self._long: dict[int, str] = {}

    def add(self, text: str) -> None:
        """One more."""
        if len(text) > LONGEST_TEXT:
            msg = f"one of its texts is longer than {LONGEST_TEXT} characters"
            raise Refused(msg)
        self._bytes += text.encode("utf-8", "surrogatepass")
        self.ends.append(len(self._bytes))
        if len(self.ends) > MOST_TEXTS:
            msg = f"more than {MOST_TEXTS} texts: split the list"
            raise Refused(msg)
        if len(self._bytes) > TEXTS_LIMIT:
            msg = f"its texts are longer than {TEXTS_LIMIT} bytes: split the list"
            raise Refused(msg)

    def text(self, place: int) -> str | None:
        """The text of a number; None where there is none."""
        if not 0 <= place < len(self.ends):
            return None
        if place in self._long:
            return self._long[place]
        start = self.ends[place - 1] if place else 0
        found = bytes(self._bytes[start : self.ends[place]]).decode("utf-8", "surrogatepass")
        if self.ends[place] - start > LONG_TEXT:
            self._long[place] = found
        return found


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
        member = _member(self.archive, part, self.origin)
        return unzip.pieces(self.archive, member, self.origin, self.limit)

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
        styles, texts = Styles(), _Texts()
        if "styles" in kinds:  # without them a date, or a percentage, is a plain number
            _parsed(archive, kinds["styles"], origin, styles)
        if kinds.get("sharedStrings") in parts:
            _parsed(archive, kinds["sharedStrings"], origin, texts, limit)
        yield Workbook(
            archive,
            origin,
            limit,
            book_part,
            related,
            sheets,
            book.since_1904,
            outside_names(book.defined),
            texts.found,
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


def _parsed(
    archive: zipfile.ZipFile, part: str, origin: str, handler: Handler, limit: int = PART_LIMIT
) -> None:
    data = unzip.pieces(archive, _member(archive, part, origin), origin, limit)
    for _ in xml_stream.fed(handler, data, origin, list):
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


class _Texts(Handler):
    """Texts of cells: runs are joined, what tells how they are spoken is left out."""

    _KINDS = names("si", "t", "rPh")

    def __init__(self) -> None:
        super().__init__()
        self.found = SharedTexts()
        self._parts: list[str] = []
        self._taking = self._spoken = False

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 - expat's
        kind = self._KINDS.get(name)
        if kind == "si":
            self._parts = []
        elif kind == "rPh":
            self._spoken = True
        elif kind == "t":
            self._taking = not self._spoken

    def end(self, name: str) -> None:
        kind = self._KINDS.get(name)
        if kind == "si":
            self.found.add(unescaped("".join(self._parts)))
            self.text = 0
        elif kind == "rPh":
            self._spoken = False
        elif kind == "t":
            self._taking = False

    def characters(self, text: str) -> None:
        if self._taking:
            self._parts.append(text)
