"""`python -m bench.live`: seconds from an event at the source to the last consumer's confirmation.

A city with the demo's own servers: the API of the events, and seven consumers of a card's status by
a folder, HTTP, SFTP and a database. Its night 0 is collected and delivered; then the lane runs by the
clock of this machine, at its own pace, and nobody wakes it. First, without the lane, what its DAG
does, in one warm process. Then idle; so many events a second; and bursts, which are stored at once.

An event is over when the last of the seven has confirmed a delivery of its version, by the ledger.
At the end each consumer's inbox is compared with what its agreement gives, and rows that came more
than once are counted. Writes the section between the markers of RESULTS.md.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from bench.arguments import parser
from bench.live_arrivals import AGREEMENTS, arrived, held, last_confirmations, quantile
from bench.live_counter import EVENTS, Counter
from bench.live_processes import Watched, lanes
from bench.live_section import DAG_MINUTE_S, Figures, Phase, section
from bench.night import nightly
from bench.results import publish
from bench.server import running
from demo.rehearsal import Rehearsal, start
from onecard.app.wiring import Hub
from onecard.base import shelves
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.operations.delivery import deliver
from onecard.store import database

RESIDENTS, SEED = 20_000, 20240101
SLOW, FAST, BURST = 10.0, 200.0, 60_000
SLOW_S, FAST_S, IDLE_S, LEAST_S = 300.0, 120.0, 60.0, 3.0
HOUSING = "bench_housing"
MARIADB = "ONECARD_DEMO_MARIADB"
"""Names the database of the housing fund, whose table one of the consumers has."""
PATIENCE_S = 1_800.0
"""What has not arrived by then never will."""
LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Bench:
    """A city whose lane is measured.

    Attributes:
        stage: with its first night behind it.
        hub: by the clock of this machine.
        counter: where events come from.
    """

    stage: Rehearsal
    hub: Hub
    counter: Counter

    def events(self, watched: Watched, name: str, store: Callable[[], list[str]]) -> Phase:
        """Store events while the lane runs, and wait until all have arrived.

        Args:
            watched: the lane.
            name: of the phase.
            store: stores them, and returns their ids.
        """
        with watched.spending() as spent:
            ids = store()
            self.wait(watched)
        last = last_confirmations(self.hub.address, ids)
        took = [last[event] - self.counter.stored[event] for event in ids]
        progress(f"{name}: P95 {quantile(took, 0.95):.2f} s, {spent.megabytes:.0f} MB")
        return Phase(name, took, spent)

    def wait(self, watched: Watched) -> None:
        """Until every consumer has everything.

        Raises:
            SystemExit: a lane has ended, or it takes too long.
        """
        end = time.monotonic() + PATIENCE_S
        while not arrived(self.hub.address, len(self.counter.stored)):
            watched.require_alive()
            if time.monotonic() > end:
                msg = f"not all events have arrived within {PATIENCE_S:.0f} s"
                raise SystemExit(msg)
            time.sleep(LOOK_S)

    def one_after_the_other(self, minutes: int) -> list[float]:
        """What the DAG does each minute, in one warm process: seconds of each time."""
        took = []
        with shelves.kept():
            for _ in range(minutes):
                self.counter.store(round(SLOW * DAG_MINUTE_S))
                begun = time.perf_counter()
                self.hub.collect(EVENTS).run()
                for agreement in AGREEMENTS:
                    deliver(self.hub, agreement)
                took.append(time.perf_counter() - begun)
        return took


def main() -> None:
    """Entry point."""
    words = parser(__doc__, rounds=None)
    words.add_argument("--residents", type=int, default=RESIDENTS)
    words.add_argument("--share", type=float, default=1.0, help="of the lengths and of the burst")
    words.add_argument("--processes", type=int, default=1, help="lanes that share the work")
    options = words.parse_args()
    home: Path = options.home / "live"
    options.home.mkdir(parents=True, exist_ok=True)
    try:
        with (
            running(options.home) as base,
            _housing(base),
            start(home, persons=options.residents, seed=SEED, postgres=base) as stage,
        ):
            figures = measured(stage, base, options.share, options.processes)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    publish(options, section(figures))


@contextmanager
def _housing(base: str) -> Iterator[None]:
    """A database for the housing fund: of the MariaDB that is named, else beside the others."""
    named = os.environ.get(MARIADB)
    server = make_url(named or database.sqlalchemy_url(base))
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    drop = text(f"DROP DATABASE IF EXISTS {HOUSING}")
    with engine.connect() as connection:
        connection.execute(drop)
        connection.execute(text(f"CREATE DATABASE {HOUSING}"))
    os.environ[MARIADB] = server.set(database=HOUSING).render_as_string(hide_password=False)
    try:
        yield
    finally:
        if named is None:
            del os.environ[MARIADB]
        else:
            os.environ[MARIADB] = named
        with engine.connect() as connection:
            connection.execute(drop)
        engine.dispose()


def measured(stage: Rehearsal, base: str, share: float, processes: int) -> Figures:
    """All phases, one after the other.

    Args:
        stage: just started.
        base: address of the database's server.
        share: of the lengths and of the burst.
        processes: lanes that share the work.
    """
    progress("the first night")
    nightly(stage, 0)
    environment = stage.environment
    hub = Hub(Settings.load(environment), EnvironmentConnections(environment))
    bench = Bench(stage, hub, Counter.of(stage))
    before = held(stage, hub)
    progress("what the DAG does each minute")
    by_dag = bench.one_after_the_other(max(1, round(3 * share)))
    phases: list[Phase] = []
    log = stage.home / "live.log"
    with lanes(processes, environment, base, log) as watched:
        bench.wait(watched)
        time.sleep(_length(IDLE_S, share))  # the first readings of everything are over
        with watched.spending() as idle:
            time.sleep(_length(IDLE_S, share))
        for rate, seconds in ((SLOW, SLOW_S), (FAST, FAST_S)):
            length = _length(seconds, share)
            name = f"{rate:g} events/s for {length:.0f} s"
            phases.append(bench.events(watched, name, lambda: bench.counter.steadily(rate, length)))  # noqa: B023 - called at once
        for count in (round(BURST * share / 2), round(BURST * share)):
            name = f"a burst of {count:,}"
            phases.append(bench.events(watched, name, lambda: bench.counter.store(count)))  # noqa: B023 - as above
    after = {
        name: type(found)(found.rows, found.wrong, found.twice - before[name].twice)
        for name, found in held(stage, hub).items()
    }
    return Figures(stage.city.persons, processes, by_dag, idle, tuple(phases), after)


def _length(seconds: float, share: float) -> float:
    """Of a phase; a try needs a few seconds too."""
    return max(LEAST_S, seconds * share)


def progress(what: str) -> None:
    """Say how far it is."""
    print(f"  {time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
