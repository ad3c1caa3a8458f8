"""The processes that the bench of the live lane watches: the lane itself, and what works beside it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import psutil

from bench import server_cpu

SAMPLE_S = 0.2
ENDS_S = 300.0
"""A lane that was told to end does so after the batches in hand."""


@dataclass(slots=True)
class Spent:
    """What a stretch of time took.

    Attributes:
        seconds: by the clock.
        lane: CPU seconds of the lane's processes.
        server: of PostgreSQL, all its processes; None where it does not run on this machine.
        agencies: of the agencies' HTTP and SFTP servers.
        megabytes: peak of the lane's largest process.
    """

    seconds: float = 0.0
    lane: float = 0.0
    server: float | None = None
    agencies: float = 0.0
    megabytes: float = 0.0


@dataclass(slots=True)
class Watched:
    """Running lanes, the database's server and the agencies' servers.

    Attributes:
        address: of the database's server.
        lanes: processes of `onecard live`.
        log: what they have written.
    """

    address: str
    lanes: tuple[psutil.Process, ...]
    log: Path
    _peak: float = field(default=0.0, init=False)

    @contextmanager
    def spending(self) -> Iterator[Spent]:
        """Measure a stretch of time.

        Raises:
            SystemExit: a lane has ended by itself.
        """
        spent, over = Spent(), threading.Event()
        begun, lane, server = perf_counter(), _cpu(self.lanes), server_cpu.spent(self.address)
        agencies = _agencies()
        agencies_before, self._peak = _cpu(agencies), 0.0
        sampling = threading.Thread(target=self._sample, args=(over,), daemon=True)
        sampling.start()
        try:
            yield spent
        finally:
            over.set()
            sampling.join()
        spent.seconds = perf_counter() - begun
        spent.lane = _cpu(self.lanes) - lane
        spent.server = server_cpu.since(server, server_cpu.spent(self.address))
        spent.agencies, spent.megabytes = _cpu(agencies) - agencies_before, self._peak

    def _sample(self, over: threading.Event) -> None:
        """Look at their memory again and again."""
        while not over.wait(SAMPLE_S):
            for lane in self.lanes:
                if lane.is_running():
                    self._peak = max(self._peak, lane.memory_info().rss / 1e6)

    def require_alive(self) -> None:
        """Raises SystemExit where a lane has ended by itself."""
        if not all(
            lane.is_running() and lane.status() != psutil.STATUS_ZOMBIE for lane in self.lanes
        ):
            msg = f"a lane has ended: {self.log.read_text(encoding='utf-8')[-2000:]}"
            raise SystemExit(msg)


@contextmanager
def lanes(count: int, environment: Mapping[str, str], address: str, log: Path) -> Iterator[Watched]:
    """`onecard live` in so many processes, which share the work, until the block ends.

    Args:
        count: of the processes.
        environment: of the hub.
        address: of the database's server, whose CPU seconds count as well.
        log: file that they write to.
    """
    command = [str(Path(sys.executable).with_name("onecard")), "live"]
    with log.open("w", encoding="utf-8") as said:
        started = [
            subprocess.Popen(command, env=dict(environment), stdout=said, stderr=said)
            for _ in range(count)
        ]
        try:
            yield Watched(address, tuple(psutil.Process(p.pid) for p in started), log)
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(ENDS_S)


def _agencies() -> tuple[psutil.Process, ...]:
    """The agencies' servers, which are a child of this process."""
    children = psutil.Process().children(recursive=True)
    return tuple(child for child in children if "demo.serve" in child.cmdline())


def _cpu(processes: tuple[psutil.Process, ...]) -> float:
    """CPU seconds of processes and of the children that they have waited for."""
    return sum(sum(process.cpu_times()[:4]) for process in processes if process.is_running())
