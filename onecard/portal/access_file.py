"""The mapping of users to agencies as its file says it now: parsed anew when the file is another.

A look at the file's state (times, size, place on the disk) costs a hundredth of parsing it. What
was written a moment ago may be written again within one tick of the file system's clock, with as
many bytes, and look the same: until `SETTLED_NS` have gone by it is parsed at each request.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from onecard.portal import access
from onecard.portal.access import AccessMap

SETTLED_NS = 2_000_000_000
"""Longer than the tick of any file system, and of a share whose clock is a little behind."""

_State = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Read:
    """What a file said, in which state, for which agencies."""

    state: _State
    known: tuple[str, ...]
    found: AccessMap


class AccessFile:
    """Gives the mapping to each request.

    Args:
        file: that ONECARD_PORTAL_USERS names; None: nobody is mapped.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._read: _Read | None = None

    def now(self, known: Iterable[str]) -> AccessMap:
        """The mapping by the file as it stands now.

        Args:
            known: agencies of the catalogue.

        Raises:
            InvalidFile, ConfigError: as `access.load`, at each request until the file is right.
        """
        if self._file is None:
            return access.load(None, known)
        agencies, began = tuple(known), time.time_ns()
        state, read = _state(self._file), self._read
        if read is not None and state == read.state and agencies == read.known:
            return read.found
        found = access.load(self._file, agencies)
        settled = state is not None and began - max(state[:2]) > SETTLED_NS
        # Looked at before it was read: what changes meanwhile is another state.
        self._read = _Read(state, agencies, found) if state is not None and settled else None
        return found


def _state(file: Path) -> _State | None:
    """All by which a file that was written again is another; None: it cannot be looked at."""
    try:
        seen = file.stat()
    except OSError:  # whoever reads it says why
        return None
    return seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_ino, seen.st_dev
