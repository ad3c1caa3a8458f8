"""The client: a call goes to the address that was named, and to no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from onecard.base.platform_signature import Credential
from onecard.errors import ConfigError, SourceUnavailable
from onecard.serve.client import send

HIS = Credential("health-his", b"key")
PATH = "/v1/a/query"


@contextmanager
def answering(seen: list[str], location: str = "") -> Iterator[str]:
    """A server that notes what it is asked, and sends on to another place where one is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(307 if location else 200)
            self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(b'{"code": "00"}')

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_call_is_not_sent_on_to_another_place() -> None:
    here: list[str] = []
    there: list[str] = []
    with answering(there) as other, answering(here, f"{other}/else") as base:
        assert send(base, PATH, HIS, b"{}").status == 307
    assert (here, there) == ([PATH], [])


def test_in_the_clear_it_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    proxied: list[str] = []
    with answering(seen) as base, answering(proxied) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.setenv("no_proxy", "")
        assert send(base, PATH, HIS, b"{}").status == 200
    assert (seen, proxied) == ([PATH], [])


@pytest.mark.parametrize(
    "base", ["http://192.0.2.7:8092", "http://hub.example", "hub", "ftp://::1"]
)
def test_another_machine_is_asked_through_tls_only(base: str) -> None:
    with pytest.raises(ConfigError, match="through https"):
        send(base, PATH, HIS, b"{}")


def test_a_service_that_is_not_there_is_said_so() -> None:
    with pytest.raises(SourceUnavailable):
        send("https://127.0.0.1:9", PATH, HIS, b"{}")
