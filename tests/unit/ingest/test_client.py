"""The client against a proxy before the door: what passes by itself is tried again."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from onecard.base.platform_signature import Credential
from onecard.errors import ProtocolError
from onecard.ingest import announced, codes
from onecard.ingest.client import Client

HTML = b"<html>502 Bad Gateway</html>"


class Proxy(ThreadingHTTPServer):
    """Answers from a list, by method; the last answer stays."""

    def __init__(self, **answers: list[tuple[int, bytes, str]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.calls: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def log_message(self, *_: Any) -> None: ...

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer("post")

    def do_GET(self) -> None:
        self._answer("get")

    def _answer(self, method: str) -> None:
        self.server.calls.append(method)
        listed = self.server.answers[method]
        status, body, offset = listed.pop(0) if len(listed) > 1 else listed[0]
        self.send_response(status)
        if offset:
            self.send_header(announced.OFFSET, offset)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def proxy(**answers: list[tuple[int, bytes, str]]) -> Iterator[tuple[Proxy, Client]]:
    server = Proxy(**answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    credential = Credential("agency", b"a key that is long enough")
    url = f"http://127.0.0.1:{server.server_address[1]}"
    yield server, Client(url, credential, wait=lambda _seconds: None)
    server.shutdown()
    server.server_close()


def told(code: codes.Code) -> bytes:
    return json.dumps({"code": code.code}).encode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "rows.csv"
    found.write_text("a\n1\n")
    return found


def test_a_proxy_that_does_not_reach_the_door_is_asked_again(file: Path) -> None:
    posts = [(502, HTML, ""), (504, HTML, ""), (200, told(codes.TAKEN), "4")]
    gets = [(503, HTML, ""), (404, told(codes.NO_SUCH_UPLOAD), "no number")]
    with proxy(post=posts, get=gets) as (server, client):
        found = client.bring("agency/dataset", file, str(uuid.uuid4()))
    assert (found.code, found.received) == ("00", 4)
    assert server.calls == ["post", "get", "post", "get", "post"]


def test_a_proxy_that_refuses_is_told_of(file: Path) -> None:
    with (
        proxy(post=[(413, HTML, "")], get=[(500, HTML, "")]) as (_, client),
        pytest.raises(ProtocolError, match="status 413"),
    ):
        client.bring("agency/dataset", file, str(uuid.uuid4()))
