"""Runs a web application on a thread of this process, with everything that comes in bounded."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from onecard.base.extras import extra
from onecard.base.settings import PROXIES

with extra("live"):
    import httptools
    import uvicorn
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from fastapi import FastAPI

MOST_CONNECTIONS = 256
"""More are answered 503 and closed."""
MOST_HEAD_BYTES = 8192
"""Of a request's head while it is not whole; one that arrives at once is measured by the door."""
MOST_AHEAD = 16
"""Requests of one connection that wait for those before it; who sends more is refused."""
HEAD_S, LIFE_S = 5.0, 60.0
"""Until a connection's first request is whole; until a connection is closed, busy or not."""
CLOSING_S = 5.0


class Serving:
    """A served application; ends with `close`, or with the process.

    Attributes:
        host: where it listens.
        port: the one that was asked for, or the free one that 0 found.
    """

    def __init__(self, server: uvicorn.Server, listening: socket.socket) -> None:
        self.host, self.port = listening.getsockname()[:2]
        self._server = server
        self._thread = threading.Thread(
            target=server.run, args=([listening],), name="onecard-door", daemon=True
        )
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still serves."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop listening, let calls in hand end, wait for the thread."""
        self._server.should_exit = True
        self._thread.join(CLOSING_S)


def serve(app: FastAPI, host: str, port: int, proxies: Sequence[str] = PROXIES) -> Serving:
    """Serve an application on a thread; who connects from now on is served.

    Args:
        app: the application.
        host: address to listen on; anything but loopback belongs behind a proxy with TLS.
        port: to listen on; 0: a free one.
        proxies: addresses and networks whose `X-Forwarded-For` and `-Proto` are believed.

    Raises:
        OSError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=MOST_CONNECTIONS)
    # asyncio does it only for sockets that name their protocol; without it an answer waits 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        http=_BoundedProtocol,
        ws="none",
        loop="uvloop",
        lifespan="on",
        log_config=None,
        log_level=logging.CRITICAL,  # it writes a line for each malformed request
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(proxies),
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=int(HEAD_S),
        timeout_graceful_shutdown=int(CLOSING_S) - 1,
    )
    return Serving(uvicorn.Server(config), listening)


class _BoundedProtocol(HttpToolsProtocol):
    """Bounds what uvicorn does not: heads that do not end, requests that nobody waits for, time.

    Its parser is llhttp, which refuses what two readers could understand in two ways.
    """

    _in_head = False
    _head_bytes = 0
    """Of a head that is not whole, as far as it is told: the rest of its first piece is not."""
    _unparsed = 0
    """Bytes that are still to come of a body that the parser leaves to us."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start both clocks of a connection."""
        super().connection_made(transport)
        self._clocks = [
            self.loop.call_later(HEAD_S, self._unless_asked),
            self.loop.call_later(LIFE_S, self.shutdown),
        ]

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop them."""
        for clock in self._clocks:
            clock.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece; a head that is too long before it is whole is refused."""
        went_on = self._in_head
        if self._unparsed:
            self._take_body(data)
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as asked:
            self._take_body(data[int(asked.args[0]) :])
        except httptools.HttpParserError:
            self.send_400_response("This is no HTTP request.")
        if self._in_head and not self.transport.is_closing():
            self._measure(len(data) if went_on else 0)

    def _measure(self, more: int) -> None:
        """Refuse a head that is too long already.

        Args:
            more: bytes that have come to it; 0: its first piece has come.
        """
        if more:
            self._head_bytes += more
        else:
            told = sum(len(name) + len(value) for name, value in self.headers)
            self._head_bytes = len(self.url) + told
        if self._head_bytes > MOST_HEAD_BYTES:
            self.send_400_response("The head is too long.")

    def _take_body(self, data: bytes) -> None:
        """Of a request that would rather speak another protocol, which is answered in this one.

        Java's own client asks so for HTTP/2; the parser takes all behind such a head for the other
        protocol.
        """
        left = self._unparsed
        body, rest = data[:left], data[left:]
        if left:
            self._unparsed -= len(body)
            self.on_body(body)
            self.on_message_complete()
        if rest:
            self.data_received(rest)

    def on_message_begin(self) -> None:
        """A head begins.

        Raises:
            HttpParserError: too many requests of this connection wait already.
        """
        if len(self.pipeline) >= MOST_AHEAD:
            msg = "too many requests at once"
            raise httptools.HttpParserError(msg)
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._in_head = False
        if self.parser.should_upgrade():
            lengths = [int(v) for n, v in self.headers if n == b"content-length"]
            self._unparsed = sum(lengths)  # the parser has seen to it that there is one at most
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is whole, where its body came through the parser or is none."""
        if not self._unparsed:
            super().on_message_complete()

    def _unless_asked(self) -> None:
        if self.cycle is None:
            self.transport.close()
