"""How a process of the command line ends when threads are left behind in a driver.

Whoever is interrupted, or has waited long enough, leaves such threads behind (`prefetch`,
`timeouts.within`). An interpreter that ends unwinds each of them that comes back from C, and where
C++ or Rust stands on its stack the process aborts (SIGABRT, "exception not rethrown") instead of
ending with its code. So what must be done at the end is done, and then the process ends at once.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from onecard.base import interrupts

_codes: list[int] = []


@contextmanager
def with_its_code() -> Iterator[None]:
    """End with the code that the block exits with, whatever threads there are then."""
    # Whoever registers first comes last: a server is stopped, a folder removed before.
    atexit.register(_end)
    try:
        yield
    except SystemExit as ended:
        if isinstance(ended.code, int):
            _codes.append(ended.code)
        raise


def _end() -> None:
    threads = threading.enumerate()
    left = any(thread.daemon and thread.name != interrupts.WATCHER for thread in threads)
    if left and _codes:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(_codes[-1])
