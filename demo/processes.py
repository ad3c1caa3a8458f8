"""Processes of the hub that stay, beside a rehearsal: started, waited for, ended in order."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from demo import standalone
from onecard.errors import FatalError

ONECARD = (sys.executable, "-c", "from onecard.cli.entry import main; main()")
LOOPBACK = "127.0.0.1"
READY_WITHIN_S = 180.0
"""A machine that is busy with the imports of other processes needs some time."""
ENDS_WITHIN_S = 120.0
"""For what is in hand."""
POLL_S, ANSWER_S = 0.05, 5.0


class Staying(Protocol):
    """A process that stays."""

    @property
    def ready(self) -> bool:
        """Whether it says that it can work."""
        ...

    @property
    def log(self) -> Path:
        """Everything that it says."""
        ...

    @property
    def exit_code(self) -> int | None:
        """None as long as it runs."""
        ...


@contextmanager
def started(
    words: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """`onecard` with these words, running while the context lasts; afterwards it ends in order.

    Args:
        words: command and options.
        environment: of a process of the hub.
        log: written anew.
    """
    with log.open("w") as file:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*ONECARD, *words],
            env={"ONECARD_LOG": "text", **environment},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            standalone.end_group(process, ENDS_WITHIN_S)


def require_running(name: str, process: Staying) -> None:
    """Raises FatalError where it has ended by itself."""
    if process.exit_code is not None:
        msg = f"{name} has ended by itself ({process.exit_code}); see {process.log}"
        raise FatalError(msg)


def wait_until_ready(name: str, process: Staying) -> None:
    """Wait until it can work.

    Args:
        name: of the process, for messages.
        process: that was started.

    Raises:
        FatalError: it does not become ready, or has ended.
    """
    end = time.monotonic() + READY_WITHIN_S
    while not process.ready:
        require_running(name, process)
        if time.monotonic() > end:
            msg = f"{name} is not ready after {READY_WITHIN_S:g} s; see {process.log}"
            raise FatalError(msg)
        time.sleep(POLL_S)
