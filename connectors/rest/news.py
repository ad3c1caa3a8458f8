"""Whether an API has anything new behind a bound: its pages from there on, as a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from connectors.rest.client import Client
from connectors.rest.options import Keyset, RestSource
from connectors.rest.page import Page, Reply
from connectors.rest.read import Pages, RestReading
from connectors.rest.remembered import RememberedPages
from onecard.base.connections import Connection
from onecard.ports.news import UNTOLD, SourcePlace, SourceState
from onecard.ports.source import ReadRequest

MOST_NUMBERED = 10
"""Numbered pages that are asked for; a source with more says nothing cheaply."""


def state(connection: Connection, request: ReadRequest) -> SourceState:
    """A digest of the rows behind the bound, and the last page; nothing where the API takes none.

    An API that gives its rows by an opaque cursor gives new ones on its last page, so that it can
    be read on from there, with the bound that the cursor was made for.

    Args:
        connection: of the agency's system.
        request: names the bound, and the page to begin with.
    """
    options = RestSource.of(request.options)
    if options.since_param is None or request.since is None:
        return SourceState()
    client = Client(connection, options, request.dataset)
    try:
        reading = RestReading(connection, request)
        if not isinstance(options.paginator, Keyset):
            return SourceState(_numbered(reading.pages(client)))
        pages = reading.pages_of(_LookedAt, client)
        pages.whose = connection.fingerprint
        found, last = b"", request.page
        for page in pages.by_cursor(options.paginator):
            if page:  # an empty one behind the last adds nothing
                found, last = _digest(found, page), pages.asked
        end = SourcePlace(request.since, last)
        return SourceState((found or _digest(b"", None)).hex(), end, more=pages.more)
    finally:
        client.close()


class _LookedAt(Pages):
    """Pages of which one that has not changed since the last look is not parsed again.

    Attributes:
        whose: fingerprint of the connection.
    """

    whose = ""

    def parsed(self, body: bytes, params: Mapping[str, str]) -> Reply:
        """As of `Pages`; the same object where the same body came last."""
        request, options = self._request, self._options
        place = options.path, options.records, tuple(sorted(params.items()))
        asked = self.whose, request.dataset, request.columns, place
        return _remembered.parsed(asked, body, lambda new: Pages.parsed(self, new, params))


_remembered = RememberedPages()


def _numbered(pages: Pages) -> str:
    found = b""
    for number, page in enumerate(pages):
        if number == MOST_NUMBERED:
            return UNTOLD
        found = _digest(found, page)
    return found.hex()


def _digest(before: bytes, page: Page | None) -> bytes:
    return hashlib.sha256(before + (page.content() if page is not None else b"")).digest()
