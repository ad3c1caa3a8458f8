"""Reading a JSON API page after page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from connectors.http.reading import PagedReading
from connectors.rest import page as pages_of
from connectors.rest.client import Client
from connectors.rest.options import RestSource
from connectors.rest.page import Reply
from connectors.rest.remembered import RememberedPages
from onecard.base.connections import Connection
from onecard.ports.source import ReadRequest


class JsonApi:
    """A JSON API as pages are asked of it.

    Attributes:
        place: the path that is called.
        rows: where the rows stand in a reply.
    """

    def __init__(self, client: Client, request: ReadRequest, options: RestSource) -> None:
        """Take what is called.

        Args:
            client: calls the API.
            request: names the columns.
            options: path, and place of the rows.
        """
        self._client, self._request, self._options = client, request, options
        self.place = options.path
        self.rows = f"list at {options.records}"

    def ask(self, params: Mapping[str, str]) -> Reply:
        """GET one page.

        Args:
            params: of the query.
        """
        return self._client.read(self.place, params, lambda body: self.parsed(body, params))

    def parsed(self, body: bytes, params: Mapping[str, str]) -> Reply:  # noqa: ARG002 - a look's
        """What a body says.

        Args:
            body: JSON in UTF-8.
            params: by which it was asked for.

        Raises:
            ValueError, RecursionError: it is no JSON.
        """
        return pages_of.parsed(body, self._options.records, self._request)


class _LookedAt(JsonApi):
    """An API of which a page that has not changed since the last look is not parsed again.

    Attributes:
        whose: fingerprint of the connection.
    """

    whose = ""

    def parsed(self, body: bytes, params: Mapping[str, str]) -> Reply:
        """As of `JsonApi`; the same object where the same body came last."""
        request, options = self._request, self._options
        place = options.path, options.records, tuple(sorted(params.items()))
        asked = self.whose, request.dataset, request.columns, place
        return _remembered.parsed(asked, body, lambda new: JsonApi.parsed(self, new, params))


_remembered = RememberedPages()


class RestReading(PagedReading[JsonApi]):
    """One pass over all pages of an API."""

    options: RestSource

    def __init__(
        self, connection: Connection, request: ReadRequest, more: Mapping[str, str] | None = None
    ) -> None:
        """Take what is read.

        Args:
            connection: of the agency's system.
            request: of the dataset.
            more: parameters besides those of the options.
        """
        options = RestSource.of(request.options)
        super().__init__(connection, request, options, more)

    @contextmanager
    def opened(self) -> Iterator[JsonApi]:
        """The API, to be called until the block ends."""
        with self._client() as client:
            yield JsonApi(client, self.request, self.options)

    @contextmanager
    def looked_at(self) -> Iterator[JsonApi]:
        """The same, with a memory of the pages that came last."""
        with self._client() as client:
            api = _LookedAt(client, self.request, self.options)
            api.whose = self.connection.fingerprint
            yield api

    @contextmanager
    def _client(self) -> Iterator[Client]:
        client = Client(self.connection, self.options, self.request.dataset)
        try:
            yield client
        finally:
            client.close()
