"""`onecard lint` with a memory: nothing is checked again that is byte for byte what it was.

What a check finds is kept under a digest of everything that it may depend on: every file of the
linted folder that lint reads, every file of our own code, YAML and code lists, the versions of
Python and of all installed packages. One byte elsewhere is another digest, and all is checked anew:
checks look across files, so a verdict is kept for the folder, never for one file. The memory is one
small file a folder; it may be deleted at any time, and one that cannot be read is written again.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import connectors
import onecard
import schemas
from onecard.base.memory import Memory, contents, digest_of, runtime
from onecard.base.settings import Settings, memory_folder
from onecard.errors import UsageError
from schemas.models.problem import Problem
from schemas.models.strict_yaml import UNREADABLE

ROOT = Path(schemas.__path__[0])
"""The package's own contracts and agreements."""
PATTERNS = ("*.yaml", "contracts/*/*.odcs.yaml", "agreements/*.yaml")
"""What lint reads of a folder; a test watches what it opens."""
SERVICES = ("**/*.wsdl", "**/*.xsd")
"""What contracts of web services name beside them."""
CODE = (onecard, schemas, connectors)
_PROPOSED = re.compile(r"^status: *['\"]?proposed\b", re.MULTILINE)
log = logging.getLogger(__name__)

Linter = Callable[[], tuple[Problem, ...]]


def lint(root: Path, against: str | None = None) -> tuple[Problem, ...]:
    """All problems of the YAML below `root`, in order of file and line.

    Args:
        root: folder with agencies.yaml, contracts/ and agreements/.
        against: git reference or folder of an earlier state; then nothing is remembered.

    Raises:
        UsageError: there is no such folder, or none of these files is in it.
    """
    if not root.is_dir():
        msg = f"{root} is no folder: nothing was checked"
        raise UsageError(msg)
    if not any(next(root.glob(pattern), None) for pattern in PATTERNS):
        msg = f"{root} holds none of {', '.join(PATTERNS)}: nothing was checked"
        raise UsageError(msg)
    if against is not None:
        return _checked(root, against)
    return remembered(root, memory_folder(), lambda: _checked(root, None))


def proposed(root: Path) -> tuple[str, ...]:
    """Datasets whose contracts are only proposed: nothing of them is collected.

    Args:
        root: folder of contracts.
    """
    files = sorted(root.glob("contracts/*/*.odcs.yaml"))
    return tuple(
        f"{file.parent.name}/{file.name.split('.')[0]}"
        for file in files
        if _PROPOSED.search(file.read_text(encoding="utf-8", errors="replace"))
    )


def folder_in_force() -> Path:
    """The folder that every command reads: ONECARD_SCHEMAS, else the package's own."""
    return Settings.load().schemas or ROOT


def remembered(root: Path, memory: Path, check: Linter) -> tuple[Problem, ...]:
    """What `check` found of these very files before, else what it finds now.

    Args:
        root: the folder that `check` reads.
        memory: folder of the memory; one that others may write to is not trusted.
        check: the whole check.
    """
    store, before = Memory(memory), digest(root)
    name = f"lint-{digest_of([str(root)])[:16]}.json"
    content = store.recalled(name, before)
    if content is not None and (known := _problems(content)) is not None:
        return known
    found = check()
    whole = all(problem.rule != UNREADABLE for problem in found)
    if whole and digest(root) == before:  # else somebody wrote: of which state is the verdict?
        lines = [(str(p.file), p.line, p.field, p.rule, p.message) for p in found]
        store.keep(name, before, json.dumps(lines).encode())
    return found


def _problems(content: bytes) -> tuple[Problem, ...] | None:
    try:
        lines: list[list[Any]] = json.loads(content)
        return tuple(Problem(Path(file), *rest) for file, *rest in lines)
    except (ValueError, TypeError) as error:
        log.debug("lint's memory cannot be read (%s): all is checked", type(error).__name__)
        return None


def digest(root: Path) -> str:
    """A SHA-256 over all that the verdict on a folder may depend on."""
    return digest_of(_parts(root))


def _parts(root: Path) -> Iterator[str]:
    """The folder's own files, what runs, and all of our code."""
    yield from (str(root), *runtime())
    yield from contents(
        root, sorted({f for pattern in (*PATTERNS, *SERVICES) for f in root.glob(pattern)})
    )
    for package in CODE:
        yield from contents(Path(package.__path__[0]))


def _checked(root: Path, against: str | None) -> tuple[Problem, ...]:
    """The whole check; its modules are imported only when it is needed."""
    from schemas.lint import check, versions  # noqa: PLC0415

    kinds = {kind: connectors.options(kind) for kind in connectors.KINDS}
    with versions.earlier(against, root) if against else nullcontext() as before:
        return check.lint(root, connectors=kinds, against=before)
