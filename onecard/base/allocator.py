"""Where the memory of rows comes from: the C library's allocator, which keeps what was freed.

Rows flow in batches of a few megabytes. Left alone, glibc gives the memory of each back to the
kernel, which clears every page anew for the next; Arrow's own allocator has huge pages cleared, and
keeps up to 90 MB more of what files and pages were read into.
"""

from __future__ import annotations

import os
from functools import cache

POOL = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""What a process has in its environment before it imports Arrow."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""
_STATED = frozenset(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"))
"""By which whoever runs a process says the same."""
_KEPT = 32 << 20
"""Bytes that may stay free at the end of a heap."""
_LARGE = 4 << 20
"""What has more bytes is no column of a batch: it is given back at once."""


def choose() -> None:
    """Let Arrow take the C library's allocator, before it is imported."""
    for name, value in POOL.items():
        os.environ.setdefault(name, value)


@cache
def keep_freed() -> bool:
    """Let glibc keep what is freed; it is asked once in a process.

    Returns:
        Whether it does: another C library has its own ways, and whoever runs the process may have
        said in its environment how it is to be.
    """
    import ctypes  # noqa: PLC0415 - only where rows flow

    if _STATED & os.environ.keys():
        return False
    try:
        set_to = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(set_to(_MMAP_THRESHOLD, _LARGE)) and bool(set_to(_TRIM_THRESHOLD, _KEPT))
