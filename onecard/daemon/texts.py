"""Whether any file has changed that the catalogue is read from."""

from __future__ import annotations

import os
import stat
from pathlib import Path

KINDS = (".yaml", ".csv", ".json")

Stamp = frozenset[tuple[str, int, int]]
"""Files with their time of change and size."""


def stamp_of(*places: Path) -> Stamp:
    """A stamp that is another one when a file was written, came or went.

    Args:
        places: folders, looked at with all that is below them, behind links too, and single files.
    """
    found: set[tuple[str, int, int]] = set()
    for place in places:
        for file in (str(place), *_below(place)):
            try:
                seen = os.stat(file)  # noqa: PTH116 - each second
            except OSError:  # it went meanwhile: the next look tells
                continue
            if stat.S_ISREG(seen.st_mode):
                found.add((file, seen.st_mtime_ns, seen.st_size))
    return frozenset(found)


def _below(place: Path) -> list[str]:
    """Files of a folder and its folders; each folder once, whatever links lead to it."""
    found: list[str] = []
    walked: set[str] = set()
    for folder, below, names in os.walk(place, followlinks=True):
        where = os.path.realpath(folder)
        if where in walked:
            below.clear()
            continue
        walked.add(where)
        found += [os.path.join(folder, n) for n in names if n.endswith(KINDS)]  # noqa: PTH118 - each second
    return found
