"""How a process of the command line ends when threads are left behind in a driver.

Whoever is interrupted, or has waited long enough, leaves such threads behind (`prefetch`,
`timeouts.within`). An interpreter that ends unwinds each of them that comes back from C, and where
C++ or Rust stands on its stack the process aborts (SIGABRT, "exception not rethrown") instead of
ending with its code. So what must be done at the end is done, and then the process ends at once.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from onecard.base import interrupts

NOT_WRITTEN = 120
"""Exit code where standard output could not be written to its end: that of Python itself."""


@contextmanager
def with_its_code() -> Iterator[None]:
    """End with the code that the block exits with, whatever threads there are then."""
    code = None

    def end() -> None:
        if code is not None:
            _end(code)

    # Whoever registers first comes last: a server is stopped, a folder removed before.
    atexit.register(end)
    try:
        yield
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else None
        raise


def _end(code: int) -> None:
    threads = threading.enumerate()
    left = any(thread.daemon and thread.name != interrupts.WATCHER for thread in threads)
    if left:
        logging.shutdown()
        written = [_flushed(stream) for stream in (sys.stdout, sys.stderr)]
        os._exit(code or (0 if all(written) else NOT_WRITTEN))


def _flushed(stream: TextIO | None) -> bool:
    """Whether all of it is written; one that was closed before the process began has nothing."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        return False
    return True
