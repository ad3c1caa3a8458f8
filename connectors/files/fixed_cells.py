"""Columns of records of one length, from bytes to text: at once where they are ASCII."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from onecard.errors import ProtocolError

TELLING = 2
"""Ideographs in text that happens to be UTF-8 after which it is no accident (F27)."""
_IDEOGRAPH = re.compile("[\u4e00-\u9fff]")
Records = npt.NDArray[np.uint8]
"""A row for each record, a column for each byte."""


def records(data: bytes, length: int) -> Records:
    """Whole records of one length.

    Args:
        data: one behind the other.
        length: of each, in bytes.
    """
    return np.frombuffer(data, np.uint8).reshape(-1, length)


def texts(block: bytes, width: int, codec: str) -> tuple[list[str | None], list[int]]:
    """The texts of one column, and the records in which it is not in the encoding.

    Args:
        block: the column's bytes, record behind record.
        width: of each.
        codec: Python's name of the encoding.
    """
    starts = range(0, len(block), width)
    if block.isascii():
        whole = block.decode("ascii")
        return [whole[start : start + width] for start in starts], []
    found: list[str | None] = []
    bad: list[int] = []
    for place, start in enumerate(starts):
        try:
            found.append(block[start : start + width].decode(codec))
        except UnicodeDecodeError:
            found.append(None)
            bad.append(place)
    return found, bad


def check_encoding(data: bytes, origin: str, declared: str) -> None:
    """UTF-8 reads as GB 18030 without an error, but as other characters (F27).

    Args:
        data: text of a file.
        origin: name of the file, for messages.
        declared: the contract's encoding.

    Raises:
        ProtocolError: it is UTF-8, and the contract says something else.
    """
    if declared == "utf-8" or data.isascii():
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    _check_ideographs(len(_IDEOGRAPH.findall(text)), origin, declared)


def checked(pieces: Iterable[bytes], origin: str, declared: str) -> Iterator[bytes]:
    """The pieces of a text as they are, each looked at as by `check_encoding`.

    Args:
        pieces: cut anywhere, within a character too.
        origin: name of the file, for messages.
        declared: the contract's encoding.

    Raises:
        ProtocolError: all up to here is UTF-8, and the contract says something else.
    """
    decoder, found = codecs.getincrementaldecoder("utf-8")(), 0
    could_be = declared != "utf-8"
    for piece in pieces:
        if could_be:
            try:
                found += len(_IDEOGRAPH.findall(decoder.decode(piece)))
            except UnicodeDecodeError:
                could_be = False
            else:
                _check_ideographs(found, origin, declared)
        yield piece


def _check_ideographs(found: int, origin: str, declared: str) -> None:
    if found >= TELLING:
        msg = f"{origin}: the file is UTF-8; the contract declares {declared}"
        raise ProtocolError(msg)
