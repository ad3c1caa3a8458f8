"""A held collect in Airflow: a failed task that says so, no asset; released, its clear finds it done."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from demo.rehearsal import Rehearsal
from onecard.model.signoffs import SignOff
from onecard.operations.release import release
from onecard.store import database, holds

CARDS = "hrss/card_master"
NIGHT = """
import logging
from airflow.utils.db import upgradedb
upgradedb()
import collect
logging.disable(logging.WARNING)
dag = collect.collect_hrss
assert {t.retries for t in dag.tasks} == {3}
print(dag.test().state)
"""


def airflow_says(stage: Rehearsal, statement: str) -> list[tuple[Any, ...]]:
    url = stage.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.fault("F15", "held: a failed task that is not retried, no asset, no delivery")
def test_a_held_collect_is_no_silent_green(stage: Rehearsal, airflow: Callable[[str], str]) -> None:
    stage.hub(0).collect(CARDS).run()
    with psycopg.connect(stage.city.postgres_url) as source:
        source.execute("TRUNCATE hrss.ac01_card")
    assert airflow(NIGHT).splitlines()[-1] == "failed"

    tasks = airflow_says(stage, "SELECT task_id, state, try_number FROM task_instance")
    found = {task: (state, tries) for task, state, tries in tasks}
    assert found["card_master.stage"][0] == "success"
    assert found["card_master.audit_staged"] == ("failed", 1), "no retry"
    assert found["card_master.publish"][0] == "upstream_failed"
    others = {t: s for t, (s, _) in found.items() if not t.startswith("card_master.")}
    assert set(others.values()) == {"success"}, "a hold stops only itself"
    published = {f"hrss/{t.split('.')[0]}" for t in others if t.endswith(".publish")}
    ad_hoc = {f"{dataset}/ad_hoc" for dataset in published}
    assert emitted(stage) == published | ad_hoc, "nobody scheduled this run: all of it is ad hoc"

    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        (hold,) = holds.holds(connection, stage.hub(0).catalogue)
    ((said,),) = airflow_says(stage, "SELECT value FROM xcom WHERE key = 'held'")
    for part in ("is held: shrinkage", "hrss, with the engineer on duty", hold.release):
        assert part in json.loads(json.dumps(said, ensure_ascii=False))
    done = release(stage.hub(0), str(hold.number), SignOff("张主任", "核实")).collected
    assert done
    again = stage.hub(0).collect(CARDS)  # what the cleared tasks do
    assert again.audited(hold.number) == done.transfer == hold.number
    assert again.published(hold.number) == done


def emitted(stage: Rehearsal) -> set[str]:
    """Datasets whose asset had an event."""
    rows = airflow_says(stage, "SELECT a.name FROM asset_event e JOIN asset a ON a.id = e.asset_id")
    return {str(name) for (name,) in rows}
