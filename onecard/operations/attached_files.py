"""Whether a file may stand in a ticket: what it is by its bytes, and that nothing in it acts.

The sender's name of it says nothing and is not looked at. A file is one thing from its first byte
to its last: what is two kinds at once is neither. This is no scan for malware; it takes away what
malware of office files lives on: macros, scripts, launched programs, embedded files, links that are
followed by themselves.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
import zipfile

from connectors.files import gb18030, looks
from onecard.model.attachments import AttachedKind, UnfitFile
from onecard.operations import attached_images, attached_pdf, attached_workbooks

_PDF, _ZIP = b"%PDF-", b"PK\x03\x04"
_OTHER = re.compile(
    rb"\s*(?:<[!?a-z]|\{\\rtf|#!|%!ps|mime-version:|from:|received:|@echo|begin:v)", re.IGNORECASE
)
"""How texts begin that some program would open as more than text."""
_ACTS = re.compile(r"[\s\"']*[=@＝＠]")
_SIGN = re.compile(r"[\s\"']*[+\-＋－]")
_FIGURE = frozenset("0123456789.,%０１２３４５６７８９．，％")
"""Of what a cell may be made behind its sign, so that it is a number."""


def judged(data: bytes) -> AttachedKind:
    """The kind of a file that is fit.

    Args:
        data: all of it.

    Raises:
        UnfitFile: it is not; the message quotes nothing of it.
    """
    try:
        return _judged(data)
    except UnfitFile:
        raise
    except Exception:  # noqa: BLE001 - whatever a hostile file makes of a library: it is not taken
        msg = "the file cannot be looked through"
        raise UnfitFile(msg, "damaged") from None


def _judged(data: bytes) -> AttachedKind:
    if data.startswith(_PDF):
        _alone(data)
        attached_pdf.check(data)
        return "pdf"
    if data.startswith(attached_images.PNG):
        _alone(data)
        attached_images.check_png(data)
        return "png"
    if data.startswith(attached_images.JPEG):
        _alone(data)
        attached_images.check_jpeg(data)
        return "jpg"
    if data.startswith(_ZIP):
        attached_workbooks.check(data)
        return "xlsx"
    return _text(data)


def _alone(data: bytes) -> None:
    """Archives are read from their end, so that one can stand behind anything."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        msg = "the file is an archive as well"
        raise UnfitFile(msg, "mixed")


def _text(data: bytes) -> AttachedKind:
    """Text that people read: UTF-8 or GB 18030, without control characters."""
    if looks.foreign(data[: looks.HEAD]) or _OTHER.match(data.removeprefix(codecs.BOM_UTF8)):
        msg = "the file is none of the kinds that are taken"
        raise UnfitFile(msg, "kind")
    text = _decoded(data)
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\r\n\t" for c in text):
        msg = "the file is no text: control characters stand in it"
        raise UnfitFile(msg, "kind")
    rows = _table(text)
    if not rows:
        return "txt"
    if any(_acts(cell) for row in rows for cell in row):
        msg = "a cell of the file is a formula"
        raise UnfitFile(msg, "active")
    return "csv"


def _acts(cell: str) -> bool:
    """Whether a spreadsheet would reckon it: `=…`, `@…`, and `+…` or `-…` that is no number.

    Each character is looked at once, whatever the cell holds.
    """
    if _ACTS.match(cell):
        return True
    sign = _SIGN.match(cell)
    if sign is None:
        return False
    rest = "".join(cell[sign.end() :].split())
    return not _FIGURE.issuperset(rest) or not any(c.isdecimal() for c in rest)


def _decoded(data: bytes) -> str:
    for codec in ("utf-8-sig", gb18030.NAME):
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    msg = "the file is no text in UTF-8 or GB 18030"
    raise UnfitFile(msg, "kind")


def _table(text: str) -> list[list[str]]:
    """The rows of a text that is a table: two rows or more, each of the same two cells or more."""
    for delimiter in (",", "\t", ";"):
        if delimiter not in text.partition("\n")[0]:
            continue
        try:
            rows = [r for r in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if r]
        except csv.Error:
            continue
        if len(rows) > 1 and len(rows[0]) > 1 and {len(r) for r in rows} == {len(rows[0])}:
            return rows
    return []
