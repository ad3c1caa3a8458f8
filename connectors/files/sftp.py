"""A folder of an SFTP server, by asyncssh."""

from __future__ import annotations

import secrets
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh

from connectors.files.folder import (
    NOTE_LIMIT,
    ListedFile,
    TooLarge,
    check_room,
    private_file,
    size_of,
)
from connectors.files.sftp_session import Line, session
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

_FULL = (
    asyncssh.SFTPFailure,  # all that protocol version 3 can say of a full disk
    asyncssh.SFTPNoSpaceOnFilesystem,
    asyncssh.SFTPQuotaExceeded,
)


class _NoRoom(SourceUnavailable):
    """The server refuses for a reason of its own, in a writing most often a full disk."""


@contextmanager
def connected(connection: Connection) -> Iterator[SftpFolder]:
    """A folder of an SFTP server; raises as `connectors.files.sftp_session.session`."""
    with session(connection) as found:
        yield SftpFolder(connection, found.client, found.line)


class SftpFolder:
    """Implements `connectors.files.folder.Folder` over an SFTP session."""

    def __init__(self, connection: Connection, client: Any, line: Line) -> None:  # noqa: ANN401
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

    def draft(self, directory: str) -> AbstractContextManager[Path]:  # noqa: ARG002 - not there yet
        """A file of this machine, to be uploaded."""
        return private_file()

    def ready(self, directory: str, sources: Collection[Path]) -> None:
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
            check_room(what, size_of(sources), free)

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
