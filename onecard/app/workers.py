"""Workers as processes of this machine: each begins anew, with the environment of this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

THREADS = "POLARS_MAX_THREADS"
"""How many threads a process's checks take: all cores, unless it is told."""


@dataclass(frozen=True, slots=True)
class Processes:
    """Implements `onecard.ports.workers.Workers`.

    Attributes:
        number: how many at once.
        environment: of each; None: that of this process.
    """

    number: int
    environment: Mapping[str, str] | None = None

    def read(self, dataset: str, transfer: int, parts: int, snapshot: str) -> None:
        """As the port; whoever interrupts this process ends the workers too.

        Args:
            dataset: its id.
            transfer: that is open.
            parts: how many partitions there are; more workers than these are not begun.
            snapshot: name of the state of the source that is held for them.
        """
        number = min(self.number, parts)
        words = [sys.executable, "-m", "onecard.app.worker", dataset, str(transfer), snapshot]
        environment = dict(os.environ if self.environment is None else self.environment)
        environment.setdefault(THREADS, str(max(1, (os.cpu_count() or 1) // number)))
        running: list[subprocess.Popen[bytes]] = []
        try:
            # A session of their own: Ctrl-C goes to this process, which ends them.
            running += [
                subprocess.Popen(  # noqa: S603 - our own module
                    words, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
                )
                for _ in range(number)
            ]
            for process in running:
                process.wait()
        finally:
            for process in running:
                process.kill()
                process.wait()
