"""SSH connections for SFTP, each with an event loop of its own; the server's host key is pinned.

A server that is gone is noticed by keepalives; one that answers those and nothing else is given up
when no byte of a file has moved, or no other request has ended, for twice `ONECARD_PATIENCE`. A
login costs both sides more than a small delivery, so sessions that ended well wait for their next
use as long as somebody keeps them (`onecard.base.shelves`).
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncssh

from onecard.base import shelves, timeouts, unreachable
from onecard.base.connections import Connection
from onecard.errors import ConfigError, SourceUnavailable

T = TypeVar("T")
LOGIN_S = 15.0
"""How long an SSH server may take to show its key and to take the login."""
LEAVE_S = 5.0
"""How long a server may take to let us go."""
KEEPALIVE_S = 15
"""A server that answers nothing for three such intervals is taken for lost."""


@contextmanager
def session(connection: Connection) -> Iterator[Session]:
    """One that waits, or a new one; where the block fails, nobody uses it again.

    Args:
        connection: of the server.

    Raises:
        ConfigError: no host key is pinned, the server shows another, or the login is refused.
        SourceUnavailable: the server cannot be reached.
    """
    place = connection.fingerprint
    found = _taken(place) or Session.opened(connection)
    try:
        yield found
    except BaseException:
        found.end()
        raise
    if shelves.keeps():
        _waiting.put(place, found)
    else:
        found.end()


def _taken(place: str) -> Session | None:
    """One that waits, and whose server has not gone."""
    while (session := _waiting.take(place)) is not None:
        if not session.ssh.is_closed():
            return session
        session.drop()
    return None


@dataclass(frozen=True, slots=True)
class Session:
    """An SFTP session and the SSH connection below it.

    Attributes:
        line: its event loop.
        ssh: the connection.
        client: of SFTP.
    """

    line: Line
    ssh: Any
    client: Any

    @classmethod
    def opened(cls, connection: Connection) -> Session:
        """A new one; raises as `session`."""
        line = Line(f"connection {connection.id!r}")
        try:
            ssh = line.run(_connect(connection))
        except BaseException:
            line.close()
            raise
        line.abort = ssh.abort
        try:
            return cls(line, ssh, line.run(ssh.start_sftp_client()))
        except BaseException:
            cls(line, ssh, None).end()
            raise

    def end(self) -> None:
        """Say goodbye, and end it."""
        self._leave(self.ssh.close)

    def drop(self) -> None:
        """End it at once: its server is not waited for."""
        self._leave(self.ssh.abort)

    def _leave(self, way: Callable[[], None]) -> None:
        try:
            self.line.run(_left(self.ssh, way))
        finally:
            self.line.close()


_waiting: shelves.Shelf[Session] = shelves.Shelf(Session.drop)


class Line:
    """An event loop in a thread of its own, and a session that is aborted when nothing moves.

    Attributes:
        moved: grows whenever bytes of a file have arrived, here or there.
        abort: ends the session at once, so that whatever waits for it fails.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sftp", daemon=True)
        self._thread.start()
        self.moved = 0
        self.abort: Callable[[], None] = lambda: None

    def run(self, work: Awaitable[T]) -> T:
        """What the work returns.

        Raises:
            SourceUnavailable: nothing has moved for too long; the session is over.
        """
        limit = 2 * timeouts.seconds()
        future = asyncio.run_coroutine_threadsafe(_awaited(work), self._loop)
        seen = -1
        while seen != self.moved:
            seen = self.moved
            if wait((future,), limit).done:
                return future.result()
        self.abort_soon()
        wait((future,), limit)
        raise timeouts.silent(self._where, limit)

    def abort_soon(self) -> None:
        """End the session, as the next thing that the loop does."""
        self._loop.call_soon_threadsafe(self.abort)

    def close(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _left(ssh: Any, way: Callable[[], None]) -> None:  # noqa: ANN401 - asyncssh has no types
    """End a connection in its own loop, which may be hearing just now that the server is gone."""
    way()
    try:
        await asyncio.wait_for(ssh.wait_closed(), LEAVE_S)
    except TimeoutError:  # it does not take what was still to be sent
        ssh.abort()
        await ssh.wait_closed()


async def _awaited(work: Awaitable[T]) -> T:
    return await work


async def _connect(connection: Connection) -> Any:  # noqa: ANN401 - asyncssh has no types
    where = f"connection {connection.id!r} ({connection.address})"
    pinned, keys = _host_key(connection, where), _own_keys(connection, where)
    try:
        return await asyncio.wait_for(
            asyncssh.connect(
                connection.host,
                connection.port or 22,
                sock=await _line_to(connection),
                username=connection.login,
                password=connection.secret,
                client_keys=keys,
                known_hosts=([pinned], [], []),
                config=None,
                agent_path=None,
                keepalive_interval=KEEPALIVE_S,
            ),
            LOGIN_S,
        )
    except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed):
        msg = f"{where}: the server does not show the pinned host key"
    except asyncssh.PermissionDenied:
        msg = f"{where}: login refused"
    except (OSError, asyncssh.Error, TimeoutError) as error:
        why = unreachable.said(error, connection.extra)
        down = f"{where}: cannot be reached{why} ({type(error).__name__})"
        raise SourceUnavailable(down) from None
    raise ConfigError(msg)


async def _line_to(connection: Connection) -> socket.socket:
    """A TCP connection; the login may take longer than it."""
    place = (connection.host or "", connection.port or 22)
    limit = timeouts.connect_seconds(connection.extra)
    found = await asyncio.to_thread(socket.create_connection, place, limit)
    found.settimeout(0)  # asyncio wants it not to block
    return found


def _host_key(connection: Connection, where: str) -> Any:  # noqa: ANN401 - asyncssh has no types
    """The pinned key, the only one that the server may show."""
    pinned = connection.extra.get("host_key")
    try:
        return asyncssh.import_public_key(str(pinned).strip() if pinned else "")
    except (asyncssh.KeyImportError, ValueError):
        msg = f"{where}: extra.host_key is required: the server's public key, `ssh-ed25519 …`"
        raise ConfigError(msg) from None


def _own_keys(connection: Connection, where: str) -> Any:  # noqa: ANN401 - asyncssh has no types
    """The key to log in with; None keeps asyncssh from trying those of this user."""
    name = connection.extra.get("key_file")
    if not name:
        return None
    try:
        return [asyncssh.read_private_key(str(name), connection.extra.get("passphrase"))]
    except (OSError, ValueError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        msg = f"{where}: extra.key_file cannot be used ({type(error).__name__})"
        raise ConfigError(msg) from None
