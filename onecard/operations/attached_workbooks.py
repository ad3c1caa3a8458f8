"""XLSX without anything that acts (ECMA-376): no macro, embedded object, connection, outer link.

Which parts a workbook may have is an allow-list; whatever else a later program invents is refused
until somebody has looked at it. Links that a person clicks may lead to a page or a mailbox.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator

from connectors.common.xml_stream import Refused
from connectors.files import unzip
from connectors.files.xml_outline import Element, outline
from onecard.errors import ProtocolError
from onecard.model.attachments import UnfitFile
from onecard.operations import attached_formulas, attached_images

MOST_UNPACKED = 64 * 1024**2
"""Bytes that all parts of a workbook may unpack to."""
MOST_PARTS = 2_000
MOST_LISTED = 4 * 1024**2
"""Bytes of a part that lists others."""
_TYPES = "[content_types].xml"
_MAIN = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
_PARTS = re.compile(
    r"\[content_types\]\.xml|_rels/\.rels|docprops/[\w.\-]+|customxml/(?:_rels/)?[\w.\-]+|"
    r"xl/(?:_rels/)?(?:workbook|styles|sharedstrings|calcchain|metadata)\.xml(?:\.rels)?|"
    r"xl/(?:worksheets|chartsheets|theme|tables|drawings|charts|comments|persons|threadedcomments"
    r"|pivottables|pivotcache|richdata|slicers|slicercaches)/(?:_rels/)?[\w.\-]+\.(?:xml|rels|vml)|"
    r"xl/comments\d*\.xml|xl/printersettings/[\w\-]+\.bin|xl/media/[\w\-]+\.(?:png|jpe?g)"
)
"""Parts by their names in small letters, as programs compare them."""
_IN_UTF8 = re.compile(
    rb"(?>(?:\xef\xbb\xbf)?\s*)(?!<\?xml[^>]*encoding\s*=\s*[\"'](?!utf-8[\"']|us-ascii[\"']))",
    re.IGNORECASE,
)
"""The encoding of all parts (ECMA-376-2, 6.2.5), so that bytes can be looked for."""
_LINKS = ("http://", "https://", "mailto:", "#")


def check(data: bytes) -> None:
    """Look through a workbook.

    Args:
        data: all of it; it begins as an archive.

    Raises:
        UnfitFile: it is no workbook, not whole, encrypted, acts, or unpacks to too much.
    """
    with _archive(data) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        _check_names([m.filename.lower() for m in members])
        left = MOST_UNPACKED
        for member in sorted(members, key=lambda m: m.filename.lower() != _TYPES):
            part = b"".join(_pieces(archive, member, left))
            left -= len(part)
            _check_part(member.filename.lower(), part)


def _archive(data: bytes) -> zipfile.ZipFile:
    """The archive, which is all of the file: nothing before, behind or beside it."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except unzip.BROKEN:
        raise _damaged() from None
    members = archive.infolist()
    begins = min((m.header_offset for m in members), default=0)
    if archive.comment or begins or data.rfind(b"PK\x05\x06") != len(data) - 22:
        msg = "something stands before or behind the workbook"
        raise UnfitFile(msg, "mixed")
    if len(members) > MOST_PARTS:
        msg = f"the workbook has more than {MOST_PARTS} parts"
        raise UnfitFile(msg, "unpacks")
    return archive


def _check_names(names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise _damaged()
    if _TYPES not in names or "xl/workbook.xml" not in names:
        msg = "the archive is no workbook"
        raise UnfitFile(msg, "kind")
    if not all(_PARTS.fullmatch(name) for name in names):
        raise _acting()


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> Iterator[bytes]:
    if member.flag_bits & 0x1:
        msg = "the workbook is encrypted"
        raise UnfitFile(msg, "sealed")
    taken = 0
    try:
        for piece in unzip.pieces(archive, member, "the workbook", left + unzip.PIECE):
            taken += len(piece)
            if taken > left:
                msg = "the workbook unpacks to too much"
                raise UnfitFile(msg, "unpacks")
            yield piece
    except ProtocolError:
        raise _damaged() from None


def _check_part(name: str, part: bytes) -> None:
    if name.endswith(".png"):
        attached_images.check_png(part)
    elif name.endswith((".jpg", ".jpeg")):
        attached_images.check_jpeg(part)
    elif name.endswith(".bin"):  # what the printer was told: read by the printer's driver alone
        return
    elif b"<!DOCTYPE" in part or b"<!ENTITY" in part:
        raise _acting()
    elif b"\0" in part or not _IN_UTF8.match(part):
        raise _damaged()
    elif name == _TYPES:
        _check_types(part)
    elif name.endswith(".rels"):
        _check_links(part)
    elif name.startswith("xl/"):
        _check_formulas(part)


def _check_formulas(part: bytes) -> None:
    try:
        asking = attached_formulas.asks(part)
    except ProtocolError:
        raise _damaged() from None
    if asking:
        raise _acting()


def _check_types(part: bytes) -> None:
    """The workbook's own type is that without macros."""
    told = [e.attributes for e in _elements(part)]
    types = {a.get("ContentType", "").strip() for a in told}
    if _MAIN not in types:
        msg = "the archive is no workbook without macros"
        raise UnfitFile(msg, "active" if any("macro" in t.lower() for t in types) else "kind")
    if any("macro" in t.lower() or "vba" in t.lower() for t in types):
        raise _acting()


def _check_links(part: bytes) -> None:
    for element in _elements(part):
        told = element.attributes
        outside = told.get("TargetMode", "").strip().lower() == "external"
        kind, target = told.get("Type", ""), told.get("Target", "").strip().lower()
        if outside and not (kind.endswith("/hyperlink") and target.startswith(_LINKS)):
            raise _acting()


def _elements(part: bytes) -> tuple[Element, ...]:
    if len(part) > MOST_LISTED:
        msg = "a part of the workbook is too large"
        raise UnfitFile(msg, "unpacks")
    try:
        return outline(part).children
    except Refused:
        raise _damaged() from None


def _acting() -> UnfitFile:
    return UnfitFile("the workbook holds a macro, an embedded object or an outer link", "active")


def _damaged() -> UnfitFile:
    return UnfitFile("the workbook is not whole", "damaged")
