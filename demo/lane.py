"""The live lane as a process of its own beside a rehearsal: `onecard live` with a door."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from demo import standalone
from onecard.errors import FatalError

ONECARD = (sys.executable, "-c", "from onecard.cli.entry import main; main()")
LOOPBACK = "127.0.0.1"
READY_WITHIN_S = 180.0
"""A machine that is busy with the imports of other processes needs some time."""
ENDS_WITHIN_S = 120.0
"""For the batches in hand."""
POLL_S, ANSWER_S = 0.05, 5.0
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
        if self.exit_code is not None:
            msg = f"the live lane has ended by itself ({self.exit_code}); see {self.log}"
            raise FatalError(msg)


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
    with log.open("w") as file:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*ONECARD, "live", "--listen", door, "--metrics", figures],
            env={"ONECARD_LOG": "text", **environment},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            lane = LaneProcess(process, f"http://{door}", f"http://{figures}", log)
            _wait_until_ready(lane)
            yield lane
        finally:
            standalone.end_group(process, ENDS_WITHIN_S)


def _wait_until_ready(lane: LaneProcess) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while not lane.ready:
        lane.require_running()
        if time.monotonic() > end:
            msg = f"the live lane is not ready after {READY_WITHIN_S:g} s; see {lane.log}"
            raise FatalError(msg)
        time.sleep(POLL_S)
