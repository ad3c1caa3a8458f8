"""The query and verify service as a process of its own beside a rehearsal: `onecard serve`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from demo import processes, standalone
from demo.processes import ANSWER_S, LOOPBACK

NAME = "the query and verify service"


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A service that runs, or has ended.

    Attributes:
        door: its address, for calls.
        log: everything that it says.
    """

    process: subprocess.Popen[bytes]
    door: str
    log: Path

    @property
    def exit_code(self) -> int | None:
        """None as long as it runs."""
        return self.process.poll()

    @property
    def ready(self) -> bool:
        """Whether it says that it can answer."""
        with requests.Session() as session:
            session.trust_env = False  # no proxy between two processes of one machine
            try:
                return session.get(f"{self.door}/readyz", timeout=ANSWER_S).ok
            except requests.RequestException:
                return False  # not yet, or no more: its exit code tells

    def wait_until_ready(self) -> None:
        """Wait until it can answer.

        Raises:
            FatalError: it does not become ready.
        """
        processes.wait_until_ready(NAME, self)


@contextmanager
def running(environment: Mapping[str, str], log: Path) -> Iterator[ServiceProcess]:
    """The service while the context lasts, ready or not yet; afterwards it ends in order.

    Args:
        environment: of a process of the hub.
        log: written anew.
    """
    (port,) = standalone.free_ports(0)
    door = f"{LOOPBACK}:{port}"
    with processes.started(("serve", "--listen", door), environment, log) as process:
        yield ServiceProcess(process, f"http://{door}", log)
