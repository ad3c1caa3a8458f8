"""Runs something in a process whose files may not grow past a size: its writes fail for real.

The kernel answers EFBIG, from the same places as ENOSPC, and no file system must be mounted for it.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

_context = multiprocessing.get_context("forkserver")


def _run(pipe: Connection, limit: int, action: Callable[..., object], arguments: Any) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    sys.dont_write_bytecode = True  # a module imported here would be cut off for all others
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        action(*arguments)
    except Exception as error:  # noqa: BLE001 - the parent looks at it
        pipe.send((type(error).__name__, str(error), getattr(error, "exit_code", None)))
    else:
        pipe.send(("", "", 0))
    pipe.close()


def limited(limit: int, action: Callable[..., object], *arguments: Any) -> tuple[str, str, int]:
    """Run a function of a module where no file grows past `limit` bytes.

    Returns:
        Type and text of what it raised, and its exit code; empty texts when it ended well.
    """
    mine, its = _context.Pipe()
    process = _context.Process(target=_run, args=(its, limit, action, arguments))
    process.start()
    its.close()
    assert mine.poll(60), "it hangs"
    found: tuple[str, str, int] = mine.recv()
    process.join(10)
    return found
