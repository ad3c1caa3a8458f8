"""Whether an API has anything new behind a bound: its pages from there on, as a digest.

An API that gives its rows by an opaque cursor gives new ones on its last page. Where the pages
before it were seen a moment ago, only the last one is asked for again, and all of them once a
minute and when somebody says that there is news: a row that came late and stands in the middle is
found then.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass

from connectors.rest.client import Client
from connectors.rest.options import Keyset, RestSource
from connectors.rest.page import Page
from connectors.rest.read import Pages, RestReading
from onecard.base.connections import Connection
from onecard.ports.news import UNTOLD
from onecard.ports.source import ReadRequest

MOST_NUMBERED = 10
"""Numbered pages that are asked for; a source with more says nothing cheaply."""
AGAIN_S = 60.0
"""After so long all pages are looked at again."""
MOST_TAILS = 64
_clock = time.monotonic


@dataclass(frozen=True, slots=True)
class _Tail:
    """Where the last page of a source begins.

    Attributes:
        cursor: by which it was asked for.
        before: digest of all pages before it.
        since: when the pages before it were seen.
    """

    cursor: str | None
    before: bytes
    since: float


_tails: dict[tuple[str, ...], _Tail] = {}
_lock = threading.Lock()


def state(connection: Connection, request: ReadRequest, *, whole: bool = False) -> str:
    """A digest of the rows behind the bound; `UNTOLD` where the API takes none.

    Args:
        connection: of the agency's system.
        request: names the bound.
        whole: ask for all pages behind it.
    """
    options = RestSource.model_validate(request.options.model_dump())
    if options.since_param is None or request.since is None:
        return UNTOLD
    client = Client(connection, options, request.dataset)
    try:
        pages = RestReading(connection, request).pages(client)
        if isinstance(options.paginator, Keyset):
            place = (
                connection.id,
                connection.address,
                options.path,
                request.dataset,
                request.since,
            )
            return _by_cursor(pages, options.paginator, place, whole=whole)
        return _numbered(pages)
    finally:
        client.close()


def _by_cursor(pages: Pages, paginator: Keyset, place: tuple[str, ...], *, whole: bool) -> str:
    with _lock:
        tail = _tails.pop(place, None)
    if whole or tail is None or _clock() - tail.since > AGAIN_S:
        tail = _Tail(None, b"", _clock())
    found = b""
    before, cursor = tail.before, tail.cursor
    for page in pages.by_cursor(paginator, tail.cursor):
        if page:  # an empty one behind the last adds nothing
            before, cursor = found or before, pages.asked
            found = _digest(before, page)
    with _lock:
        _tails[place] = _Tail(cursor, before, tail.since)
        while len(_tails) > MOST_TAILS:
            del _tails[next(iter(_tails))]
    return (found or _digest(before, None)).hex()


def _numbered(pages: Pages) -> str:
    found = b""
    for number, page in enumerate(pages):
        if number == MOST_NUMBERED:
            return UNTOLD
        found = _digest(found, page)
    return found.hex()


def _digest(before: bytes, page: Page | None) -> bytes:
    return hashlib.sha256(before + (page.content() if page is not None else b"")).digest()
