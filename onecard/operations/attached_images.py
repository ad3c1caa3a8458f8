"""PNG and JPEG from the first byte to the last: well formed, of a bearable size, nothing behind."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from onecard.model.attachments import UnfitFile

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 30_000
MOST_TEXT = 1 << 20
"""Bytes that a packed chunk beside the picture may unpack to."""
_PACKED_AFTER = {b"iCCP": 2, b"zTXt": 2}
"""Chunks of a name, a zero byte, a method byte, and packed bytes: how far behind the name."""
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
"""Markers of JPEG frames (ITU-T T.81, table B.1): they tell the size."""
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length."""


def check_png(data: bytes) -> None:
    """Look through a PNG (ISO/IEC 15948).

    Raises:
        UnfitFile: not whole, too large, or with something behind its end.
    """
    if not data.startswith(PNG):
        raise _damaged()
    names: list[bytes] = []
    for name, body in _chunks(data):
        if not names and name != b"IHDR":
            raise _damaged()
        if name == b"IHDR":
            if len(body) != 13 or names:
                raise _damaged()
            _check_size(*struct.unpack(">II", body[:8]))
        if name in _PACKED_AFTER:
            _check_packed(body[body.find(b"\0") + _PACKED_AFTER[name] :])
        if name == b"iTXt":
            _check_international(body)
        names.append(name)
    if not names or b"IDAT" not in names or names[-1] != b"IEND":
        raise _damaged()


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(PNG)
    while place < len(data):
        if len(data) - place < 12:
            raise _damaged()
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 12 + length
        if end > len(data):
            raise _damaged()
        name, body = data[place + 4 : place + 8], data[place + 8 : end - 4]
        if struct.unpack_from(">I", data, end - 4)[0] != zlib.crc32(data[place + 4 : end - 4]):
            raise _damaged()
        yield name, body
        place = end
        if name == b"IEND":
            _check_end(data[place:])
            return


def _check_international(body: bytes) -> None:
    """Text that may be packed: keyword, 0, flag, method, language, 0, translation, 0, text."""
    _, _, rest = body.partition(b"\0")
    if rest[:1] == b"\1":
        _check_packed(rest[2:].partition(b"\0")[2].partition(b"\0")[2])


def _check_packed(body: bytes) -> None:
    found = zlib.decompressobj()
    try:
        found.decompress(body, MOST_TEXT)
    except zlib.error:
        raise _damaged() from None
    if found.unconsumed_tail:
        msg = "a part of the picture unpacks to too much"
        raise UnfitFile(msg, "unpacks")


def check_jpeg(data: bytes) -> None:
    """Look through a JPEG (ITU-T T.81).

    Raises:
        UnfitFile: not whole, too large, or with something behind its end.
    """
    if not data.startswith(JPEG):
        raise _damaged()
    place, sized = 2, False
    while True:
        place = _marker(data, place) + 1
        marker = data[place - 1]
        if marker == 0xD9:
            break
        if marker in _BARE:
            continue
        length = _segment(data, place)
        if marker in _FRAMES:
            _check_frame(data[place : place + length])
            sized = True
        place += length
        if marker == 0xDA:
            place = _scan_end(data, place)
    if not sized:
        raise _damaged()
    _check_end(data[place:])


def _segment(data: bytes, place: int) -> int:
    """How long a segment is that begins here, with the bytes that say so."""
    if place + 2 > len(data):
        raise _damaged()
    (length,) = struct.unpack_from(">H", data, place)
    if length < 2 or place + length > len(data):
        raise _damaged()
    return int(length)


def _check_frame(segment: bytes) -> None:
    if len(segment) < 8:
        raise _damaged()
    height, width = struct.unpack_from(">HH", segment, 3)
    _check_size(width, height)


def _marker(data: bytes, place: int) -> int:
    """Where the byte of the next marker stands; any number of FF may stand before it."""
    if data[place : place + 1] != b"\xff":
        raise _damaged()
    while data[place : place + 1] == b"\xff":
        place += 1
    if place >= len(data):
        raise _damaged()
    return place


def _scan_end(data: bytes, place: int) -> int:
    """Where the packed picture ends: at a marker that is neither a stuffed byte nor a restart."""
    while True:
        place = data.find(b"\xff", place)
        if place < 0 or place + 1 >= len(data):
            raise _damaged()
        if data[place + 1] != 0 and data[place + 1] not in _BARE:
            return place
        place += 2


def _check_size(width: int, height: int) -> None:
    if not width or not height:
        raise _damaged()
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        msg = f"the picture has {width} by {height} pixels; at most {MOST_PIXELS} in all"
        raise UnfitFile(msg, "unpacks")


def _check_end(rest: bytes) -> None:
    if rest.strip(b"\0"):
        msg = "something stands behind the end of the picture"
        raise UnfitFile(msg, "mixed")


def _damaged() -> UnfitFile:
    return UnfitFile("the picture is not whole", "damaged")
