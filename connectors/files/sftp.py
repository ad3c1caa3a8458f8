"""SFTP by asyncssh, in an event loop of its own; the server's host key is pinned.

A server that is gone is noticed by keepalives; one that answers those and nothing else is given up
when no byte of a file has moved, or no other request has ended, for twice `ONECARD_PATIENCE`.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import stat
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from connectors.files.folder import NOTE_LIMIT, ListedFile, TooLarge, check_room, private_file
from onecard.base import shelves, timeouts, unreachable
from onecard.base.connections import Connection
from onecard.base.shown import file_name
from onecard.errors import (
    NO_ROOM,
    ConfigError,
    OnecardError,
    SourceUnavailable,
    StorageError,
    unwritten,
)

T = TypeVar("T")
LOGIN_S = 15.0
"""How long an SSH server may take to show its key and to take the login."""
KEEPALIVE_S = 15
"""A server that answers nothing for three such intervals is taken for lost."""
_FULL = (
    asyncssh.SFTPFailure,  # all that protocol version 3 can say of a full disk
    asyncssh.SFTPNoSpaceOnFilesystem,
    asyncssh.SFTPQuotaExceeded,
)


class _NoRoom(SourceUnavailable):
    """The server refuses for a reason of its own, in a writing most often a full disk."""


@contextmanager
def connected(connection: Connection) -> Iterator[SftpFolder]:
    """An SFTP session.

    Raises:
        ConfigError: no host key is pinned, the server shows another, or the login is refused.
        SourceUnavailable: the server cannot be reached.
    """
    place = connection.fingerprint
    session = _taken(place) or _Session.opened(connection)
    try:
        yield SftpFolder(connection, session.client, session.line)
    except BaseException:
        session.end()
        raise
    if shelves.keeps():
        _waiting.put(place, session)
    else:
        session.end()


def _taken(place: str) -> _Session | None:
    """One that waits, and whose server has not gone."""
    while (session := _waiting.take(place)) is not None:
        if not session.ssh.is_closed():
            return session
        session.drop()
    return None


@dataclass(frozen=True, slots=True)
class _Session:
    """An SFTP session and the SSH connection below it.

    Attributes:
        line: its event loop.
        ssh: the connection.
        client: of SFTP.
    """

    line: _Line
    ssh: Any
    client: Any

    @classmethod
    def opened(cls, connection: Connection) -> _Session:
        """A new one; raises as `connected`."""
        line = _Line(f"connection {connection.id!r}")
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
        self.ssh.close()
        self._closed()

    def drop(self) -> None:
        """End it at once: its server is not waited for."""
        self.line.abort_soon()
        self._closed()

    def _closed(self) -> None:
        try:
            self.line.run(self.ssh.wait_closed())
        finally:
            self.line.close()


_waiting: shelves.Shelf[_Session] = shelves.Shelf(_Session.drop)


class _Line:
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


class SftpFolder:
    """Implements `connectors.files.folder.Folder` over an SFTP session."""

    def __init__(self, connection: Connection, client: Any, line: _Line) -> None:  # noqa: ANN401
        self._client, self._line = client, line
        self._base = str(connection.extra.get("path") or ".")
        self._where = f"connection {connection.id!r}"

    def entries(self, directory: str) -> list[ListedFile]:
        """Plain files by name."""
        found = self._call(self._client.readdir(self._path(directory)), directory)
        plain = [
            ListedFile(str(f.filename), int(f.attrs.size or 0), (int(f.attrs.mtime or 0),))
            for f in found
            if stat.S_ISREG(f.attrs.permissions or 0)
        ]
        return sorted((e for e in plain if "/" not in e.name), key=lambda e: e.name)

    def read(self, path: str) -> bytes | None:
        """A small file's content, or None."""

        async def work() -> bytes | None:
            try:
                async with self._client.open(self._path(path), "rb") as file:
                    content = bytes(await file.read(NOTE_LIMIT + 1))
            except asyncssh.SFTPNoSuchFile:
                return None
            if len(content) > NOTE_LIMIT:
                raise TooLarge
            return content

        found: bytes | None = self._call(work(), path)
        return found

    @contextmanager
    def local(self, path: str, limit: int = 1 << 62) -> Iterator[Path]:
        """A private copy, removed at the end."""

        def counted(_source: bytes, _target: bytes, copied: int, size: int) -> None:
            self._line.moved += 1
            if max(copied, size) > limit:
                raise TooLarge

        with private_file() as copy:
            work = self._client.get(self._path(path), str(copy), progress_handler=counted)
            self._call(work, path)
            yield copy

    def write(self, path: str, source: Path, leave: Callable[[], object]) -> None:
        """Upload beside the target, then rename over it.

        Args:
            path: of the file.
            source: its content.
            leave: asked before it is renamed.
        """
        target = self._path(path)
        folder, _, name = target.rpartition("/")
        part = f"{folder}/.{name}.{secrets.token_hex(4)}.part"  # another process may write one too
        try:
            self._call(self._upload(source, part), path)
            leave()
            self._call(self._client.posix_rename(part, target), path)
        except Exception as error:
            with suppress(OnecardError):  # else the next attempt sweeps it
                self._call(self._client.remove(part), path)
            if not isinstance(error, _NoRoom):
                raise
            why = f"cannot be written: the server has no room for it ({error})"
            msg = f"{self._where}: {path!r} {why}"
            raise StorageError(msg) from None

    async def _upload(self, source: Path, part: str) -> None:
        """Put a file there, whole."""

        def counted(*_: object) -> None:
            self._line.moved += 1

        await self._client.makedirs(part.rpartition("/")[0], exist_ok=True)
        await self._client.put(str(source), part, follow_symlinks=True, progress_handler=counted)
        await self._kept_whole(part, source.stat().st_size)

    def ready(self, directory: str, size: int) -> None:
        """See that a draft can be made there, and that there is room, where the server tells."""
        folder = self._path(directory)

        async def work() -> int | None:
            await self._client.makedirs(folder, exist_ok=True)
            part = f"{folder}/.ready.part"
            async with self._client.open(part, "wb"):
                pass
            await self._client.remove(part)
            try:
                found = await self._client.statvfs(folder)
            except asyncssh.SFTPError:  # an extension that not every server has
                return None
            return int(found.bavail * found.frsize) if found.blocks else None

        what = f"{self._where}: {directory!r}"
        try:
            free = self._call(work(), directory)
        except _NoRoom as error:
            msg = f"{what} cannot be written ({error}); nothing was sent"
            raise StorageError(msg) from None
        if free is not None:
            check_room(what, size, free)

    def sweep(self, directory: str) -> None:
        """Remove drafts; the hub sends one delivery of an agreement at a time."""

        async def work() -> None:
            try:
                found = await self._client.glob(f"{self._path(directory)}/.*.part")
            except asyncssh.SFTPNoSuchFile:
                return
            for draft in found:
                await self._client.remove(draft)

        self._call(work(), directory)

    async def _kept_whole(self, part: str, size: int) -> None:
        """Some servers take every block of a file and drop what does not fit when they close it."""
        kept = (await self._client.stat(part)).size
        if kept != size:
            msg = f"{kept} of {size} bytes kept"
            raise asyncssh.SFTPFailure(msg)

    def _path(self, path: str) -> str:
        return f"{self._base}/{path}"

    def _call(self, work: Any, path: str) -> Any:  # noqa: ANN401 - asyncssh has no types
        path = file_name(path)
        try:
            return self._line.run(work)
        except asyncssh.SFTPNoSuchFile:
            msg = f"{self._where}: {path!r} is not there"
        except asyncssh.SFTPPermissionDenied:
            msg = f"{self._where}: {path!r} may not be used"
        except _FULL as error:
            raise _NoRoom(type(error).__name__) from None
        except (OSError, asyncssh.Error) as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:  # the copy on this side
                what = f"the copy of {path!r}"
                raise unwritten(what, error) from None
            down = f"{self._where}: {path!r}: {type(error).__name__}"
            raise SourceUnavailable(down) from None
        raise ConfigError(msg)
