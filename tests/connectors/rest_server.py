"""A loopback HTTP server that answers as a test has scripted, and the REST connector before it."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.rest.connector import RestConnector
from onecard.base.connections import Connection
from onecard.ports.source import Chunk, Column, ReadRequest

SECRET = "s3cret-pass"
KEYSET = {
    "kind": "keyset",
    "cursor_param": "after",
    "next": "data.next",
    "has_more": "data.more",
    "size_param": "limit",
    "size": 2,
}
NUMBERED = {
    "kind": "page_number",
    "page_param": "page",
    "size_param": "size",
    "size": 2,
    "total": "total",
}


class Server(ThreadingHTTPServer):
    """Asks `answer(request)` for what to say; keeps every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda _: {}


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *_: object) -> None:
        return

    def _serve(self, body: Any) -> None:
        parts = urlsplit(self.path)
        call = {
            "path": parts.path,
            "query": dict(parse_qsl(parts.query)),
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "body": body,
        }
        self.server.seen.append(call)
        answer = self.server.answer(call)
        status, document, headers = answer if isinstance(answer, tuple) else (200, answer, {})
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        length = {"Content-Length": str(len(data))}
        for name, value in {"Content-Type": "application/json", **length, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = "Content-Length" in headers


def system(server: Server, **more: Any) -> Connection:
    port = server.server_address[1]
    fields = {"conn_type": "http", "host": "127.0.0.1", "port": port, "login": "hub"}
    return Connection.model_validate({"id": "api", **fields, "password": SECRET, **more})


def read(server: Server, *, request: dict[str, Any] | None = None, **options: Any) -> list[Chunk]:
    given = {"path": "/rows", "records": "data.items", "paginator": KEYSET, **options}
    given = {"auth": {"kind": "bearer"}, "attempts": 3, "max_wait_s": 0.05, "timeout_s": 2, **given}
    columns = (Column("x", "X"), Column("y", "Y", required=False))
    found = RestConnector.source_options.model_validate(given)
    asked = ReadRequest("agency/dataset", columns, found, **(request or {}))
    return list(RestConnector().read(system(server), asked))


def rows(chunks: list[Chunk]) -> list[Any]:
    return [row for c in chunks for row in c.batch.to_pylist()]


def keyset(items: list[Any]) -> Callable[[dict[str, Any]], Any]:
    def answer(call: dict[str, Any]) -> Any:
        start, size = int(call["query"].get("after", "0")), int(call["query"]["limit"])
        more = start + size < len(items)
        following = str(start + size) if more else None
        return {"data": {"items": items[start : start + size], "next": following, "more": more}}

    return answer


def one(*items: Any) -> dict[str, Any]:
    return {"data": {"items": list(items), "next": None, "more": False}}
