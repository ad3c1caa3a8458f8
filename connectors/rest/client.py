"""One HTTP JSON call: strict replies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from connectors.http.body import Whole, whole
from connectors.http.client import HttpClient, as_json
from connectors.http.options import Wire
from onecard.base.connections import Connection

Parsed = TypeVar("Parsed")


class Client(HttpClient[Whole]):
    """Calls one API through one HTTP session."""

    def __init__(self, connection: Connection, wire: Wire, what: str) -> None:
        """Take a session that waits, or open one.

        Args:
            connection: of the API.
            wire: how its calls are made.
            what: dataset, agreement or connection, for messages.
        """
        super().__init__(connection, wire, what, whole)

    def get(self, path: str, params: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        """GET a JSON document; raises like `call`."""
        return self.call("GET", path, params=dict(params))

    def read(
        self, path: str, params: Mapping[str, str], parse: Callable[[bytes], Parsed]
    ) -> Parsed:
        """GET a JSON document and parse it in a way of the caller's; raises like `call`.

        Args:
            path: below the connection's host.
            params: of the query.
            parse: makes something of the body; raises ValueError or RecursionError where it is no
                JSON.
        """
        document = partial(self.json_document, parse=parse)
        return self.called(document, "GET", path, params=dict(params))

    def post(self, path: str, body: bytes, again: Callable[[], object]) -> Any:  # noqa: ANN401 - JSON
        """POST a JSON document; raises like `call`, and whatever `again` raises.

        Args:
            path: below the connection's host.
            body: the document.
            again: asked right before each further request that carries it.
        """
        first = self.tries
        headers = {"Content-Type": "application/json; charset=utf-8"}

        def ask() -> None:
            if self.tries > first:
                again()

        return self.call("POST", path, data=body, headers=headers, ask=ask)

    def call(self, method: str, path: str, **arguments: Any) -> Any:  # noqa: ANN401 - requests'
        """One call with retries.

        Args:
            method: `GET` or `POST`.
            path: below the connection's host.
            **arguments: those of `requests.Session.request`, and `ask`, called right before each
                request.

        Raises:
            SourceUnavailable: down, or still busy after the last attempt.
            ConfigError: the login is refused (401, 403), the server's certificate is not trusted,
                or the address is none.
            ProtocolError: another status, HTML, or no JSON.
        """
        return self.called(partial(self.json_document, parse=as_json), method, path, **arguments)
