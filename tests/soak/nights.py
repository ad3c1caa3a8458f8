"""Simulated nights in a row with faults, beside a twin city where nothing goes wrong.

Both cities have the same residents, the same days and the same keys. After every night the one
with faults must hold exactly what its twin holds: published rows, quarantine, and each consumer's
inbox.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path

from sqlalchemy.engine import make_url

from demo import receivers
from demo.http_api import PUBLIC_KEYS
from demo.rehearsal import Rehearsal, start
from onecard.store import database
from schemas.models import catalogue
from tests.faults.harness import Harness
from tests.forked import context
from tests.soak.compare import differences, unplanted
from tests.soak.faults import AROUND, AT, QUIET, Ring, ring
from tests.soak.worker import HALVES, Worker, once

QUARANTINE_DAYS = 30
WEEK = 7
ATTEMPTS = 3
"""So many attempts at half a night have faults; the one after them has none, and must end well."""
os.environ.setdefault("MALLOC_ARENA_MAX", "2")
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
"""As `docker-compose.yml` sets both for workers, and says why."""
MOST_SECONDS = 3.0
"""A process is killed at a random time within so many seconds."""
NOT_AT_FIRST = ("shrunk",)
"""On the first night nobody knows how large a source usually is: what is half is believed."""
LOST = {"missing", "differing"}
"""What a weekly reconciliation must not find."""


class Unsound(AssertionError):
    """Something is not as it must be after a night."""


def sound(night: int, holds: bool, what: object) -> None:
    """Go on only while everything is as it must be."""
    if not holds:
        msg = f"night {night}: {what}"
        raise Unsound(msg)


def morning(environment: dict[str, str]) -> dict[str, str]:
    """At 07:00, when housekeeping runs: a clock that was minutes off in the night decides nothing."""
    at = datetime.fromisoformat(environment["ONECARD_NOW"]).replace(hour=7)
    return {**environment, "ONECARD_NOW": at.isoformat()}


@dataclass(frozen=True, slots=True)
class Figures:
    """After one night.

    Attributes:
        faults: names of what was made to go wrong.
        failed: transfers that ended as failed or held in the attempts.
        rows_read: rows read by published collects.
        megabytes: resident memory of the hub's process.
        sizes: rows of quarantine and registry, tables in staging, the database's megabytes.
    """

    night: int
    faults: tuple[str, ...]
    attempts: int
    failed: int
    rows_read: int
    megabytes: float
    sizes: dict[str, float]


@dataclass
class Soak:
    """Two cities, the proxies around the first, and one worker for each."""

    around: Ring
    twin: Rehearsal
    worker: Worker
    calm: Worker
    done: list[Figures] = field(default_factory=list)
    purged: int = 0
    tombstones: int = 0
    killed: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    _last: int = 0

    @property
    def stage(self) -> Rehearsal:
        """The city with faults."""
        return self.around.stage

    def night(self, number: int) -> Figures:
        """Run one night in both cities and compare them.

        Raises:
            Unsound: something was lost, doubled, left behind or miscounted.
        """
        if number:
            self.stage.city.prepare(number)
            self.twin.city.prepare(number)
        faults, attempts, failed = self._with_faults(number)
        for half in HALVES:
            left = self.calm.ask(half, self.twin.at(number))
            sound(number, not left, f"the twin: {left}")
        if number % WEEK == WEEK - 1:
            self._weekly(number)
        purged = self.worker.ask("housekeeping", morning(self.stage.at(number)))
        same = purged == self.calm.ask("housekeeping", morning(self.twin.at(number)))
        sound(number, same, f"purged {purged}, but not so the twin")
        self.purged += purged
        self._check(number)
        found = Figures(
            number, faults, attempts, failed, self._read(), self.worker.megabytes, self._sizes()
        )
        self.seen.update(faults)
        self.done.append(found)
        return found

    def _with_faults(self, number: int) -> tuple[tuple[str, ...], int, int]:
        """Both halves of a night; returns the faults, attempts with faults, and what failed."""
        made, failed = list[list[str]](), 0
        for half in HALVES:
            failed += self._half(number, half, made)
        return tuple(chain.from_iterable(made)), len(made), failed

    def _half(self, number: int, half: str, made: list[list[str]]) -> int:
        """Attempts with faults until one ends well, then one without; returns how many failed.

        Deliveries begin when all is collected: what leaves before a consent's end has been read
        is not what leaves after it, and both are right.
        """
        known, failed = [n for n in AT[half] if number or n not in NOT_AT_FIRST], 0
        for _ in range(ATTEMPTS):
            made.append(self.around.chance.sample(known, self.around.chance.randrange(1, 4)))
            left = self._attempt(half, self.stage.at(number), made[-1])
            failed += len(left)
            if not left:
                break
        self.around.clean()
        left = self.worker.ask(half, self.stage.at(number))
        sound(number, not left, f"without faults: {left}")
        return failed

    def _attempt(self, half: str, environment: dict[str, str], chosen: list[str]) -> dict[str, str]:
        self.around.clean()
        with ExitStack() as stack:
            for name in chosen:
                if name in QUIET:
                    QUIET[name](self.around, environment)
                elif name in AROUND:
                    stack.enter_context(AROUND[name](self.around))
            if "killed" in chosen:
                self._kill(half, environment)
            if "twice" in chosen:
                stack.enter_context(self._another(half, environment))
            left: dict[str, str] = self.worker.ask(half, environment)
            return left

    def _kill(self, half: str, environment: dict[str, str]) -> None:
        process = context.Process(target=once, args=(half, environment))
        process.start()
        time.sleep(self.around.chance.uniform(0.1, MOST_SECONDS))
        process.kill()
        process.join()
        self.killed += 1

    @contextmanager
    def _another(self, half: str, environment: dict[str, str]) -> Iterator[None]:
        process = context.Process(target=once, args=(half, environment))
        process.start()
        try:
            yield
        finally:
            process.join()

    def _weekly(self, number: int) -> None:
        """Reconcile every dataset of both; what is deleted at the source ends as a tombstone."""
        ours = self.worker.ask("reconcile", self.stage.at(number))
        same = ours == self.calm.ask("reconcile", self.twin.at(number))
        sound(number, same, f"reconciliations differ: {ours}")
        for dataset, counts in ours.items():
            sound(number, not LOST & counts.keys(), f"{dataset} was lost or changed: {counts}")
            self.tombstones += counts.get("tombstoned", 0)

    def _check(self, number: int) -> None:
        problems = self._harness.problems(self._last)
        problems += differences(self.stage, self.twin, number)
        if number < QUARANTINE_DAYS - 1:
            problems += unplanted(self.stage, number)
        sound(number, not problems, problems)

    @property
    def _harness(self) -> Harness:
        name = str(make_url(self.stage.environment["ONECARD_DATABASE_URL"]).database)
        return Harness(self.stage, name, name)

    def _read(self) -> int:
        with database.connect(self.stage.hub(0).address, autocommit=True) as connection:
            row = connection.execute(
                "SELECT coalesce(sum(rows_read), 0), max(id) FROM ledger.transfer"
                " WHERE direction = 'collect' AND status = 'published' AND id > %s",
                (self._last,),
            ).fetchone()
            newest = connection.execute("SELECT max(id) FROM ledger.transfer").fetchone()
        self._last = int(str(newest[0])) if newest else 0
        return int(str(row[0])) if row else 0

    def _sizes(self) -> dict[str, float]:
        with database.connect(self.stage.hub(0).address, autocommit=True) as connection:
            row = connection.execute(_SIZES).fetchone()
        names = ("quarantined", "staging", "megabytes")
        return dict(zip(names, (float(str(v)) for v in row or ()), strict=True))


_SIZES = (
    "SELECT (SELECT count(*) FROM quarantine.record WHERE payload IS NOT NULL),"
    " (SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'),"
    " pg_database_size(current_database()) / 1048576.0"
)


@contextmanager
def soaking(home: Path, *, persons: int, seed: int, postgres: str | None) -> Iterator[Soak]:
    """Two cities before their first night."""
    with ExitStack() as stack:
        stage, twin = (
            stack.enter_context(start(home / name, persons=persons, seed=seed, postgres=postgres))
            for name in ("city", "twin")
        )
        shutil.copy(stage.home / "keys.json", twin.home / "keys.json")
        shutil.copy(stage.city.home / PUBLIC_KEYS, twin.city.home / PUBLIC_KEYS)
        shutil.copytree(
            stage.city.home / receivers.FOLDER,
            twin.city.home / receivers.FOLDER,
            dirs_exist_ok=True,
        )
        schemas = home / "schemas"
        shutil.copytree(catalogue.ROOT, schemas, ignore=shutil.ignore_patterns("*.py", "__*"))
        impatient(schemas)
        for there in (stage, twin):
            there.environment["ONECARD_QUARANTINE_DAYS"] = str(QUARANTINE_DAYS)
            there.environment["ONECARD_SCHEMAS"] = str(schemas)
        around = stack.enter_context(ring(stage, seed))
        workers = [Worker.start(context) for _ in range(2)]
        for worker in workers:
            stack.callback(worker.end)
        yield Soak(around, twin, *workers)


def impatient(schemas: Path) -> None:
    """Contracts that wait for a busy API for a fraction of a second only."""
    times = "attempts: 3\n            max_wait_s: 0.2\n            "
    for file in (schemas / "contracts").glob("*/*.yaml"):
        text = file.read_text(encoding="utf-8")
        if "connector: rest" in text:
            text = text.replace("            paginator:", f"            {times}paginator:")
            file.write_text(text, encoding="utf-8")
