"""Reading a JSON API page after page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from connectors.http.reading import PagedReading
from connectors.rest import page as pages_of
from connectors.rest.client import Client
from connectors.rest.options import RestSource
from connectors.rest.page import Reply
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
        return self._client.read(self.place, params, self.parsed)

    def parsed(self, body: bytes) -> Reply:
        """A body as a reply; raises ValueError or RecursionError."""
        return pages_of.parsed(body, self._options.records, self._request)


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
        options = RestSource.model_validate(request.options.model_dump())
        super().__init__(connection, request, options, more)

    @contextmanager
    def opened(self) -> Iterator[JsonApi]:
        """The API, to be called until the block ends."""
        client = Client(self.connection, self.options, self.request.dataset)
        try:
            yield JsonApi(client, self.request, self.options)
        finally:
            client.close()
