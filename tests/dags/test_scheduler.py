"""The real scheduler: a collect of card events by hand makes its deliveries start."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from demo import standalone
from demo.rehearsal import Rehearsal
from onecard.store import database, transfer_history

DEADLINE_S = 400


def command(stage: Rehearsal, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "airflow", *arguments],
        env=environment(stage),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


@contextmanager
def scheduler(stage: Rehearsal) -> Iterator[None]:
    """A running `airflow standalone`, on free ports; from now on the stage's Airflow."""
    stage.environment.update(standalone.ports())
    folder = Path(stage.environment["AIRFLOW_HOME"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "passwords.json").write_text('{"admin": "admin"}')
    with standalone.running(environment(stage)):
        wait_for(lambda: answers(stage), "Airflow's API answers")
        yield


def answers(stage: Rehearsal) -> bool:
    health = stage.environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] + "health"
    try:
        return httpx.get(health, timeout=DEADLINE_S).is_success
    except httpx.TransportError:
        return False


def environment(stage: Rehearsal) -> dict[str, str]:
    return stage.at(0) | {
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    }


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_collected_card_events_start_their_deliveries(airflow_stage: Rehearsal) -> None:
    stage = airflow_stage
    agreement = "f02-hrss-medical_insurance-card-status"
    wanted = ("collect_hrss", "deliver_medical_insurance")
    with scheduler(stage):
        wait_for(lambda: known_dags(stage) >= set(wanted), "the DAG processor lists the DAGs")
        for arguments in (
            ("unpause", "-y", "deliver_medical_insurance"),
            (
                "trigger",
                "collect_hrss",
            ),  # before the run of the schedule, for which deliveries wait
            ("unpause", "-y", "collect_hrss"),
        ):
            done = command(stage, "dags", *arguments)
            assert done.returncode == 0, done.stderr[-800:]
        wait_for(lambda: agreement in stage.city.inbox("medical_insurance"), "the delivery arrives")
        wait_for(
            lambda: "asset_triggered" in run_types(stage, "deliver_medical_insurance"),
            "the asset starts a run of deliveries",
        )
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        ended = {t.subject: t.status for t in transfer_history.latest(connection)}
    assert ended["hrss/card_status_event"] == "published"
    assert ended[agreement] == "confirmed"


def query(stage: Rehearsal, statement: str) -> list[tuple[object, ...]]:
    url = stage.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    try:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            return connection.execute(statement.encode()).fetchall()
    except psycopg.errors.UndefinedTable:
        return []


def known_dags(stage: Rehearsal) -> set[str]:
    return {str(row[0]) for row in query(stage, "SELECT dag_id FROM dag WHERE NOT is_stale")}


def run_types(stage: Rehearsal, dag: str) -> set[str]:
    return {
        str(row[0]) for row in query(stage, f"SELECT run_type FROM dag_run WHERE dag_id = '{dag}'")
    }


def wait_for(condition, what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"waited {DEADLINE_S} s in vain: {what}"
        time.sleep(1)
