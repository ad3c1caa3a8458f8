"""`onecard lint` with a memory: nothing is checked again that is byte for byte what it was.

What a check finds is kept under a digest of everything that it may depend on: every file of the
linted folder that lint reads, every file of our own code, YAML and code lists, the versions of
Python and of all installed packages. One byte elsewhere is another digest, and all is checked anew:
checks look across files, so a verdict is kept for the folder, never for one file. The memory is one
small file a folder; it may be deleted at any time, and one that cannot be read is written again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import connectors
import onecard
import schemas
from onecard.base import files
from onecard.errors import OnecardError
from schemas.models.problem import Problem
from schemas.models.strict_yaml import UNREADABLE

ROOT = Path(schemas.__path__[0])
"""The package's own contracts and agreements."""
PATTERNS = ("*.yaml", "contracts/*/*.odcs.yaml", "agreements/*.yaml")
"""What lint reads of a folder; a test watches what it opens."""
CODE = (onecard, schemas, connectors)
log = logging.getLogger(__name__)

Check = Callable[[], tuple[Problem, ...]]


def lint(root: Path, against: str | None = None) -> tuple[Problem, ...]:
    """All problems of the YAML below `root`, in order of file and line.

    Args:
        root: folder with agencies.yaml, contracts/ and agreements/.
        against: git reference or folder of an earlier state; then nothing is remembered.
    """
    if against is not None:
        return _checked(root, against)
    return remembered(root, _folder(), lambda: _checked(root, None))


def remembered(root: Path, memory: Path, check: Check) -> tuple[Problem, ...]:
    """What `check` found of these very files before, else what it finds now.

    Args:
        root: the folder that `check` reads.
        memory: folder of the memory; one that others may write to is not trusted.
        check: the whole check.
    """
    before = digest(root)
    place = memory / f"lint-{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.json"
    known = _recalled(place, before)
    if known is not None:
        return known
    found = check()
    whole = all(problem.rule != UNREADABLE for problem in found)
    if whole and digest(root) == before:  # else somebody wrote: of which state is the verdict?
        _remember(place, before, found)
    return found


def digest(root: Path) -> str:
    """A SHA-256 over all that the verdict on a folder may depend on."""
    whole = hashlib.sha256()
    for part in (str(root), sys.version, *_installed(), *_contents(root)):
        whole.update(f"{len(part)}:{part}".encode())
    return whole.hexdigest()


def _installed() -> Iterator[str]:
    """Names and versions of installed packages: the names of their metadata's folders."""
    for folder in sorted({p for p in sys.path if p and os.path.isdir(p)}):  # noqa: PTH112 - many
        yield from sorted(n for n in os.listdir(folder) if n.endswith((".dist-info", ".egg-info")))  # noqa: PTH208


def _contents(root: Path) -> Iterator[str]:
    """Path and digest of each file, those of our own code after those of the folder."""
    of_root = sorted({f for pattern in PATTERNS for f in root.glob(pattern)})
    for base, found in ((root, of_root), *((Path(p.__path__[0]), None) for p in CODE)):
        for file in _files(base) if found is None else found:
            yield str(file.relative_to(base))
            yield files.digest(file)


def _files(folder: Path) -> Iterator[Path]:
    """All files of a package but compiled ones, in a fixed order."""
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f != "__pycache__")
        yield from (Path(path, name) for name in sorted(names))


def _folder() -> Path:
    """Where the memory is: in ONECARD_HOME where that is set, else in the user's cache."""
    if home := os.environ.get("ONECARD_HOME"):
        return Path(home) / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "onecard"


def _recalled(place: Path, wanted: str) -> tuple[Problem, ...] | None:
    try:
        if not _private(place.parent) or not _private(place):
            return None
        known = json.loads(place.read_bytes())
        if known["digest"] != wanted:
            return None
        return tuple(Problem(Path(file), *rest) for file, *rest in known["problems"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        if not isinstance(error, FileNotFoundError):
            log.debug("%s cannot be read (%s): all is checked", place, type(error).__name__)
        return None


def _private(path: Path) -> bool:
    """Whether nobody else may write it: a verdict of somebody else is none."""
    found = path.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _remember(place: Path, key: str, found: tuple[Problem, ...]) -> None:
    lines = [(str(p.file), p.line, p.field, p.rule, p.message) for p in found]
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with files.replacing(place) as draft:
            draft.chmod(0o600)
            draft.write_text(json.dumps({"digest": key, "problems": lines}), encoding="utf-8")
    except (OSError, OnecardError) as error:
        log.debug("%s cannot be written (%s): checked anew next time", place, type(error).__name__)


def _checked(root: Path, against: str | None) -> tuple[Problem, ...]:
    """The whole check; its modules are imported only when it is needed."""
    from schemas.lint import check, versions  # noqa: PLC0415

    kinds: dict[str, Any] = {kind: connectors.connector(kind) for kind in connectors.KINDS}
    with versions.earlier(against, root) if against else nullcontext() as before:
        return check.lint(root, connectors=kinds, against=before)
