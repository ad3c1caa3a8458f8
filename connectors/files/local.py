"""A folder of this machine."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.files.folder import (
    NOTE_LIMIT,
    ListedFile,
    TooLarge,
    check_room,
    private_file,
    room_in,
    size_of,
)
from onecard.base import files
from onecard.base.connections import Connection
from onecard.errors import ConfigError, unwritten


class LocalFolder:
    """Implements `connectors.files.folder.Folder` on this machine."""

    def __init__(self, connection: Connection) -> None:
        base = connection.extra.get("path")
        if not isinstance(base, str) or not Path(base).is_dir():
            msg = f"connection {connection.id!r}: extra.path names no folder"
            raise ConfigError(msg)
        self._base = Path(base).resolve()
        self._there: set[Path] = set()

    def entries(self, directory: str) -> list[ListedFile]:
        """Plain files by name; a file that was put in place with its old time has changed too."""
        folder = self._base / directory
        if not folder.is_dir():
            msg = f"folder {directory!r} is not there"
            raise ConfigError(msg)
        found = [(item.name, item.stat(follow_symlinks=False)) for item in os.scandir(folder)]
        return [
            ListedFile(n, s.st_size, (s.st_mtime_ns, s.st_ctime_ns))
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

    @contextmanager
    def draft(self, directory: str) -> Iterator[Path]:
        """A file of that directory which has no name yet, where its file system knows such files.

        Nothing is copied then, and only the consumer's file system needs the room.
        """
        with self._writable(directory):
            self._make(directory)
        with files.nameless(self._base / directory) as found:
            if found is not None:
                self._there.add(found)
                try:
                    with room_in(_named(directory)):
                        yield found
                finally:
                    self._there.discard(found)
                return
        with private_file() as found:
            yield found

    def write(self, path: str, source: Path, leave: Callable[[], object]) -> None:
        """Name it beside the target, or copy it there, then rename.

        Args:
            path: of the file.
            source: a draft, or any other file with its content.
            leave: asked before it is renamed.
        """
        directory = str(Path(path).parent)
        with self._writable(directory):
            self._make(directory)
        with files.replacing(self._base / path, own=True, content=source):
            leave()

    def ready(self, directory: str, sources: Collection[Path]) -> None:
        """See that a draft can be made there, and that the file system has room for what is not."""
        folder = self._base / directory
        with self._writable(directory):
            self._make(directory)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".part"):
                pass
            room = shutil.disk_usage(folder)
        if room.total:  # some network file systems do not tell
            copied = [source for source in sources if source not in self._there]
            check_room(_named(directory), size_of(copied), room.free)

    @contextmanager
    def _writable(self, directory: str) -> Iterator[None]:
        """Raise what the file system refuses as ours."""
        try:
            yield
        except OSError as error:
            raise unwritten(_named(directory), error) from None

    def _make(self, directory: str) -> None:
        """Make a folder below the base, but not the base: an unmounted share is not one."""
        place = self._base
        for part in Path(directory).parts:
            place = place / part
            place.mkdir(exist_ok=True)

    def sweep(self, directory: str) -> None:
        """Remove the drafts that nobody writes any more."""
        files.sweep(self._base / directory)


def _named(directory: str) -> str:
    return f"the inbox folder {directory!r}"
