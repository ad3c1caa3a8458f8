"""Airflow's own retries, clears and backfills: the same registry, and nothing twice in an inbox.

One real scheduler for all of it. The DAGs are those of the factory with short waits; on their first
try three tasks meet a fault: a database that is down, a SIGKILL before the publication's commit, and
one after the consumer has everything and before the hub has noted it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.rehearsal import Rehearsal
from onecard.store import database, datasets, transfer_history
from tests.cities import Cities, with_airflow
from tests.dags.test_scheduler import command, known_dags, query, scheduler, wait_for

EVENTS, CARDS = "hrss/card_status_event", "hrss/card_master"
AGREEMENT = "f02-hrss-medical_insurance-card-status"
COLLECT, DELIVER = "collect_hrss", "deliver_medical_insurance"
DAGS = f"""
import os
from datetime import timedelta

import night_assets
import onecard_factory as factory
from schemas.models import catalogue

# The test begins its night at any hour of the day.
night_assets.is_ad_hoc = lambda run, now: run.run_type != "scheduled" or bool(run.clear_number)
factory.DEFAULTS |= {{"retry_delay": timedelta(seconds=1), "retry_exponential_backoff": False}}
known = catalogue.load()
collect = factory.collect_dag("hrss", "airflow DAG", [known.contract("{EVENTS}")])
agreement = known.agreement("{AGREEMENT}")
deliver = factory.deliver_dag("medical_insurance", "", [agreement], ["{EVENTS}", "{CARDS}"])
factory.AFTER_NIGHT = None
over = factory.night_over_dag()
DOWN = "postgresql://nobody@127.0.0.1:1/nowhere"


def first_try(name, value):
    def before(context):
        if context["ti"].try_number == 1 and not context["dag_run"].run_id.startswith("backfill"):
            os.environ[name] = value
    return before


for dag, task, name, value in (
    (collect, "card_status_event.stage", "ONECARD_DATABASE_URL", DOWN),
    (collect, "card_status_event.publish", "ONECARD_KILL_AT", "publish.before_commit"),
    (deliver, "{AGREEMENT}", "ONECARD_KILL_AT", "send.after"),
):
    dag.get_task(task)._pre_execute_hook = first_try(name, value)
"""


@pytest.fixture
def small(tmp_path: Path, cities: Cities) -> Iterator[Rehearsal]:
    """A city of 300 persons, whose other datasets are collected."""
    with cities.start(tmp_path / "stage", persons=300, seed=5) as stage:
        for dataset in (CARDS, "health/death_notice"):
            stage.hub(0).collect(dataset).run()
        with_airflow(stage)
        folder = tmp_path / "dags"
        folder.mkdir()
        (folder / "reruns.py").write_text(DAGS)
        stage.environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(folder)
        yield stage


def airflow(stage: Rehearsal, *arguments: str) -> None:
    done = command(stage, *arguments)
    assert done.returncode == 0, done.stderr[-800:]


def tries(stage: Rehearsal) -> dict[str, tuple[object, object]]:
    """State and number of tries of every task so far."""
    rows = query(stage, "SELECT task_id, state, try_number FROM task_instance")
    return {str(task): (state, number) for task, state, number in rows}


def done(stage: Rehearsal, dag: str, runs: int) -> bool:
    """Whether so many runs of a DAG have succeeded and none is under way."""
    states = query(stage, f"SELECT state FROM dag_run WHERE dag_id = '{dag}'")
    assert ("failed",) not in states
    return states.count(("success",)) >= runs and set(states) <= {("success",)}


def queued(stage: Rehearsal) -> set[object]:
    """Datasets that were published and have started no deliveries yet."""
    rows = query(stage, "SELECT a.name FROM asset_dag_run_queue JOIN asset a ON a.id = asset_id")
    return {name for (name,) in rows}


def runs(stage: Rehearsal, dag: str) -> int:
    return len(query(stage, f"SELECT 1 FROM dag_run WHERE dag_id = '{dag}'"))


def left(stage: Rehearsal) -> tuple[object, ...]:
    """Registry, watermark, what was confirmed, and the inbox."""
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        rows = connection.execute(
            b"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM"
            b" (SELECT to_jsonb(r) FROM registry.hrss__card_status_event r) t"
        ).fetchone()
        state = datasets.state(connection, EVENTS)
        statuses = [
            t.status for t in transfer_history.since(connection) if t.direction == "deliver"
        ]
    inbox = stage.city.inbox("medical_insurance")[AGREEMENT]
    return rows, state.version, state.checkpoint, statuses.count("confirmed"), inbox.to_dicts()


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@pytest.mark.fault("F01", "Airflow's own retries end a killed publication and delivery well")
@pytest.mark.fault("F03", "cleared tasks and a backfill change neither registry nor inbox")
def test_retries_clears_and_a_backfill_do_no_harm(small: Rehearsal) -> None:
    with scheduler(small):
        wait_for(
            lambda: known_dags(small) >= {COLLECT, DELIVER, "night_over"}, "the DAGs are listed"
        )
        for dag in (DELIVER, COLLECT):  # a night of collects is due at once
            airflow(small, "dags", "unpause", "-y", dag)
        wait_for(lambda: done(small, COLLECT, 1), "the collect has run")
        assert queued(small) == {EVENTS}, "deliveries wait for the cards, which nobody collects"
        assert runs(small, DELIVER) == 0
        airflow(small, "dags", "trigger", "night_over")
        wait_for(lambda: done(small, DELIVER, 1), "the night is over: the delivery has run")
        assert queued(small) == set(), "what this night lacked does not count for the next"
        found = tries(small)
        assert found["card_status_event.stage"] == ("success", 2)
        assert found["card_status_event.audit_staged"] == ("success", 1)
        assert found["card_status_event.publish"] == ("success", 2)
        assert found[AGREEMENT] == ("success", 2)
        first = left(small)
        assert first[3] == 1
        for number, task in enumerate(("publish", "stage"), 2):  # the old XCom; all anew
            airflow(small, "tasks", "clear", "-y", "-d", "-t", f"card_status_event.{task}", COLLECT)
            wait_for(lambda: done(small, COLLECT, 1), f"{task} has run again")
            wait_for(lambda n=number: done(small, DELIVER, n), "it starts its deliveries alone")
        airflow(small, "tasks", "clear", "-y", DELIVER)
        wait_for(lambda: done(small, DELIVER, 3), "the delivery has run again")
        assert left(small) == first
        old = ("--from-date", "2026-10-01", "--to-date", "2026-10-02")
        airflow(small, "backfill", "create", "--dag-id", COLLECT, *old)
        wait_for(lambda: done(small, COLLECT, 2), "an older night is filled in")
        wait_for(lambda: done(small, DELIVER, 4), "its deliveries have run")
        assert left(small) == first
