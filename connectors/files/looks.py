"""What a file looks like that is not what its contract says: words for a message, never a value."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Collection
from pathlib import Path

from connectors.files import gb18030
from onecard.base import shown

HEAD = 1 << 16
"""Bytes of a file's beginning that are looked at."""
_BEGINNINGS = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls): declare `format: {kind: excel}`"),
    (b"\x1f\x8b", "a gzip archive: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
    (b"PAR1", "Parquet"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3\0", "an SQLite database"),
    (codecs.BOM_UTF32_LE, "UTF-32: save it as UTF-8"),
    (codecs.BOM_UTF16_LE, "UTF-16: save it as UTF-8"),
    (codecs.BOM_UTF16_BE, "UTF-16: save it as UTF-8"),
)
MARKUP = "HTML or XML"
_MARKUP = (b"<html", b"<!doctype", b"<table", b"<?xml", b"<meta", b"<head", b"<body")
DELIMITERS = {
    ",": "commas",
    ";": "semicolons",
    "\t": "tabs",
    "|": "vertical bars",
    "，": "full-width commas",
    "；": "full-width semicolons",
    "、": "enumeration commas",
    "^": "carets",
}
"""What offices separate cells by; the names end sentences."""


def head(path: Path) -> bytes:
    """A file's beginning."""
    with path.open("rb") as stream:
        return stream.read(HEAD)


def foreign(data: bytes) -> str:
    """The kind of file that its beginning tells; empty where that could be text.

    Args:
        data: the file's first bytes.
    """
    if data.startswith(b"PK\x03\x04"):
        workbook = b"xl/" in data or b"[Content_Types].xml" in data
        if workbook:
            return "an Excel workbook (.xlsx): declare `format: {kind: excel}`"
        return "a ZIP archive: declare `format: {kind: zip, of: …}`"
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if data.count(b"\0") * 4 > len(data) > 0:
        return "UTF-16: save it as UTF-8"
    text = data.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if text.startswith(_MARKUP):
        return MARKUP
    return ""


def encoding(data: bytes) -> str:
    """The encoding, among those that are read, that whole lines of a file are in; empty: none.

    Args:
        data: the file's first bytes.
    """
    whole = data[: data.rfind(b"\n") + 1] or data
    for name, codec in (("utf-8", "utf-8"), ("gb18030", gb18030.NAME)):
        try:
            whole.decode(codec)
        except UnicodeDecodeError:
            continue
        return name
    return ""


def unlike_csv(data: bytes) -> str:
    """What a beginning that is no header row looks like, as the end of a message; or nothing.

    Args:
        data: the file's first bytes.
    """
    kind = foreign(data)
    if not kind and data.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"["):
        kind = "JSON"
    if not kind and b"\r" in data and b"\n" not in data:
        kind = "lines that end in CR alone: save it with LF or CR LF"
    return _looks(kind)


def other_encoding(data: bytes, declared: str) -> str:
    """The same for bytes that are not in the declared encoding."""
    kind = foreign(data)
    if kind:
        return _looks(kind)
    found = encoding(data)
    return _looks(found if found != declared else "")


def other_delimiter(line: str, declared: str, known: Collection[str]) -> str:
    """The same for a header row that is separated by something else; known: the contract's names.

    Args:
        line: the header row.
        declared: the contract's delimiter.
        known: names that the contract has for columns.
    """
    for mark, name in DELIMITERS.items():
        if mark == declared or mark not in line:
            continue
        cells = next(csv.reader([line], delimiter=mark), [])
        if shown.is_header(cells, known):
            instead = DELIMITERS.get(declared, f"{declared!r}")
            return f"; it looks separated by {name} instead of {instead}"
    return ""


def _looks(kind: str) -> str:
    return f"; it looks like {kind}" if kind else ""
