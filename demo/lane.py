"""The live lane as a process of its own beside a rehearsal: `onecard live` with a door."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from demo import processes, standalone
from demo.processes import ANSWER_S, LOOPBACK

NAME = "the live lane"
LOOKS = "onecard_live_looks"
"""How often each piece of its work has looked for something to do (docs/monitoring.md)."""


@dataclass(frozen=True, slots=True)
class LaneProcess:
    """A lane that runs, or has ended.

    Attributes:
        door: its address, for wake-ups.
        figures: address of the page that Prometheus reads.
        log: everything that it says.
    """

    process: subprocess.Popen[bytes]
    door: str
    figures: str
    log: Path

    @property
    def exit_code(self) -> int | None:
        """None as long as it runs."""
        return self.process.poll()

    @property
    def ready(self) -> bool:
        """Whether it says that it can work, and has looked at everything once."""
        with requests.Session() as session:
            session.trust_env = False  # no proxy between two processes of one machine
            try:
                if not session.get(f"{self.door}/readyz", timeout=ANSWER_S).ok:
                    return False
                figures = session.get(f"{self.figures}/metrics", timeout=ANSWER_S).text
            except requests.RequestException:
                return False  # not yet, or no more: its exit code tells
        found = {family.name: family.samples for family in text_string_to_metric_families(figures)}
        looks = found.get(LOOKS, [])
        return bool(looks) and all(line.value for line in looks)

    def require_running(self) -> None:
        """Raises FatalError where it has ended by itself."""
        processes.require_running(NAME, self)


@contextmanager
def running(environment: Mapping[str, str], log: Path) -> Iterator[LaneProcess]:
    """The lane, ready for work while the context lasts; afterwards it ends in order.

    Args:
        environment: of a process of the hub.
        log: written anew.

    Raises:
        FatalError: it does not become ready.
    """
    door, figures = (f"{LOOPBACK}:{port}" for port in standalone.free_ports(0, 0))
    words = ("live", "--listen", door, "--metrics", figures)
    with processes.started(words, environment, log) as process:
        lane = LaneProcess(process, f"http://{door}", f"http://{figures}", log)
        processes.wait_until_ready(NAME, lane)
        yield lane
