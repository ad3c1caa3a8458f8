"""What a folder offers, wherever it lies, and the private files that reading and writing need."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from onecard.errors import NO_ROOM, SourceUnavailable, StorageError, unwritten

NOTE_LIMIT = 1024**2
"""Bytes of a manifest."""


class TooLarge(Exception):
    """A file has more bytes than are taken, whatever its folder's list says (F33)."""


class Growing(SourceUnavailable):
    """A file has not the size that its server says: somebody still writes it."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A plain file of a folder.

    Attributes:
        modified: the times of its last change, in the folder's own unit: only to be compared.
    """

    name: str
    size: int
    modified: tuple[int, ...] = ()


class Folder(Protocol):
    """A folder below the connection's own base; paths are relative to it, with slashes."""

    def entries(self, directory: str) -> list[ListedFile]:
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
            Growing: it is still being written, where the server lets that be seen.
        """
        ...

    def draft(self, directory: str) -> AbstractContextManager[Path]:
        """A private file for `write`, gone with this process; where it can, it is there already.

        Args:
            directory: where it will lie; made where it is missing.
        """
        ...

    def write(self, path: str, source: Path, leave: Callable[[], object]) -> None:
        """Put a file in place under its name at once (a temporary name of its own, then rename).

        Args:
            path: of the file.
            source: a `draft`, or any other file with its content.
            leave: asked once all is copied, right before the file takes its name: to copy takes
                time, in which another process may have done this work. What it raises is raised.

        Raises:
            StorageError: there is no room; nothing of it is left.
        """
        ...

    def ready(self, directory: str, sources: Collection[Path]) -> None:
        """See that a directory, made where it is missing, takes these files and a manifest now.

        Args:
            directory: where they will lie.
            sources: drafts, or any other files.

        Raises:
            ConfigError: nothing may be written there.
            StorageError: there is no room.
        """
        ...

    def sweep(self, directory: str) -> None:
        """Remove the drafts that killed attempts left in a directory, where there is one."""
        ...


def size_of(sources: Collection[Path]) -> int:
    """Bytes of files and of the manifest that goes with them."""
    return sum(source.stat().st_size for source in sources) + NOTE_LIMIT


def check_room(what: str, size: int, free: int) -> None:
    """Whether so many bytes find room.

    Args:
        what: names the folder.
        size: bytes that are needed.
        free: bytes that are free.

    Raises:
        StorageError: they do not.
    """
    if free < size:
        msg = (
            f"{what} cannot be written: {size} bytes are needed, {free} are free; nothing was sent"
        )
        raise StorageError(msg)


@contextmanager
def private_file() -> Iterator[Path]:
    """A temporary file without a name: it is gone with this process, however that ends (F34).

    The path leads to it in this process only.

    Raises:
        StorageError: there is no room for it where the system keeps temporary files.
    """
    what = f"a temporary file in {tempfile.gettempdir()}"
    with room_in(what), tempfile.TemporaryFile() as file:
        yield Path(f"/proc/self/fd/{file.fileno()}")


@contextmanager
def room_in(what: str) -> Iterator[None]:
    """Raise as ours that there is no room for what the block writes.

    Args:
        what: names the place.

    Raises:
        StorageError: there is none.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise unwritten(what, error) from None
