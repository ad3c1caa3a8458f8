"""Where files lie: a local folder, or a folder on an SFTP server with a pinned host key."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from connectors.common.breaker import watching
from onecard.base import files
from onecard.base.connections import Connection
from onecard.errors import NO_ROOM, ConfigError, unknown, unwritten

NOTE_LIMIT = 1024**2
"""Bytes of a manifest."""


class TooLarge(Exception):
    """A file has more bytes than are taken, whatever its folder's list says (F33)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A plain file of a folder."""

    name: str
    size: int


class Folder(Protocol):
    """A folder below the connection's own base; paths are relative to it, with slashes."""

    def entries(self, directory: str) -> list[Entry]:
        """Plain files of a directory by name; links and odd names are left out."""
        ...

    def read(self, path: str) -> bytes | None:
        """A small file's content, or None when it is not there; raises TooLarge."""
        ...

    @contextmanager
    def local(self, path: str, limit: int = 1 << 62) -> Iterator[Path]:
        """The file as a local one, for as long as the block runs.

        Raises:
            TooLarge: it has more than `limit` bytes, counted as they come.
        """
        ...

    def write(self, path: str, source: Path) -> None:
        """Put a file in place under its name at once (temporary name, then rename).

        Raises:
            StorageError: there is no room; nothing of it is left.
        """
        ...

    def sweep(self, directory: str) -> None:
        """Remove the drafts that killed attempts left in a directory, where there is one."""
        ...


@contextmanager
def opened(connection: Connection) -> Iterator[Folder]:
    """The folder that a connection names.

    Raises:
        ConfigError: another connection type, no such folder, refused login or host key.
        SourceUnavailable: the server cannot be reached.
    """
    if connection.conn_type in ("fs", "file"):
        yield LocalFolder(connection)
    elif connection.conn_type == "sftp":
        from connectors.files.sftp import connected  # noqa: PLC0415 - asyncssh only where needed

        with watching(connection), connected(connection) as folder:
            yield folder
    else:
        what = f"file store type of connection {connection.id!r}"
        raise ConfigError(unknown(what, connection.conn_type, ("fs", "sftp")))


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, connection: Connection) -> None:
        base = connection.extra.get("path")
        if not isinstance(base, str) or not Path(base).is_dir():
            msg = f"connection {connection.id!r}: extra.path names no folder"
            raise ConfigError(msg)
        self._base = Path(base).resolve()

    def entries(self, directory: str) -> list[Entry]:
        """Plain files by name."""
        folder = self._base / directory
        if not folder.is_dir():
            msg = f"folder {directory!r} is not there"
            raise ConfigError(msg)
        found = [(item.name, item.stat(follow_symlinks=False)) for item in os.scandir(folder)]
        return [
            Entry(n, s.st_size)
            for n, s in sorted(found, key=lambda f: f[0])
            if stat.S_ISREG(s.st_mode)
        ]

    def read(self, path: str) -> bytes | None:
        """A small file's content, or None."""
        file = self._base / path
        if file.is_symlink() or not file.is_file():
            return None
        with file.open("rb") as stream:
            found = stream.read(NOTE_LIMIT + 1)
        if len(found) > NOTE_LIMIT:
            raise TooLarge
        return found

    @contextmanager
    def local(self, path: str, limit: int = 1 << 62) -> Iterator[Path]:
        """The file itself."""
        file = self._base / path
        if file.is_file() and file.stat().st_size > limit:
            raise TooLarge
        yield file

    def write(self, path: str, source: Path) -> None:
        """Copy beside the target, then rename."""
        with files.replacing(self._base / path) as draft:
            shutil.copyfile(source, draft)

    def sweep(self, directory: str) -> None:
        """Remove the drafts that nobody writes any more."""
        files.sweep(self._base / directory)


@contextmanager
def private_file() -> Iterator[Path]:
    """A temporary file without a name: it is gone with this process, however that ends (F34).

    The path leads to it in this process only.

    Raises:
        StorageError: there is no room for it where the system keeps temporary files.
    """
    try:
        with tempfile.TemporaryFile() as file:
            yield Path(f"/proc/self/fd/{file.fileno()}")
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        what = f"a temporary file in {tempfile.gettempdir()}"
        raise unwritten(what, error) from None
