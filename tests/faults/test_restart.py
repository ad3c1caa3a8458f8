"""F1, F2: the hub's database, or a source's, goes away in the middle of a transfer and comes back.

A crash of PostgreSQL empties UNLOGGED tables, and staging is UNLOGGED: what was staged before it
must never be taken for "nothing was read".
"""

from __future__ import annotations

import os
import signal

import pytest

from onecard.errors import OnecardError, RetriableError, StagingLost
from onecard.store import database, datasets, transfer_history
from tests.faults.harness import Harness, stopped
from tests.faults.server import OwnServer
from tests.forked import LIMIT_S
from tests.sampling import sampled

EVENTS = "hrss/card_status_event"
CARDS = "hrss/card_master"


def published(harness: Harness, dataset: str) -> tuple[object, ...]:
    """Rows and version in the registry, rejected rows, and the watermark."""
    table = dataset.replace("/", "__")
    with database.connect(harness.address, autocommit=True) as connection:
        there = connection.execute("SELECT to_regclass(%s)", (f"registry.{table}",)).fetchone()
        rows = None
        if there and there[0]:
            statement = f"SELECT count(*), max(_version) FROM registry.{table}"
            rows = connection.execute(statement.encode()).fetchone()
        bad = connection.execute(
            "SELECT count(*) FROM quarantine.record WHERE dataset = %s", (dataset,)
        ).fetchone()
        return rows, bad, datasets.state(connection, dataset).checkpoint


def statuses(harness: Harness) -> list[str]:
    with database.connect(harness.address, autocommit=True) as connection:
        return [t.status for t in transfer_history.since(connection)]


@pytest.mark.fault("F01", "the database crashes between two steps: retriable, nothing is published")
@pytest.mark.parametrize("first", [True, False], ids=["first load", "later"])
@pytest.mark.parametrize("audited", [False, True], ids=["before audit", "before publish"])
def test_staged_rows_that_a_crash_emptied_are_not_published(
    harness: Harness, server: OwnServer, first: bool, audited: bool
) -> None:
    harness.fresh()
    collect = harness.hub().collect(CARDS)
    if not first:
        collect.run()
        with database.connect(harness.address, autocommit=True) as connection:
            connection.execute(b"UPDATE registry.hrss__card_master SET _row_hash = 0")
    before = published(harness, CARDS)
    transfer = collect.stage(whole=True)
    if audited:
        collect.audit(transfer)
    server.restart("immediate")
    with pytest.raises(StagingLost, match="must be staged again") as caught:
        (collect.publish if audited else collect.audit)(transfer)
    assert isinstance(caught.value, RetriableError)
    assert published(harness, CARDS) == before
    assert statuses(harness)[-1] == "failed"
    harness.hub().collect(CARDS).run(whole=True)
    assert statuses(harness)[-1] == "published"
    assert (published(harness, CARDS) != before) is first
    assert harness.problems() == []


@pytest.mark.fault("F01", "a scheduler's step finds its staged rows gone and stages them again")
@pytest.mark.parametrize("step", ["audited", "published"])
def test_the_steps_of_a_scheduler_stage_again_by_themselves(
    harness: Harness, server: OwnServer, step: str
) -> None:
    harness.fresh()
    collect = harness.hub().collect(CARDS)
    collect.run()
    wanted = published(harness, CARDS)
    harness.fresh()
    collect = harness.hub().collect(CARDS)
    transfer = collect.stage()
    if step == "published":
        collect.audit(transfer)
    server.restart("immediate")
    if step == "audited":
        again = collect.audited(transfer)
        assert again > transfer
        collect.published(again)
    else:
        assert collect.published(transfer).transfer > transfer
    assert published(harness, CARDS) == wanted
    assert statuses(harness) == ["failed", "published"]
    assert harness.problems() == []


HELD = (
    ("stage.checked", "immediate"),
    ("load.before_commit", "fast"),
    ("load.after_commit", "immediate"),
    ("audit.found", "immediate"),
    ("publish.merged", "immediate"),
    ("publish.before_commit", "fast"),
    ("send.batch", "immediate"),
    ("send.after", "fast"),
    ("confirm.before_commit", "immediate"),
)
QUICK = (("load.after_commit", "immediate"), ("send.after", "fast"))


@pytest.mark.fault("F01", "the database restarts at a point: the run fails, the next ends the same")
@pytest.mark.parametrize(("point", "mode"), sampled(HELD, QUICK))
def test_a_restart_in_mid_transfer(
    harness: Harness, server: OwnServer, wanted: dict[str, object], point: str, mode: str
) -> None:
    harness.fresh()
    harness.report.unlink(missing_ok=True)
    process = harness.start(ONECARD_STOP_AT=point)
    pid = stopped(process)
    server.restart(mode)
    os.kill(pid, signal.SIGCONT)
    process.join(LIMIT_S)
    assert process.exitcode == 1
    last = harness.report.read_text().strip().splitlines()[-1]
    kinds = tuple(f"onecard.errors.{k.__name__}" for k in _retriable(RetriableError))
    assert last.startswith(kinds), last
    harness.rerun()
    assert harness.problems() == []
    assert harness.state() == wanted


def _retriable(kind: type[OnecardError]) -> list[type[OnecardError]]:
    return [kind, *(k for sub in kind.__subclasses__() for k in _retriable(sub))]
