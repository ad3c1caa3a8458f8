"""ZIP archives, workbooks among them, read member by member with every byte counted (F33).

What an archive says of its sizes is not believed. Names of members are never paths of this machine.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.files import gb18030, looks
from onecard.errors import ProtocolError

PIECE = 1 << 20
"""Bytes that are unpacked at once."""
DIRECTORY_LIMIT = 16 * 1024**2
"""Bytes of an archive's directory, which is held in memory: some 100,000 members."""
_END = b"PK\x05\x06"
_END_SIZE = 22
_LOCATOR, _LOCATOR_SIZE, _END64_SIZE = b"PK\x06\x07", 20, 56
"""What stands before the end of a large archive (ZIP64), and tells the sizes in its place."""
_LONGEST_COMMENT = 0xFFFF
_SECRET = 0x1
"""The flag of a member that is encrypted (APPNOTE 4.4.4)."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What the library says of an archive that is none, or not whole."""


@contextmanager
def opened(path: Path, origin: str) -> Iterator[zipfile.ZipFile]:
    """The archive's directory, each name in it once.

    Args:
        path: of a local copy.
        origin: name of the file, for messages.

    Raises:
        ProtocolError: no archive, one that is not whole, or one of too many or repeated names.
    """
    head = looks.head(path)
    _check_directory(path, origin, head)
    try:
        archive = zipfile.ZipFile(path, metadata_encoding=gb18030.NAME)
    except BROKEN:
        raise ProtocolError(_not_whole(origin, head)) from None
    with archive:
        names = archive.namelist()
        if len(set(names)) != len(names):
            msg = f"{origin}: two files in the archive have the same name"
            raise ProtocolError(msg)
        yield archive


def pieces(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, origin: str, limit: int
) -> Generator[bytes, None, None]:
    """A member's bytes, piece by piece; the archive stays open until it is closed.

    Args:
        archive: an open one.
        member: one of its files.
        origin: name of the archive, for messages.
        limit: bytes that it may unpack to.

    Raises:
        ProtocolError: encrypted, packed in a way that is not read, not whole, or more bytes.
    """
    if member.flag_bits & _SECRET:
        msg = f"{origin}: the archive has a password: send it without one, over a secure channel"
        raise ProtocolError(msg)
    if member.compress_type not in _METHODS:
        msg = f"{origin}: the archive is packed in a way that is not read; deflate is"
        raise ProtocolError(msg)
    done = 0
    try:
        with archive.open(member) as stream:
            while piece := stream.read(PIECE):
                done += len(piece)
                if done > limit:
                    break
                yield piece
    except BROKEN:
        raise ProtocolError(_not_whole(origin, b"PK\x03\x04")) from None
    if done > limit:
        msg = f"{origin}: unpacks to more than {limit} bytes"
        raise ProtocolError(msg)


def whole(archive: zipfile.ZipFile, member: zipfile.ZipInfo, origin: str, limit: int) -> bytes:
    """All bytes of a small member; raises as `pieces`.

    Args:
        archive: an open one.
        member: one of its files.
        origin: name of the archive, for messages.
        limit: bytes that it may unpack to.
    """
    return b"".join(pieces(archive, member, origin, limit))


def _check_directory(path: Path, origin: str, head: bytes) -> None:
    """Look at the end of the archive, which tells how large its directory is."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        longest = _END64_SIZE + _LOCATOR_SIZE + _END_SIZE + _LONGEST_COMMENT
        stream.seek(max(0, size - longest))
        tail = stream.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_SIZE:
        raise ProtocolError(_not_whole(origin, head))
    (length,) = struct.unpack_from("<L", tail, place + 12)
    if tail[max(0, place - _LOCATOR_SIZE) : place].startswith(_LOCATOR):
        end64 = place - _LOCATOR_SIZE - _END64_SIZE
        if end64 < 0:
            raise ProtocolError(_not_whole(origin, head))
        (length,) = struct.unpack_from("<Q", tail, end64 + 40)
    if length > DIRECTORY_LIMIT:
        msg = f"{origin}: the archive's directory is larger than {DIRECTORY_LIMIT} bytes"
        raise ProtocolError(msg)


def _not_whole(origin: str, head: bytes) -> str:
    if head.startswith(b"PK"):
        return f"{origin}: the archive is not whole, or damaged"
    kind = looks.foreign(head)
    return f"{origin}: no ZIP archive" + (f"; it looks like {kind}" if kind else "")
