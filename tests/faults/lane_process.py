"""`onecard live` as a process of its own, that may be killed, stopped, cut off or told to end.

It is the command itself, forked from a server that has imported everything; only its pace is
quicker, and the circuit breakers' clock may be set on by a test.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

from connectors.common import breaker
from onecard.cli import live
from onecard.live.lane import Lane
from onecard.live.pace import Pace
from tests import forked
from tests.waiting import until

PACE = Pace(look=0.1, busy=0.02, whole=30.0, first=0.05, most=0.5, span=3.0, renew=0.3)
"""Everything within seconds; what is rejected or not woken is looked at twice a minute."""
GONE_S = 120.0


def live_at(command: forked.Command, later: Path, pace: Pace) -> None:
    """The command in this process, at its pace; does not return.

    Args:
        command: `onecard live`, with its environment and streams.
        pace: of the lane.
        later: a file whose size is by how many seconds the breakers' clock is ahead.
    """

    def clock() -> float:
        ahead = later.stat().st_size if later.exists() else 0
        return time.monotonic() + ahead

    breaker._clock = clock
    live.Lane = partial(Lane, pace=pace)  # type: ignore[assignment, misc]
    forked.call(command)


@dataclass(frozen=True)
class LaneProcess:
    """A process of the lane.

    Attributes:
        folder: of its streams.
    """

    process: BaseProcess
    folder: Path

    @classmethod
    def start(
        cls,
        environment: Mapping[str, str],
        folder: Path,
        *,
        door: bool = False,
        pace: Pace = PACE,
    ) -> LaneProcess:
        """Start one; it works as soon as it has leases.

        Args:
            environment: all of it.
            folder: where its streams' files are made, below a folder of its own.
            door: whether it has one.
            pace: at which it works.
        """
        own = folder / f"lane-{secrets.token_hex(4)}"
        own.mkdir(parents=True)
        given = own / "given"
        given.touch()
        words = ("live", "--listen", "127.0.0.1:0") if door else ("live",)
        known = {**environment, "ONECARD_LOG": "json", "ONECARD_LOG_LEVEL": "INFO"}
        command = forked.Command(known, words, given, own / "said", own / "complained")
        process = forked.context.Process(target=live_at, args=(command, own / "later", pace))
        process.start()
        return cls(process, own)

    @property
    def pid(self) -> int:
        """Of the process."""
        return int(self.process.pid or 0)

    @property
    def holder(self) -> str:
        """With what the names of its leases' holder go on after the machine's."""
        return f"/{self.pid}/"

    @property
    def port(self) -> int:
        """Of its door, once it has said where that is."""
        until(lambda: self._ports, "where its door is")
        return self._ports[0]

    @property
    def _ports(self) -> list[int]:
        """That it has said so far."""
        file = self.folder / "said"
        said = file.read_text(encoding="utf-8") if file.exists() else ""
        return [int(port) for port in re.findall(r"http://[\d.]+:(\d+)", said)]

    @property
    def log(self) -> str:
        """What it has said on its error stream."""
        file = self.folder / "complained"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.is_alive()

    def later(self, seconds: int) -> None:
        """Set the clock of its circuit breakers on."""
        with (self.folder / "later").open("a", encoding="ascii") as file:
            file.write("." * seconds)

    def killed(self) -> None:
        """Wait until it has killed itself at its point."""
        self.process.join(GONE_S)
        assert self.process.exitcode == -signal.SIGKILL, self.log

    def stopped(self) -> None:
        """Wait until it has stopped itself at its point."""
        until(lambda: not self.alive or self._state == "T", "the process stops")
        assert self.alive, self.log

    @property
    def _state(self) -> str:
        """As the kernel has it: T is stopped."""
        return Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, wherever it is."""
        self.process.kill()
        self.process.join(GONE_S)

    def end(self) -> None:
        """SIGTERM, once it has begun; it ends after its batches in hand, with exit code 0."""
        until(lambda: "lease taken" in self.log, "the process's leases")
        self.signal(signal.SIGTERM)
        self.process.join(GONE_S)
        assert self.process.exitcode == 0, self.log


@contextmanager
def none_left(*running: LaneProcess) -> Iterator[None]:
    """Whatever happens in the block, these processes do not outlive it."""
    try:
        yield
    finally:
        for process in running:
            process.kill()
