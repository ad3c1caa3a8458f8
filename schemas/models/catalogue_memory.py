"""The catalogue as a process before read it: for a command that people wait for.

Reading it strictly takes longer than all that `onecard status` then does. What was read is kept
(`onecard.base.memory`) under a digest of every file that it may come from, of our own code and code
lists, of Python and all installed packages: one other byte, and everything is read and checked
anew. It is a pickle, since from JSON all validators would be made and run again; nothing but the
catalogue's own classes can be made from it.

For short processes only: one that outlives an upgrade would keep, under the new code's digest,
what the old code read.
"""

from __future__ import annotations

import io
import logging
import pickle
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path, PosixPath

import onecard.base
import onecard.errors
import schemas
from onecard.base.memory import Memory, contents, digest_of, runtime
from schemas.models import catalogue
from schemas.models.catalogue import Catalogue
from schemas.models.strict_yaml import UNREADABLE

CODE = (schemas, onecard.base, onecard.errors)
"""All that reads the catalogue; a test looks at what is imported for it."""
OTHERS = {(kind.__module__, kind.__name__): kind for kind in (date, timedelta, PosixPath)}
OURS = "schemas.models."
log = logging.getLogger(__name__)


def load(root: Path, memory: Memory) -> Catalogue:
    """As `catalogue.load`, from the memory where these very files were read before.

    Args:
        root: folder of contracts and agreements.
        memory: where it is kept.
    """
    name = f"catalogue-{digest_of([str(root)])[:16]}.pickle"
    before = digest(root)
    known = memory.recalled(name, before)
    if known is not None and (found := _unpickled(known)) is not None:
        return found
    found = catalogue.load(root)
    whole = all(problem.rule != UNREADABLE for problem in found.problems)
    if whole and digest(root) == before:  # else somebody wrote meanwhile: which state was read?
        memory.keep(name, before, pickle.dumps(found, pickle.HIGHEST_PROTOCOL))
    return found


def digest(root: Path) -> str:
    """A SHA-256 over all that the catalogue may depend on."""
    return digest_of(_parts(root))


def _parts(root: Path) -> Iterator[str]:
    yield from (str(root), catalogue.digest(root), *runtime())
    for package in CODE:
        yield from contents(Path(package.__path__[0]))


class _Reader(pickle.Unpickler):
    """Knows the classes of the catalogue's models and no function, so a pickle can run nothing."""

    def find_class(self, module: str, name: str) -> type:
        if (module, name) in OTHERS:
            return OTHERS[module, name]
        if module.startswith(OURS) and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        msg = "not a class of the catalogue"
        raise pickle.UnpicklingError(msg)


def _unpickled(content: bytes) -> Catalogue | None:
    try:
        found = _Reader(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, AttributeError, EOFError, ImportError, TypeError) as error:
        log.debug("the catalogue's memory cannot be read (%s)", type(error).__name__)
        return None
    return found if isinstance(found, Catalogue) else None
