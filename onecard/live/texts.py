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
        places: folders, looked at with all that is below them, and single files.
    """
    found: set[tuple[str, int, int]] = set()
    for place in places:
        files = [str(place)]
        for folder, _, names in os.walk(place):
            files += [os.path.join(folder, n) for n in names if n.endswith(KINDS)]  # noqa: PTH118 - each second
        for file in files:
            try:
                seen = os.stat(file)  # noqa: PTH116 - each second
            except OSError:  # it went meanwhile: the next look tells
                continue
            if stat.S_ISREG(seen.st_mode):
                found.add((file, seen.st_mtime_ns, seen.st_size))
    return frozenset(found)
