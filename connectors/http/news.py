"""Whether a system has anything new behind a bound: its pages from there on, as a digest."""

from __future__ import annotations

import hashlib
from typing import Any

from connectors.http.options import Keyset
from connectors.http.page import Page
from connectors.http.pages import Pages
from connectors.http.reading import PagedReading
from onecard.ports.news import UNTOLD, SourcePlace, SourceState

MOST_NUMBERED = 10
"""Numbered pages that are asked for; a source with more says nothing cheaply."""


def state(reading: PagedReading[Any]) -> SourceState:
    """A digest of the rows behind the bound, and the last page; nothing where none is taken.

    A system that gives its rows by an opaque cursor gives new ones on its last page, so that it can
    be read on from there, with the bound that the cursor was made for.

    Args:
        reading: its request names the bound, and the page to begin with.
    """
    options, request = reading.options, reading.request
    if options.since_param is None or request.since is None:
        return SourceState()
    if not isinstance(options.paginator, Keyset):
        with reading.opened() as api:
            return SourceState(_numbered(reading.pages(api)))
    with reading.looked_at() as api:
        pages = reading.pages(api)
        found, last = b"", request.page
        for page in pages.by_cursor(options.paginator):
            if page:  # an empty one behind the last adds nothing
                found, last = _digest(found, page), pages.asked
        end = SourcePlace(request.since, last)
        return SourceState((found or _digest(b"", None)).hex(), end, more=pages.more)


def _numbered(pages: Pages) -> str:
    found = b""
    for number, page in enumerate(pages):
        if number == MOST_NUMBERED:
            return UNTOLD
        found = _digest(found, page)
    return found.hex()


def _digest(before: bytes, page: Page | None) -> bytes:
    return hashlib.sha256(before + (page.content() if page is not None else b"")).digest()
