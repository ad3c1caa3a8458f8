"""Workers as processes of this machine, with the environment of this one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

THREADS = "POLARS_MAX_THREADS"
"""How many threads a process's checks take: all cores, unless it is told."""


class Processes:
    """Implements `onecard.ports.workers.Workers`; use as a context manager.

    The process that workers are forked from begins with the block: it imports what they need while
    this one opens the transfer. With the block it ends, and all workers with it.
    """

    def __init__(self, number: int, environment: Mapping[str, str] | None = None) -> None:
        """Name the workers; none is begun.

        Args:
            number: how many at once.
            environment: of each; None: that of this process.
        """
        self._number = number
        self._environment = dict(os.environ if environment is None else environment)
        self._environment.setdefault(THREADS, str(max(1, (os.cpu_count() or 1) // number)))
        self._first: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._begun()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def read(self, dataset: str, transfer: int, parts: int, snapshot: str) -> None:
        """As the port; whoever interrupts this process ends the workers too.

        Args:
            dataset: its id.
            transfer: that is open.
            parts: how many partitions there are; more workers than these are not begun.
            snapshot: name of the state of the source that is held for them.
        """
        given = json.dumps([min(self._number, parts), dataset, transfer, snapshot])
        if not _answered(self._begun(), given):  # it was killed: no worker may go on behind us
            self._end()

    def _begun(self) -> subprocess.Popen[bytes]:
        """The process that workers are forked from; another one where the last has ended."""
        if self._first is None:
            # A session of their own: Ctrl-C goes to this process, which ends them.
            self._first = subprocess.Popen(
                [sys.executable, "-m", "onecard.app.worker"],
                bufsize=0,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        return self._first

    def _end(self) -> None:
        first, self._first = self._first, None
        if first is not None:
            with first, suppress(ProcessLookupError):
                os.killpg(first.pid, signal.SIGKILL)


def _answered(first: subprocess.Popen[bytes], line: str) -> bool:
    """Whether all workers of a line have ended; False: who began them has, before."""
    if first.stdin is None or first.stdout is None:
        return False
    try:
        first.stdin.write(f"{line}\n".encode())
    except BrokenPipeError:
        return False
    return bool(first.stdout.readline())
