"""PDF without anything that acts (ISO 32000-2): no script, launched program, embedded file, form.

There is no reader of PDF here that could be deceived: names of what acts are looked for in all
bytes of the file, with their escapes undone, and in all object streams, the one place where objects
stand packed. An object stream that cannot be unpacked here is refused.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from onecard.model.attachments import UnfitFile

MOST_UNPACKED = 64 * 1024**2
"""Bytes that all object streams of a file may unpack to."""
_NAME_ENDS = rb"(?![A-Za-z0-9])"
_ACTING = re.compile(
    rb"/(?:JavaScript|Launch|EmbeddedFiles?|RichMedia|XFA|GoToE|GoToR|ImportData|SubmitForm"
    rb"|Rendition|FileAttachment)" + _NAME_ENDS
)
"""Names of actions and parts that run, open or send something (12.6.4, 7.11.4)."""
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"(?<!end)stream[ \t]*(?:\r\n|\n|\r)?")
_FLATE = re.compile(rb"/Filter\s*(?:/FlateDecode|\[\s*/FlateDecode\s*\])" + _NAME_ENDS)
_REFERRED = re.compile(rb"/First\s+\d+\s+\d+\s+R" + _NAME_ENDS)
_OBJECTS = re.compile(rb"/(?:ObjStm|First)" + _NAME_ENDS)
"""What an object stream's dictionary has (7.5.7); outlines have a `/First`, too: a reference."""


def check(data: bytes) -> None:
    """Look through a PDF.

    Args:
        data: all of it; it begins as one.

    Raises:
        UnfitFile: it is encrypted, not whole, acts, or unpacks to too much.
    """
    if not data.rstrip(b"\0\r\n\t ").endswith(b"%%EOF"):
        if b"%%EOF" in data:
            msg = "something stands behind the end of the document"
            raise UnfitFile(msg, "mixed")
        raise _damaged()
    names = _unescaped(data)
    if re.search(rb"/Encrypt" + _NAME_ENDS, names):
        msg = "the document is encrypted"
        raise UnfitFile(msg, "sealed")
    _check_names(names)
    for part in _object_streams(data):
        _check_names(_unescaped(part))


def _unescaped(data: bytes) -> bytes:
    """`/J#61vaScript` is `/JavaScript` (7.3.5)."""
    return _ESCAPED.sub(lambda m: bytes([int(m[1], 16)]), data)


def _check_names(data: bytes) -> None:
    if _ACTING.search(data):
        msg = "the document holds a script, an action, a form or an embedded file"
        raise UnfitFile(msg, "active")


def _object_streams(data: bytes) -> Iterator[bytes]:
    """What object streams hold, unpacked; those that stand in the clear were looked at already."""
    left, before = MOST_UNPACKED, 0
    for found in _STREAM.finditer(data):
        about = _unescaped(data[before : found.start()])
        before = found.end()
        certain = _OBJECTS.search(_REFERRED.sub(b"", about)) is not None
        if not certain and b"/First" not in about:
            continue
        if b"/Filter" not in about and b"/FFilter" not in about:
            continue
        plain = len(_FLATE.findall(about)) == about.count(b"/Filter")
        if plain and b"/DecodeParms" not in about and b"/FFilter" not in about:
            unpacked = _inflated(data[found.end() : data.find(b"endstream", found.end())], left)
            left -= len(unpacked)
            yield unpacked
        elif certain:
            msg = "a part of the document is packed in a way that is not looked through"
            raise UnfitFile(msg, "damaged")


def _inflated(data: bytes, most: int) -> bytes:
    found = zlib.decompressobj()
    try:
        unpacked = found.decompress(data, most + 1)
    except zlib.error:
        raise _damaged() from None
    if len(unpacked) > most:
        msg = "the document unpacks to too much"
        raise UnfitFile(msg, "unpacks")
    if not found.eof:
        raise _damaged()
    return unpacked


def _damaged() -> UnfitFile:
    return UnfitFile("the document is not whole", "damaged")
