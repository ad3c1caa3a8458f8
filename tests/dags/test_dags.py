"""The DAG files: what they make, how fast they parse, and that a broken YAML stops only itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

import connectors
from demo.rehearsal import REPOSITORY, Rehearsal
from schemas.models import catalogue

LIST = """
import json, time
import airflow.sdk
import onecard_factory
found, seconds = {}, {}
for name in ("collect", "deliver", "night_over", "card_status", "reports", "reconcile",
             "housekeeping"):
    t = time.process_time()
    module = __import__(name)
    seconds[name] = time.process_time() - t
    for dag in vars(module).values():
        if isinstance(dag, airflow.sdk.DAG):
            found[dag.dag_id] = sorted(dag.task_ids)
import sys
heavy = [m for m in ("pandas", "great_expectations", "polars", "pyarrow") if m in sys.modules]
print(json.dumps({"dags": found, "seconds": seconds, "heavy": heavy}))
"""


def test_one_dag_for_each_agency_and_consumer_and_nothing_heavy(
    airflow: Callable[[str], str],
) -> None:
    made = json.loads(airflow(LIST).splitlines()[-1])
    known = catalogue.load()
    providers = {c.agency for c in known.contracts.values()}
    consumers = {a.consumer for a in known.agreements.values() if a.delivered}
    expected = {"card_status", "night_over", "quality_reports", "reconcile", "housekeeping"}
    expected |= {f"collect_{a}" for a in providers} | {f"deliver_{c}" for c in consumers}
    assert set(made["dags"]) == expected
    assert "card_master.stage" in made["dags"]["collect_hrss"]
    assert "card_master.publish" in made["dags"]["collect_hrss"]
    assert "f02-hrss-medical_insurance-card-status" in made["dags"]["card_status"]
    assert made["dags"]["quality_reports"] == ["review_challenges", "write_reports"]
    tasks = {d.replace("/", ".") for d in known.contracts}
    inboxes = {
        a.id
        for a in known.agreements.values()
        if a.delivery and a.delivery.connector in connectors.READ_BACK and not a.sealed
    }
    assert "f06-hrss-housing_fund-card-status" in inboxes
    assert set(made["dags"]["reconcile"]) == tasks | inboxes
    assert made["seconds"]["reconcile"] < 0.3
    assert made["heavy"] == []


def test_a_broken_contract_takes_out_only_its_own_dataset(stage: Rehearsal, tmp_path: Path) -> None:
    copy = tmp_path / "schemas"
    shutil.copytree(catalogue.ROOT, copy)
    broken = copy / "contracts" / "health" / "health_visit.odcs.yaml"
    broken.write_text(broken.read_text().replace("kind: DataContract", "kind: Nothing"))
    proposed = copy / "contracts" / "hrss" / "pension_status.odcs.yaml"
    proposed.write_text(proposed.read_text().replace("status: active", "status: proposed"))
    environment = stage.at(0) | {"ONECARD_SCHEMAS": str(copy)}
    listing = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIST],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    made = json.loads(listing.stdout.splitlines()[-1])["dags"]
    assert {t.split(".")[0] for t in made["collect_health"]} == {"death_notice"}
    assert "card_master.stage" in made["collect_hrss"]
    assert not [t for t in made["collect_hrss"] if "pension_status" in t], "only proposed"
    assert "hrss.pension_status" not in made["reconcile"]
    loud = subprocess.run(
        [sys.executable, "-c", "import broken_files"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY / "dags",
    )
    assert loud.returncode != 0
    assert "health_visit.odcs.yaml" in loud.stderr


NEVER_COLLECTED = """
from airflow.utils.db import upgradedb
upgradedb()
import deliver
print(deliver.deliver_operator.test().state)
"""


@pytest.mark.case("people-9", "a fresh Airflow: deliveries are skipped, and say what is lacking")
def test_deliveries_whose_datasets_were_never_collected_are_skipped_with_the_reason(
    airflow_stage: Rehearsal, airflow: Callable[[str], str]
) -> None:
    airflow_stage.environment["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "INFO"
    said = airflow(NEVER_COLLECTED)
    assert said.splitlines()[-1] == "success"
    url = airflow_stage.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        states = connection.execute("SELECT task_id, state FROM task_instance").fetchall()
    assert states, "no task ran"
    assert {state for _, state in states} == {"skipped"}
    assert "f07-hrss-operator-card-status: not collected yet: hrss/card_status_event" in said


NEVER_COMPARED = """
from airflow.utils.db import upgradedb
upgradedb()
import reconcile
run = reconcile.reconcile.test()
print(run.state)
"""


@pytest.mark.nightly
@pytest.mark.case("people-9", "the weekly comparison too: there is nothing to compare yet")
def test_comparisons_with_nothing_to_compare_are_skipped(
    airflow_stage: Rehearsal, airflow: Callable[[str], str]
) -> None:
    assert airflow(NEVER_COMPARED).splitlines()[-1] == "success"
    url = airflow_stage.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        states = connection.execute("SELECT DISTINCT state FROM task_instance").fetchall()
    assert states == [("skipped",)]
