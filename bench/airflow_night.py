"""`python -m bench.airflow_night`: a night by Airflow's scheduler beside the same by `onecard nightly`.

Both nights are the first of the same city, each from a clone of one template: databases, files and
keys. Airflow is `airflow standalone` with the settings of `onecard up` (LocalExecutor) and two tasks
at a time. Its clock starts when all DAGs are known and one run of each delivery has been skipped,
so that everything is imported, and stops when no run is under way and no published dataset waits
for its deliveries. Then, outside the clock, the night is ended: deliveries of an event dataset, for
which none waits, may have run before its collect. A night that leaves other rows than
`onecard nightly` is an error.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psutil
import psycopg

from bench import server, server_cpu
from bench.arguments import parser
from bench.measure import Run, cell, run, typical
from bench.results import Limit, Section, publish
from demo import standalone
from demo.rehearsal import REPOSITORY, Rehearsal
from demo.servers import AgencyServers
from onecard.store import database, transfer_history
from tests.cities import Cities, with_airflow

DAG_FILE = """\
import night_assets

night_assets.is_ad_hoc = lambda run, now: False  # this night is measured at any hour
from {module} import *  # the airflow DAGs
"""
"""Stands for one of the DAG files of `dags/`."""
PERSONS, SEED = 20_000, 20240101
PARALLELISM = 2
ALLOWED = 4.0
PATIENCE_S = 3_600.0
"""The clock of a night, and of a start, that does not come to its end."""
TICK_S = 0.5

RUNS = """SELECT
  (SELECT count(*) FROM dag_run WHERE dag_id LIKE '{}\\_%' AND state = 'success'),
  (SELECT count(*) FROM dag_run WHERE state IN ('queued', 'running'))
    + (SELECT count(*) FROM asset_dag_run_queue),
  (SELECT count(*) FROM dag_run WHERE state = 'failed')"""
"""Runs of a kind that succeeded, runs and deliveries still to come, runs that failed."""
NIGHT_OVER = """INSERT INTO asset_dag_run_queue (asset_id, target_dag_id, created_at)
  SELECT a.id, d.dag_id, now() FROM asset a, dag d
  WHERE a.name = 'night_over' AND d.dag_id LIKE 'deliver\\_%' ON CONFLICT DO NOTHING"""
"""As if the night were over: each DAG of deliveries has a reason to start."""
TASKS = """SELECT count(*), sum(extract(epoch FROM end_date - start_date))::float8
  FROM task_instance WHERE start_date > '{}'"""


@dataclass(slots=True)
class Night(Run):
    """One measured night: how many tasks Airflow ran, their seconds, and what was left."""

    tasks: int = 0
    task_seconds: float = 0.0
    left: Mapping[str, object] = field(default_factory=dict)


def main() -> None:
    """Entry point."""
    words = parser(__doc__)
    words.add_argument("--persons", type=int, default=PERSONS)
    options = words.parse_args()
    plain: list[Night] = []
    by_airflow: list[Night] = []
    with cities(options.home / "airflow_night") as (known, folder):
        for number in range(options.rounds):
            home = folder / f"round_{number}"
            with known.start(home / "plain", persons=options.persons, seed=SEED) as stage:
                plain.append(nightly(stage))
            with known.start(home / "airflow", persons=options.persons, seed=SEED) as stage:
                by_airflow.append(scheduled(stage))
            _same(plain[-1], by_airflow[-1])
            print(f"{plain[-1].seconds:.1f} s, {by_airflow[-1].seconds:.1f} s", flush=True)
    publish(options, section(options.persons, plain, by_airflow))


@contextmanager
def cities(home: Path) -> Iterator[tuple[Cities, Path]]:
    """Makes cities on the server of the bench; the template and all folders go at the end.

    Of a night that failed the folders stay, with what Airflow's tasks said, until the next one.
    """
    folder = home / "cities"
    shutil.rmtree(home, ignore_errors=True)
    folder.mkdir(parents=True)
    with server.running(home) as address, AgencyServers() as agencies:
        try:
            yield Cities(address, folder, agencies), folder
        finally:
            for made in folder.glob("city_*.lock"):
                for part in ("hub", "agencies"):
                    database.drop_database(address, f"{made.stem}_{part}")
        shutil.rmtree(folder, ignore_errors=True)


def nightly(stage: Rehearsal) -> Night:
    """The night in one process, start included."""
    command = [str(Path(sys.executable).with_name("onecard")), "nightly"]
    done = run(command, environment=stage.at(0), server=stage.city.postgres_url)
    return Night(done.seconds, done.client, done.server, done.megabytes, left=_left(stage))


def scheduled(stage: Rehearsal) -> Night:
    """The night by the scheduler, which is warm when the clock starts."""
    with_airflow(stage)
    _dag_files(stage)
    stage.environment.update(standalone.ports())
    stage.environment["AIRFLOW__CORE__PARALLELISM"] = str(PARALLELISM)
    address = stage.city.postgres_url
    with standalone.running(stage.at(0) | {"PYTHONWARNINGS": "ignore"}) as airflow:
        deliveries = _warm(stage)
        began = _ask(stage, "SELECT now()::text")
        client, used = _spent(airflow.pid), server_cpu.spent(address)
        started = time.perf_counter()
        _ended(stage, "collect", _unpause(stage, "collect"))
        night = Night(time.perf_counter() - started)
        night.client = _spent(airflow.pid) - client
        night.server = server_cpu.since(used, server_cpu.spent(address))
        ((night.tasks, night.task_seconds),) = _ask(stage, TASKS.format(began[0][0]))
        _ask(stage, NIGHT_OVER)
        _ended(stage, "deliver", 3 * deliveries)  # skipped, in the night, at its end
    night.left = _left(stage)
    return night


def _dag_files(stage: Rehearsal) -> None:
    """Have Airflow read the same DAGs from files that take every hour for the night."""
    folder = Path(stage.environment["AIRFLOW_HOME"]) / "dags"
    folder.mkdir(parents=True)
    for file in (REPOSITORY / "dags").glob("*.py"):
        if "(airflow DAG file)" in file.read_text(encoding="utf-8"):
            text = DAG_FILE.format(module=file.stem)
            (folder / f"any_hour_{file.stem}.py").write_text(text, encoding="utf-8")
    stage.environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder)


def _warm(stage: Rehearsal) -> int:
    """All DAGs are known, and each DAG of deliveries has skipped a run: nothing is collected yet.

    They start as when a night is over. That DAG itself, which begins unpaused, must have ended too.

    Returns:
        How many DAGs of deliveries there are.
    """
    known = stage.hub(0).catalogue
    consumers = {a.consumer for a in known.agreements.values() if a.delivered}
    agencies = {c.agency for c in known.contracts.values()}
    wanted = (
        {"night_over"} | {f"deliver_{c}" for c in consumers} | {f"collect_{a}" for a in agencies}
    )
    _wait(lambda: wanted <= _dags(stage), "all DAGs are known")
    _wait(lambda: _answers(stage), "Airflow's API answers")
    runs = _unpause(stage, "deliver")
    _ask(stage, NIGHT_OVER)
    _ended(stage, "deliver", runs)
    return runs


def _answers(stage: Rehearsal) -> bool:
    """Whether tasks get an answer at once: the first takes longer than they wait for it."""
    health = stage.environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] + "health"
    try:
        return httpx.get(health, timeout=PATIENCE_S).is_success
    except httpx.TransportError:
        return False


def _ended(stage: Rehearsal, kind: str, runs: int) -> None:
    """Wait until so many runs of a kind have ended well, and nothing more is to come.

    Raises:
        RuntimeError: a run failed, or it takes too long.
    """

    def ended() -> bool:
        ((well, under_way, failed),) = _ask(stage, RUNS.format(kind))
        if failed:
            msg = f"a run failed; see {stage.environment['AIRFLOW_HOME']}"
            raise RuntimeError(msg)
        return bool(well >= runs and not under_way)

    _wait(ended, f"the runs of {kind} end")


def _unpause(stage: Rehearsal, kind: str) -> int:
    """Let the DAGs of a kind run; returns how many they are.

    By their column: each call of Airflow's command line takes seconds, and would be measured.
    """
    _ask(stage, f"UPDATE dag SET is_paused = false WHERE dag_id LIKE '{kind}\\_%'")
    ((dags,),) = _ask(stage, f"SELECT count(*) FROM dag WHERE dag_id LIKE '{kind}\\_%'")
    return int(dags)


def _dags(stage: Rehearsal) -> set[str]:
    try:
        return {str(row[0]) for row in _ask(stage, "SELECT dag_id FROM dag WHERE NOT is_stale")}
    except psycopg.errors.UndefinedTable:
        return set()


def _wait(done: Callable[[], bool], what: str) -> None:
    """Look until it is so; raises RuntimeError when that takes too long."""
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            msg = f"waited {PATIENCE_S:.0f} s in vain: {what}"
            raise RuntimeError(msg)
        time.sleep(TICK_S)


def _ask(stage: Rehearsal, statement: str) -> list[tuple[Any, ...]]:
    """Rows of a statement in Airflow's database."""
    address = stage.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        found = connection.execute(statement.encode())
        return found.fetchall() if found.description else []


def _spent(session: int) -> float:
    """CPU seconds of all processes of a session, with those that ended and were waited for."""
    total = 0.0
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == session:
                total += sum(process.cpu_times()[:4])
    return total


def _left(stage: Rehearsal) -> dict[str, object]:
    """What a night leaves: each dataset's status and counts, each inbox's rows."""
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        newest = list(transfer_history.latest(connection))
    left: dict[str, object] = {
        t.subject: (t.status, str(t.counts)) for t in newest if t.direction == "collect"
    }
    for consumer in sorted({a.consumer for a in stage.hub(0).catalogue.agreements.values()}):
        left |= {name: rows.height for name, rows in stage.city.inbox(consumer).items()}
    return left


def _same(plain: Night, by_airflow: Night) -> None:
    """Both nights leave the same.

    Raises:
        RuntimeError: they do not; the message names where they differ.
    """
    both = plain.left, by_airflow.left
    differing = sorted(
        n for n in both[0].keys() | both[1].keys() if both[0].get(n) != both[1].get(n)
    )
    if differing or not both[0]:
        msg = f"the nights differ: {', '.join(differing) or 'nothing was left'}"
        raise RuntimeError(msg)


def section(persons: int, plain: Sequence[Night], by_airflow: Sequence[Night]) -> Section:
    """The section of RESULTS.md."""
    one, other = typical(plain), typical(by_airflow)
    tasks = int(median(n.tasks for n in by_airflow))
    ratios = [a.seconds / p.seconds for p, a in zip(plain, by_airflow, strict=True)]
    inside = median(n.task_seconds for n in by_airflow)
    return Section(
        name="the night by Airflow",
        title="The night by Airflow",
        module="airflow_night",
        about=(
            f"The first night of {persons:,} residents: all datasets collected, all agreements"
            " delivered, from clones of one city, with the same rows left. `onecard nightly`: one"
            " process, start included. Airflow: LocalExecutor, parallelism 2, metadata in"
            f" PostgreSQL, everything imported once; {tasks} tasks in the median, {inside:.1f} s"
            " between their starts and ends in all; a delivery runs once, when all its"
            " nightly datasets are published, and the look at the end of the night is not in it."
            " CPU: of Airflow's five processes and the tasks, and of the"
            f" server of both databases. Median of {len(plain)} interleaved rounds."
        ),
        columns=("what", "seconds", "ratio", "CPU client", "CPU server"),
        rows=[
            ("`onecard nightly`", cell(one.seconds), "1", cell(one.client), cell(one.server)),
            (
                "**by Airflow's scheduler**",
                cell(other.seconds),
                f"{median(ratios):.2f}",
                cell(other.client),
                cell(other.server),
            ),
        ],
        limits=[Limit("the night by Airflow, ratio to `onecard nightly`", ALLOWED, median(ratios))],
    )


if __name__ == "__main__":
    main()
