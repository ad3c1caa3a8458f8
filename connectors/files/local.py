"""A folder of this machine."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.files.folder import NOTE_LIMIT, ListedFile, TooLarge, check_room
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

    def write(self, path: str, source: Path, leave: Callable[[], object]) -> None:
        """Copy beside the target, then rename.

        Args:
            path: of the file.
            source: its content.
            leave: asked before it is renamed.
        """
        try:
            self._make(str(Path(path).parent))
        except OSError as error:
            what = f"the inbox folder {str(Path(path).parent)!r}"
            raise unwritten(what, error) from None
        with files.replacing(self._base / path, own=True) as draft:
            shutil.copyfile(source, draft)
            leave()

    def ready(self, directory: str, size: int) -> None:
        """See that a draft can be made there, and that the file system has the room."""
        folder = self._base / directory
        what = f"the inbox folder {directory!r}"
        try:
            self._make(directory)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".part"):
                pass
            room = shutil.disk_usage(folder)
        except OSError as error:
            raise unwritten(what, error) from None
        if room.total:  # some network file systems do not tell
            check_room(what, size, room.free)

    def _make(self, directory: str) -> None:
        """Make a folder below the base, but not the base: an unmounted share is not one."""
        place = self._base
        for part in Path(directory).parts:
            place = place / part
            place.mkdir(exist_ok=True)

    def sweep(self, directory: str) -> None:
        """Remove the drafts that nobody writes any more."""
        files.sweep(self._base / directory)
