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
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from fastapi import FastAPI

MOST_CONNECTIONS = 256
"""More are answered 503 and closed."""
MOST_HEAD_BYTES = 8192
"""Of a request's head while it is not whole; one that arrives at once is measured by the door."""
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
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level=logging.CRITICAL,  # it writes a line for each malformed request
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(proxies),
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
        timeout_keep_alive=int(HEAD_S),
        timeout_graceful_shutdown=int(CLOSING_S) - 1,
    )
    return Serving(uvicorn.Server(config), listening)


class _BoundedProtocol(H11Protocol):
    """Closes connections that say nothing, say it slowly, or stay; uvicorn bounds only pauses."""

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

    def _unless_asked(self) -> None:
        if self.cycle is None:
            self.transport.close()
