"""Nights in processes of their own: one through Airflow's DAGs, more of them without."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from demo.progress import Listener, progress
from demo.rehearsal import REPOSITORY, Rehearsal
from onecard.errors import FatalError
from onecard.model.transfers import Transfer
from onecard.operations import night
from onecard.store import database, transfer_history

NIGHT = REPOSITORY / "dags" / "night.py"
READY = "Airflow is ready"
"""The first step of a night, before any task."""
LAST_STEPS = ("audit_staged", "stage")
"""Steps of a dataset after which, if they end well, another follows."""


@dataclass(frozen=True, slots=True)
class NightRun:
    """A night that has run through the DAGs.

    Attributes:
        exit_code: of its process; 0 when every DAG run succeeded.
        seconds: how long the process took.
        log: everything that it said.
        before: the newest transfer's id before it, 0 for none.
        transfers: what it did.
    """

    exit_code: int
    seconds: float
    log: Path
    before: int
    transfers: tuple[Transfer, ...]

    @property
    def ended(self) -> int:
        """How many transfers ended well."""
        return sum(t.status in ("published", "confirmed") for t in self.transfers)

    @property
    def transfer_seconds(self) -> float:
        """Seconds inside transfers; those that ran side by side count each."""
        return sum(t.seconds for t in self.transfers)


def through_the_dags(stage: Rehearsal, day: int, *, shown: bool) -> NightRun:
    """Run one night through the DAGs, in a process of its own.

    Args:
        stage: a running rehearsal, whose day is prepared.
        day: which night.
        shown: whether people see how far it is.

    Raises:
        FatalError: it ended before any transfer began.
    """
    hub = stage.hub(day)
    with database.connect(hub.address, autocommit=True) as connection:
        before = max((t.id for t in transfer_history.latest(connection)), default=0)
    log = stage.home / f"night-{day}.log"
    steps = len((READY, *night.datasets(hub), *night.agreements(hub)))
    started = time.monotonic()
    with progress(f"night {day}", steps, shown=shown) as ended:
        code = _logged([sys.executable, str(NIGHT)], stage.at(day), log, task_teller(ended))
    seconds = time.monotonic() - started
    with database.connect(hub.address, autocommit=True) as connection:
        transfers = tuple(transfer_history.since(connection, before))
    if code and not transfers:
        msg = f"the night did not start; see {log}"
        raise FatalError(msg)
    return NightRun(code, seconds, log, before, transfers)


def without_airflow(stage: Rehearsal, nights: range, *, shown: bool, verify: bool = False) -> float:
    """Run more nights as `onecard nightly` would, all in one process; returns the seconds.

    Args:
        stage: a running rehearsal, in which all earlier nights have run.
        nights: which ones.
        shown: whether people see how far it is.
        verify: compare every inbox with its agreement after every night.

    Raises:
        FatalError: not all of them ended well, or an inbox differs.
    """
    started = time.monotonic()
    city, log = stage.city, stage.home / "history.log"
    wanted = {
        "home": stage.home,
        "seed": city.seed,
        "persons": city.persons,
        "first": nights.start,
        "last": nights.stop - 1,
    }
    arguments = [text for name, value in wanted.items() for text in (f"--{name}", str(value))]
    environment = stage.at(nights.stop - 1) | {
        "ONECARD_DEMO_AGENCIES": city.postgres_url,
        "POLARS_MAX_THREADS": "1",  # small batches: more threads only wait for each other
    }
    with progress("more nights", len(nights), shown=shown) as ended:
        command = [sys.executable, "-m", "demo.history", *arguments, *["--verify"] * verify]
        code = _logged(command, environment, log, lambda line: ended(f"night {line.strip()}"))
    if code:
        msg = f"the nights of the history did not all end well; see {log}"
        raise FatalError(msg)
    return time.monotonic() - started


def _logged(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    told: Callable[[str], None],
) -> int:
    """Run a command whose output goes to a log, each line of its standard output also to `told`.

    Args:
        command: a program of ours and its arguments.
        environment: of its process.
        log: written anew.
        told: what is called with each line.

    Returns:
        Its exit code.
    """
    with log.open("w") as file:
        running = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            list(command), env=dict(environment), stdout=subprocess.PIPE, stderr=file, text=True
        )
        _copied(running.stdout, file, told)
        return running.wait()


def _copied(lines: IO[str] | None, log: IO[str], told: Callable[[str], None]) -> None:
    for line in lines or ():
        log.write(line)
        log.flush()
        told(line)


def task_teller(ended: Listener) -> Callable[[str], None]:
    """Reads the lines of dags/night.py; tells what was collected or delivered, or failed."""

    def tell(line: str) -> None:
        if line.startswith('{"tasks"'):
            ended(READY)
            return
        said = json.loads(line) if line.startswith('{"task"') else {}
        dag, _, task = str(said.get("task", "")).partition(".")
        dataset, _, step = task.partition(".")
        well = said.get("state") == "success"
        if not said or (well and step in LAST_STEPS):
            return
        agency = dag.partition("_")[2]
        subject = f"{agency}/{dataset}" if step else task
        ended(subject if well else f"{subject}: {said['state']}")

    return tell
