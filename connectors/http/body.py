"""An HTTP reply read to its end, counted as it is unpacked and within a time (F7, F33)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import requests
import urllib3

LIMIT = 256 * 1024**2
"""Bytes of one unpacked reply; a page is far smaller, more is a bomb."""
PATIENCE = 20
"""A body may take so many times the time-out for one read: one that only drips ends too."""
PIECE = 1 << 16


class ReplyTooLarge(Exception):
    """The reply unpacks to more than so many bytes.

    Args:
        limit: in bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class Answer(Protocol):
    """A reply that was read to its end."""

    @property
    def status_code(self) -> int:
        """HTTP's."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, in which upper and lower case are the same."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A reply with its whole body."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


def whole(reply: requests.Response, timeout_s: float) -> Whole:
    """Read a streamed reply to its end.

    Raises:
        ReplyTooLarge: it unpacks to more than `LIMIT`; no more than that is ever held.
        requests.Timeout: it drips.
        requests.RequestException: it breaks off or cannot be unpacked.
    """
    body = b"".join(pieces(reply, timeout_s, LIMIT))
    return Whole(reply.status_code, reply.headers, body)


def pieces(reply: requests.Response, timeout_s: float, limit: int) -> Iterator[bytes]:
    """The unpacked body of a streamed reply, as it comes, to its end; then the reply is closed.

    Args:
        reply: streamed.
        timeout_s: for one read.
        limit: bytes that it may unpack to.

    Raises:
        ReplyTooLarge: it unpacks to more.
        requests.Timeout: it drips.
        requests.RequestException: it breaks off or cannot be unpacked.
    """
    taken, until = 0, time.monotonic() + PATIENCE * timeout_s
    with reply:
        for piece in _pieces(reply):
            taken += len(piece)
            if taken > limit:
                raise ReplyTooLarge(limit)
            if time.monotonic() > until:
                raise requests.Timeout
            yield piece


def _pieces(reply: requests.Response) -> Iterator[bytes]:
    """What has come so far, again and again; requests' own way waits until a piece is full."""
    while True:
        try:
            piece = reply.raw.read1(PIECE, decode_content=True)
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(type(error).__name__) from None
        if not piece:
            return
        yield piece
