"""The two services that `bench.serve` measures: `onecard serve`, and the bare handler."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
import requests

BEGINS_S, ENDS_S, LOOK_S = 120.0, 60.0, 0.1
HOST = "127.0.0.1"
T = TypeVar("T")
_SAID = re.compile(r"http://[^\s:]+:(\d+)")


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs.

    Attributes:
        port: where it listens, on this machine.
        process: that serves.
    """

    port: int
    process: psutil.Process

    @property
    def host(self) -> str:
        """As the header of that name has it."""
        return f"{HOST}:{self.port}"

    @property
    def cpu(self) -> float:
        """CPU seconds so far."""
        used = self.process.cpu_times()
        return float(used.user + used.system)

    @property
    def megabytes(self) -> float:
        """Memory that it holds now."""
        return float(self.process.memory_info().rss) / 1e6


@contextmanager
def governed(environment: Mapping[str, str], log: Path) -> Iterator[Served]:
    """`onecard serve`, ready to answer, until the block ends.

    Args:
        environment: of the hub.
        log: file that it writes to.

    Raises:
        SystemExit: it does not begin.
    """
    command = [str(Path(sys.executable).with_name("onecard")), "serve", "--listen", f"{HOST}:0"]
    with _started(command, environment, log) as process:
        found = _until(lambda: _SAID.search(log.read_text(encoding="utf-8")), process, log)
        port = int(found[1])
        _until(lambda: requests.get(f"http://{HOST}:{port}/readyz", timeout=5).ok, process, log)
        yield Served(port, psutil.Process(process.pid))


@contextmanager
def bare(address: str, environment: Mapping[str, str], log: Path) -> Iterator[Served]:
    """The bare handler, ready to answer, until the block ends.

    Args:
        address: of the hub's database.
        environment: of the process.
        log: file that it writes to.

    Raises:
        SystemExit: it does not begin.
    """
    with closing(socket.create_server((HOST, 0))) as free:
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "bench.serve_bare", address, str(port)]
    with _started(command, environment, log) as process:
        _until(lambda: requests.get(f"http://{HOST}:{port}/", timeout=5).status_code, process, log)
        yield Served(port, psutil.Process(process.pid))


@contextmanager
def _started(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(command, env=dict(environment), stdout=said, stderr=said)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(ENDS_S)


def _until(look: Callable[[], T | None], process: subprocess.Popen[bytes], log: Path) -> T:
    """What a look gives as soon as it gives something."""
    end = time.monotonic() + BEGINS_S
    while process.poll() is None and time.monotonic() < end:
        with suppress(requests.RequestException):
            if found := look():
                return found
        time.sleep(LOOK_S)
    msg = f"it does not begin: {log.read_text(encoding='utf-8')[-2000:]}"
    raise SystemExit(msg)
