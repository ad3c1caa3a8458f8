"""Workers of the command line: whatever fails, the collect ends as if one had read all."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from onecard.app.workers import Threads
from onecard.collect.publish import Collected
from onecard.model.transfers import Counts
from tests import forked
from tests.office import DATASET
from tests.sampling import sampled
from tests.twins import Api, Twins, api_twins, things
from tests.waiting import LIMIT_S, until

POINTS = (
    *("part.begun", "part.read", "part.done", "stage.checked", "load.before_commit"),
    *("parts.joined", "stage.settled", "stage.recorded"),
)
SESSIONS = (
    "SELECT pg_terminate_backend(pid)::int FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


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
def test_killed_at_a_point(api: tuple[Api, Twins], point: str) -> None:
    """The next run takes over from all workers, or from what they have put together."""
    _, both = api
    both.one.day += 1
    both.several.day += 1
    assert command(both, ONECARD_KILL_AT=point)[0] != 0
    assert command(both)[0] == 0
    assert ended(both).counts == both.one.hub().collect(DATASET).run().counts
    assert both.several.published == both.one.published
    status = "SELECT status FROM ledger.transfer ORDER BY id"
    assert both.several.ask(status) == [("failed",), ("published",)]
    assert both.several.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'staging'") == []


def command(both: Twins, *words: str, **environment: str) -> tuple[int, str]:
    """Collect by the command line of the second hub, with two workers."""
    done = forked.onecard(
        {**both.several.variables, **environment}, "collect", DATASET, "--workers", "2", *words
    )
    return done.returncode, done.stdout + done.stderr


def test_workers_that_fail_leave_their_partitions(api: tuple[Api, Twins]) -> None:
    """Their sessions end in the middle; who opened the transfer reads what they have begun."""
    served, both = api
    ended_sessions: list[int] = []

    def slowly(query: dict[str, str]) -> None:
        if query.get("g") and query["page"] == "2" and not ended_sessions:
            ended_sessions.extend(both.several.ask(SESSIONS))

    served.before = slowly
    both.several.day += 1
    both.one.day += 1
    code, said = command(both)
    assert (code, "a worker of transfer" in said) == (0, True), said
    both.agree(both.one.hub().collect(DATASET).run(), ended(both))
    assert both.several.ask("SELECT max(cardinality(attempts)) FROM ledger.partition") == [(2,)]


def test_a_dataset_without_partitions_is_read_by_one(api: tuple[Api, Twins]) -> None:
    served, both = api
    del both.several.source["partition"]
    assert command(both)[0] == 0
    assert both.several.published
    assert {q.get("g") for q in served.asked} == {None}


def test_an_error_of_a_partition_is_told(api: tuple[Api, Twins]) -> None:
    """Who opened the transfer meets it too, and says what it is."""
    served, both = api
    served.rows[0]["k"] = ["no", "text"]
    for row in served.rows:
        row["unheard_of"] = 1
    both.several.source["options"]["records"] = "nowhere"
    code, said = command(both)
    assert (code, "its reply has no list at nowhere" in said) == (1, True)
    assert both.several.ask("SELECT status FROM ledger.transfer") == [("failed",)]
    assert both.several.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'staging'") == []


@pytest.fixture
def interruptible() -> Iterator[None]:
    """The children of a test run in the background would ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_worker_begins_no_other_partition(api: tuple[Api, Twins]) -> None:
    served, both = api
    hub, interrupted = both.several.hub(), threading.Event()
    transfer = hub.collect(DATASET).open_parts()

    def interrupting(_query: dict[str, str]) -> None:
        if not interrupted.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            interrupted.wait(LIMIT_S)

    served.before = interrupting
    with pytest.raises(KeyboardInterrupt):
        Threads(hub, 1).read(DATASET, transfer, 3, "")
    assert "worker-0" in working()
    interrupted.set()
    until(lambda: "worker-0" not in working(), "the end of the worker")
    begun = "SELECT count(*) FROM ledger.partition WHERE attempt IS NOT NULL"
    assert both.several.ask(begun) == [(1,)]


def working() -> set[str]:
    """Threads of this process; an interrupted `join` takes one that works for ended."""
    return {thread.name for thread in threading.enumerate()}
