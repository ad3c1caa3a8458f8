"""What goes wrong between the hub and a system: proxies on loopback that do it on purpose.

`HttpProxy` stands in front of a real HTTP API and spoils chosen pages; `TcpProxy` stands in front
of anything (SFTP, PostgreSQL) and resets or stalls a connection after so many bytes.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

How = Literal["whole", "truncated", "reset", "stalled"]
STALL_S = 120.0
"""A stalled connection says nothing for so long, unless the test ends before."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One page on its way: `how` it travels, and the page before it."""

    status: int
    kind: str
    body: bytes
    how: How = "whole"
    retry_after: str | None = None
    before: bytes = b""


Fault = Callable[[Reply], Reply]


def travels(how: How) -> Fault:
    """The headers and half of the body arrive, then nothing, an end or a reset."""
    return lambda reply: replace(reply, how=how)


def busy(status: int, retry_after: str = "0") -> Fault:
    """Turned away for now."""
    return lambda reply: replace(reply, status=status, body=b"{}", retry_after=retry_after)


def says(body: bytes, kind: str = "application/json") -> Fault:
    """Another body with status 200."""
    return lambda reply: replace(reply, status=200, body=body, kind=kind)


def repeated(reply: Reply) -> Reply:
    """The page before, once more."""
    return replace(reply, body=reply.before)


def edited(change: Callable[[Any], None]) -> Fault:
    """The same page with its document changed."""

    def apply(reply: Reply) -> Reply:
        document = json.loads(reply.body)
        change(document)
        return replace(reply, body=json.dumps(document, ensure_ascii=False).encode())

    return apply


class HttpProxy(ThreadingHTTPServer):
    """Passes requests on; the n-th page (GET, from 1) goes through `faults[n]`, if there is one.

    Attributes:
        always: goes over every page that has no fault of its own.
        posted: goes over every answer to a POST, after the server has done what was asked.
        between: called with the page's number before it is fetched.
        asked: paths of all pages that were asked for.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = port
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.clean()

    def clean(self) -> None:
        """No fault from here on."""
        self.faults: dict[int, Fault] = {}
        self.always: Fault | None = None
        self.posted: Fault | None = None
        self.between: Callable[[int], None] = lambda _: None
        self.asked: list[str] = []
        self.last = b""

    def page(self, path: str) -> Fault | None:
        """Note a page; the fault that is meant for it."""
        with self.lock:
            self.asked.append(path)
            self.between(len(self.asked))
            return self.faults.get(len(self.asked), self.always)

    def handle_error(self, *_: object) -> None:
        """The hub hangs up on a stalled connection: that is what is wanted."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: HttpProxy

    def do_GET(self) -> None:
        fault = self.server.page(self.path)
        reply = self._upstream(None)
        before, self.server.last = self.server.last, reply.body
        if fault is not None:
            reply = fault(replace(reply, before=before))
        self._say(reply)

    def do_POST(self) -> None:
        reply = self._upstream(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.server.posted
        self._say(fault(reply) if fault else reply)

    def log_message(self, *_: object) -> None:
        return

    def _upstream(self, body: bytes | None) -> Reply:
        link = HTTPConnection("127.0.0.1", self.server.upstream, timeout=20)
        try:
            link.request(self.command, self.path, body, dict(self.headers))
            found = link.getresponse()
            kind, wait = found.getheader("Content-Type", ""), found.getheader("Retry-After")
            return Reply(found.status, kind, found.read(), retry_after=wait)
        finally:
            link.close()

    def _say(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        if reply.retry_after is not None:
            self.send_header("Retry-After", reply.retry_after)
        self.end_headers()
        if reply.how == "whole":
            self.wfile.write(reply.body)
            return
        self.wfile.write(reply.body[: len(reply.body) // 2])
        self.wfile.flush()
        self.close_connection = True
        if reply.how == "stalled":
            self.server.ended.wait(STALL_S)
        elif reply.how == "reset":
            reset(self.connection)


@contextmanager
def http_proxy(port: int) -> Iterator[HttpProxy]:
    """A proxy in front of a local HTTP server."""
    proxy = HttpProxy(port)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.ended.set()
        proxy.shutdown()
        proxy.server_close()


class TcpProxy:
    """Passes bytes on; after `limit` bytes from the server the connection is cut in the way `how`.

    All connections at once may be held (`hold`: no byte goes on, and nobody is told) or dropped
    (`drop`: all are reset, and so is who comes) until `flow`.

    Attributes:
        limit: None passes everything.
        cuts: how many connections may still be cut; the others pass.
        opened: how many have come.
    """

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.ended = threading.Event()
        self._flowing = threading.Event()
        self._flowing.set()
        self._dropping = False
        self._ends: set[socket.socket] = set()
        self.clean()
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """Pass nothing on, in no direction; whoever connects waits too."""
        self._flowing.clear()

    def drop(self) -> None:
        """Reset all connections, and all that come."""
        self._dropping = True
        for end in list(self._ends):
            reset(end)

    def flow(self) -> None:
        """Pass on again, what was held too."""
        self._dropping = False
        self._flowing.set()

    def clean(self) -> None:
        """No fault from here on."""
        self.limit: int | None = None
        self.how: How = "reset"
        self.cuts = 0
        self.opened = 0

    def cut(self, limit: int, how: How = "reset", times: int = 1_000) -> None:
        """Cut the next connections after so many bytes."""
        self.limit, self.how, self.cuts = limit, how, times

    def close(self) -> None:
        """Take no more connections, and end stalls."""
        self.ended.set()
        self._flowing.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self.ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.opened += 1
            if self._dropping:
                reset(client)
                continue
            server = socket.create_connection(self._upstream)
            self._ends = {end for end in self._ends if end.fileno() >= 0} | {client, server}
            for end in (client, server):  # else each small message waits for an acknowledgement
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        _pump(client, server, lambda _: self._flowing.wait())

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        passed = 0

        def may(size: int) -> bool:
            nonlocal passed
            passed += size
            self._flowing.wait()
            if self.limit is None or passed <= self.limit or self.cuts <= 0:
                return True
            self.cuts -= 1
            if self.how == "stalled":
                self.ended.wait(STALL_S)
            reset(client)
            return False

        _pump(server, client, may)


def _pump(source: socket.socket, target: socket.socket, may: Callable[[int], bool]) -> None:
    with suppress(OSError):
        while data := source.recv(16_384):
            if not may(len(data)):
                break
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN; a thread that waits for its bytes is woken first."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
    connection.close()


@contextmanager
def tcp_proxy(host: str, port: int) -> Iterator[TcpProxy]:
    """A proxy in front of any local server."""
    proxy = TcpProxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()
