"""Workers as processes: killed at any moment, the collect ends as if one process had read all."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from onecard.app.workers import Processes
from onecard.collect.publish import Collected
from onecard.model.transfers import Counts
from tests import forked
from tests.office import DATASET
from tests.sampling import sampled
from tests.twins import Api, Twins, api_twins, things

POINTS = ("part.begun", "part.read", "part.done", "stage.checked", "load.before_commit")
LIMIT_S = 60


@pytest.fixture
def api(addresses: tuple[str, str], tmp_path: Path) -> Iterator[tuple[Api, Twins]]:
    with api_twins(addresses, tmp_path) as (served, both):
        served.rows = things(random.Random(3), "pqr")
        both.several.source["partition"] = both.partition
        yield served, both


def ended(both: Twins) -> Collected:
    """How the newest collect of the second hub ended."""
    names = ", ".join(Counts.__slots__)
    ((transfer, version, *counts),) = both.several.ask(
        f"SELECT id, version, {names} FROM ledger.transfer ORDER BY id DESC LIMIT 1"
    )
    return Collected(transfer, DATASET, Counts(*counts), version)


@pytest.mark.parametrize("point", sampled(POINTS, ("part.read",)))
def test_all_workers_are_killed_at_a_point(api: tuple[Api, Twins], point: str) -> None:
    """The process that began them reads what they leave."""
    _, both = api
    both.one.day += 1
    both.several.day += 1
    with Processes(2, {**both.several.variables, "ONECARD_KILL_AT": point}) as workers:
        done = both.several.hub().collect(DATASET).run_by(workers)
    both.agree(both.one.hub().collect(DATASET).run(), done)
    begun = both.several.ask("SELECT sum(cardinality(attempts)) FROM ledger.partition")
    assert begun == [(3 if point == "part.done" else 5,)]


def command(both: Twins, *words: str, **environment: str) -> tuple[int, str]:
    """Collect by the command line of the second hub, with two workers."""
    done = forked.onecard(
        {**both.several.variables, **environment}, "collect", DATASET, "--workers", "2", *words
    )
    return done.returncode, done.stdout + done.stderr


def begun(both: Twins) -> dict[int, int]:
    """Process by partition that is begun and not done."""
    found = both.several.ask(
        "SELECT number, begun_by FROM ledger.partition WHERE attempt IS NOT NULL"
        " AND done_at IS NULL"
    )
    return {number: int(by.rpartition(":")[2]) for number, by in found}


def until(found: Callable[[], Any]) -> Any:
    """Wait until something is so."""
    end = time.monotonic() + LIMIT_S
    while not (value := found()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return value


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


def test_a_worker_is_killed_in_the_middle(api: tuple[Api, Twins]) -> None:
    """`kill -9` while it reads; its partition is read again, the other worker goes on."""
    served, both = api
    killed = threading.Event()

    def slowly(query: dict[str, str]) -> None:
        if query.get("g") and query["page"] == "2" and not killed.is_set():
            os.kill(next(iter(until(lambda: begun(both)).values())), signal.SIGKILL)
            killed.set()

    served.before = slowly
    both.several.day += 1
    both.one.day += 1
    assert command(both)[0] == 0
    assert killed.is_set()
    both.agree(both.one.hub().collect(DATASET).run(), ended(both))
    assert both.several.ask("SELECT max(cardinality(attempts)) FROM ledger.partition") == [(2,)]


def parent(process: int) -> int:
    """The process that began a process."""
    status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    return int(status.rpartition(") ")[2].split()[1])


def test_the_process_that_they_were_forked_from_is_killed(api: tuple[Api, Twins]) -> None:
    """Its workers end with it, and the process that opened the transfer reads what they leave."""
    served, both = api
    first: list[int] = []

    def slowly(query: dict[str, str]) -> None:
        if query.get("g") and not first:
            first.extend(until(lambda: begun(both)).values())
            os.kill(parent(first[0]), signal.SIGKILL)
            until(lambda: not any(map(alive, first)))

    served.before = slowly
    both.several.day += 1
    both.one.day += 1
    assert command(both)[0] == 0
    both.agree(both.one.hub().collect(DATASET).run(), ended(both))


@pytest.mark.nightly
def test_the_process_that_began_them_is_killed(api: tuple[Api, Twins]) -> None:
    """Its workers end with it, and the next run takes over."""
    served, both = api
    first: list[int] = []

    def slowly(query: dict[str, str]) -> None:
        if query.get("g") and not first:
            first.extend(until(lambda: begun(both)).values())
            os.kill(parent(parent(first[0])), signal.SIGKILL)

    served.before = slowly
    both.several.day += 1
    both.one.day += 1
    assert command(both)[0] != 0
    until(lambda: not any(map(alive, first)))
    served.before = lambda _: None
    assert command(both)[0] == 0
    assert ended(both).counts == both.one.hub().collect(DATASET).run().counts
    assert both.several.published == both.one.published
    status = "SELECT status FROM ledger.transfer ORDER BY id"
    assert both.several.ask(status) == [("failed",), ("published",)]


@pytest.mark.nightly
@pytest.mark.parametrize("point", ["parts.joined", "stage.settled", "stage.recorded"])
def test_killed_while_it_gathers(api: tuple[Api, Twins], point: str) -> None:
    _, both = api
    both.several.day += 1
    both.one.day += 1
    assert command(both, ONECARD_KILL_AT=point)[0] != 0
    assert command(both)[0] == 0
    assert ended(both).counts == both.one.hub().collect(DATASET).run().counts
    assert both.several.published == both.one.published


def test_a_dataset_without_partitions_is_read_by_one(api: tuple[Api, Twins]) -> None:
    served, both = api
    del both.several.source["partition"]
    assert command(both)[0] == 0
    assert both.several.published
    assert {q.get("g") for q in served.asked} == {None}


def test_an_error_of_a_partition_is_told(api: tuple[Api, Twins]) -> None:
    """The process that began the workers meets it too, and says what it is."""
    served, both = api
    served.rows[0]["k"] = ["no", "text"]
    for row in served.rows:
        row["unheard_of"] = 1
    both.several.source["options"]["records"] = "nowhere"
    code, said = command(both)
    assert (code, "its reply has no list at nowhere" in said) == (1, True)
    assert both.several.ask("SELECT status FROM ledger.transfer") == [("failed",)]
    assert both.several.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'staging'") == []
