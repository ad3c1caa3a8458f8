"""The DAG card_status: stands by while the live lane lives, and does its work when that is silent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.rehearsal import Rehearsal
from onecard.base.settings import ALARMS
from onecard.store import database, leases, transfer_history
from tests import webhook
from tests.webhook import HOOK, Hook, to_hook

EVENTS = "hrss/card_status_event"
RUN = """
import json
from airflow.utils.db import upgradedb
upgradedb()
import card_status
run = card_status.card_status.test()
print(json.dumps(str(run.state)))
"""
SHAPE = """
import json
import card_status
dag = card_status.card_status
print(json.dumps({t.task_id: sorted(t.upstream_task_ids) for t in dag.tasks}))
"""


def ask(stage: Rehearsal, statement: str) -> list[tuple[Any, ...]]:
    url = stage.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


@pytest.fixture
def heard(airflow_stage: Rehearsal) -> Iterator[Callable[[int], None]]:
    """Lets a process of the lane have been heard of, so many seconds ago.

    Below zero: Airflow may need a minute to begin, and the process is to be there then.
    """
    address = airflow_stage.hub(0).address

    def told(seconds: int) -> None:
        with database.connect(address, autocommit=True) as connection:
            leases.take(connection, leases.PROCESS + "one", "one", 10.0)
            connection.execute(
                "UPDATE ledger.lease SET renewed_at = clock_timestamp() - make_interval(secs => %s)",
                (seconds,),
            )

    yield told
    with database.connect(address, autocommit=True) as connection:
        leases.forget(connection, leases.PROCESS, -1.0)


def transfers(stage: Rehearsal) -> int:
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        return len(transfer_history.since(connection))


def test_every_task_comes_after_the_look_at_the_lane(airflow: Callable[[str], str]) -> None:
    upstream = json.loads(airflow(SHAPE).splitlines()[-1])
    assert upstream["stand_by"] == []
    assert [task for task, before in upstream.items() if not before] == ["stand_by"]
    assert upstream["card_status_event.stage"] == ["stand_by"]


def test_while_the_lane_lives_one_task_is_skipped_and_no_other_starts(
    airflow_stage: Rehearsal, airflow: Callable[[str], str], heard: Callable[[int], None]
) -> None:
    heard(-900)
    before = transfers(airflow_stage)
    airflow_stage.environment["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "INFO"
    said = airflow(RUN)
    assert said.splitlines()[-1] == '"success"'
    assert transfers(airflow_stage) == before
    assert "the live lane is at work: 1 process(es)" in said
    states = dict(ask(airflow_stage, "SELECT task_id, state FROM task_instance"))
    assert set(states.values()) == {"skipped"}
    began = "SELECT task_id FROM task_instance WHERE start_date <> end_date"
    assert [task for (task,) in ask(airflow_stage, began)] in (["stand_by"], [])
    told = ask(airflow_stage, "SELECT value FROM xcom WHERE key = 'lane'")
    assert ["the live lane is at work" in str(value) for (value,) in told] == [True]


@pytest.fixture
def alarms(airflow_stage: Rehearsal, tmp_path: Path) -> Iterator[Hook]:
    """The alarms of the stage reach this webhook."""
    file = tmp_path / "alarms.yaml"
    file.write_text(f"channels:\n  - {HOOK}\n")
    with webhook.listening() as hook:
        airflow_stage.environment.update({ALARMS: str(file)} | to_hook(hook))
        yield hook


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_a_lane_that_is_silent_is_replaced_and_told_once_and_once_more_when_it_is_back(
    airflow_stage: Rehearsal,
    airflow: Callable[[str], str],
    heard: Callable[[int], None],
    alarms: Hook,
) -> None:
    heard(61)
    said = airflow(RUN)
    with database.connect(airflow_stage.hub(0).address, autocommit=True) as connection:
        ended = {t.subject: t.status for t in transfer_history.latest(connection)}
    assert ended[EVENTS] == "published", said[-2000:]
    (first,) = alarms.bodies
    assert [item["kind"] for item in first["new"]] == ["lane"]
    assert "card_status" in first["new"][0]["says"]
    airflow(RUN)
    assert len(alarms.bodies) == 1, "told once"
    heard(-900)
    airflow(RUN)
    assert [[i["kind"] for i in body["ended"]] for body in alarms.bodies] == [[], ["lane"]]
