"""The spool folder: what lies there under which names, and how a file comes to them and goes.

Below the connection's folder each dataset has one of its own, with files that only their owner may
read:

| name | is |
|---|---|
| `<upload>.part` | an upload that is still coming, or is not judged yet |
| `<number>.<upload>.upload` | one that waits for its collect; smaller numbers are older |
| `<number>.<upload>.kept` | the newest whole one that was published, for reconciliation |
| `<number>.taken` | empty: uploads up to this number were published and are gone |

An upload is a UUID in its canonical form, so that no name can hold anything of a person.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onecard.base.connections import Connection
from onecard.errors import ConfigError, unwritten

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PART, WAITING, KEPT, TAKEN = ".part", ".upload", ".kept", ".taken"
_DIGITS = 12
_LYING = re.compile(rf"([0-9]{{{_DIGITS},19}})\.({UUID})\.(upload|kept)")
_MARK = re.compile(rf"([0-9]{{{_DIGITS},19}})\.taken")
_OPEN = re.compile(rf"({UUID})\.part")


@dataclass(frozen=True, slots=True, order=True)
class LyingUpload:
    """A whole upload in the spool.

    Attributes:
        number: its place in the order of collecting.
        upload: its id.
        path: of its file.
        kept: it is published, and lies there for reconciliation.
    """

    number: int
    upload: str
    path: Path
    kept: bool = False


class Spool:
    """The spool of one dataset.

    Args:
        connection: names the folder of all spools in `extra.path`.
        dataset: its id.

    Raises:
        ConfigError: the connection names no folder.
    """

    def __init__(self, connection: Connection, dataset: str) -> None:
        base = connection.extra.get("path")
        if connection.conn_type not in ("fs", "file") or not isinstance(base, str):
            msg = (
                f"connection {connection.id!r}: a spool is a connection of type fs with extra.path"
            )
            raise ConfigError(msg)
        if not Path(base).is_dir():
            msg = f"connection {connection.id!r}: extra.path names no folder"
            raise ConfigError(msg)
        self.folder = Path(base).resolve() / dataset.replace("/", "__")

    def lying(self) -> list[LyingUpload]:
        """Whole uploads, the oldest first."""
        found = (_LYING.fullmatch(path.name) for path in self._files())
        return sorted(
            LyingUpload(int(m[1]), m[2], self.folder / m[0], m[3] == "kept") for m in found if m
        )

    def coming(self) -> dict[str, Path]:
        """Uploads that are not whole or not judged yet, and their files."""
        found = (_OPEN.fullmatch(path.name) for path in self._files())
        return {m[1]: self.folder / m[0] for m in found if m}

    def newest(self) -> int:
        """The highest number that was ever given a file, as far as files still say; 0: none."""
        return max([*self._marks(), *(u.number for u in self.lying())], default=0)

    def part(self, upload: str) -> Path:
        """Where an upload comes in.

        Args:
            upload: its id.
        """
        return self.folder / f"{upload}{PART}"

    def make(self) -> None:
        """Make the folder where it is missing; only its owner may look into it.

        Raises:
            ConfigError, StorageError: it cannot be made.
        """
        with self._written():
            self.folder.mkdir(mode=0o700, exist_ok=True)

    def promote(self, upload: str, number: int) -> None:
        """Have a whole part wait for its collect; on disk when this returns.

        Args:
            upload: its id.
            number: its place in the order of collecting.

        Raises:
            ConfigError, StorageError: the folder cannot be written.
        """
        with self._written():
            self.part(upload).replace(self.folder / f"{number:0{_DIGITS}}.{upload}{WAITING}")

    def drop(self, gone: list[LyingUpload], keep: LyingUpload | None) -> None:
        """Remove uploads that are published; which was the newest stays known.

        Args:
            gone: those that are removed.
            keep: one that stays for reconciliation instead of those that were kept before.

        Raises:
            ConfigError, StorageError: the folder cannot be written.
        """
        numbers = [u.number for u in [*gone, *([keep] if keep else [])]]
        if not numbers:
            return
        marks = self._marks()
        mark = self.folder / f"{max([*numbers, *marks]):0{_DIGITS}}{TAKEN}"
        with self._written():
            mark.touch(mode=0o600)
            for upload in gone:
                upload.path.unlink(missing_ok=True)
            if keep is not None and not keep.kept:
                keep.path.replace(keep.path.with_suffix(KEPT))
            for path in marks.values():
                if path != mark:
                    path.unlink(missing_ok=True)

    def _marks(self) -> dict[int, Path]:
        found = (_MARK.fullmatch(path.name) for path in self._files())
        return {int(m[1]): self.folder / m[0] for m in found if m}

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [
            self.folder / f.name
            for f in os.scandir(self.folder)
            if f.is_file(follow_symlinks=False)
        ]

    @contextmanager
    def _written(self) -> Iterator[None]:
        """Changes of the folder, on disk when the block has ended; refusals as errors of ours."""
        try:
            yield
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            what = f"the spool folder {self.folder.name!r}"
            raise unwritten(what, error) from None


@contextmanager
def held(path: Path) -> Iterator[int | None]:
    """A part's file, open and for this process alone; None: another one has it.

    It is made where it is missing. Gives the file's descriptor.

    Args:
        path: of the part.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.path.samestat(os.fstat(descriptor), path.lstat())
        except (BlockingIOError, FileNotFoundError):
            same = False
        yield descriptor if same else None
    finally:
        os.close(descriptor)
