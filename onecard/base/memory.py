"""What long work found, kept for the next process: private files, each under a digest.

A finding is given again only under the very digest that it was kept under, from a file that nobody
else may write and whose bytes are those that were written. In all other cases it is as if nothing
were kept, and the work is done again. A memory may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from onecard.base import files
from onecard.errors import OnecardError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Memory:
    """A folder of findings; it is made when the first is kept."""

    folder: Path

    def recalled(self, name: str, digest: str) -> bytes | None:
        """What was kept under that name and digest; None: nothing, or nothing to be trusted.

        Args:
            name: of the file.
            digest: of everything that the finding depends on.
        """
        try:
            if not _private(self.folder.stat()):
                return None
            descriptor = os.open(self.folder / name, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                if not _private(os.fstat(descriptor)):
                    return None
                head, _, content = file.read().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            log.debug("%s cannot be read (%s): done anew", name, type(error).__name__)
            return None
        return content if head == _head(digest, content) else None

    def keep(self, name: str, digest: str, content: bytes) -> None:
        """Keep a finding in place of the one before; what cannot be written is not kept.

        Args:
            name: of the file.
            digest: of everything that the finding depends on.
            content: the finding.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with files.replacing(self.folder / name) as draft:
                draft.chmod(0o600)
                draft.write_bytes(_head(digest, content) + b"\n" + content)
        except (OSError, OnecardError) as error:
            log.debug("%s cannot be written (%s): done anew", name, type(error).__name__)


def _head(digest: str, content: bytes) -> bytes:
    return f"{digest} {hashlib.sha256(content).hexdigest()}".encode()


def _private(found: os.stat_result) -> bool:
    """Whether nobody else may write it: a finding of somebody else is none."""
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def digest_of(parts: Iterable[str]) -> str:
    """A SHA-256 over texts in their order; none can run into the next."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(f"{len(part)}:{part}".encode())
    return whole.hexdigest()


def runtime() -> Iterator[str]:
    """Python's version, and installed packages with theirs: the names of their metadata."""
    yield sys.version
    for folder in sorted({p for p in sys.path if p and os.path.isdir(p)}):  # noqa: PTH112 - many
        yield from sorted(n for n in os.listdir(folder) if n.endswith((".dist-info", ".egg-info")))  # noqa: PTH208


def contents(base: Path, chosen: Iterable[Path] | None = None) -> Iterator[str]:
    """Path and digest of each file.

    Args:
        base: paths are told from here.
        chosen: the files; default: all below `base` but compiled ones, in a fixed order.
    """
    for file in _files(base) if chosen is None else chosen:
        yield str(file.relative_to(base))
        yield files.digest(file)


def _files(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f != "__pycache__")
        yield from (Path(path, name) for name in sorted(names))
