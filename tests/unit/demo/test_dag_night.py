"""What people see of a night's tasks: each dataset once, when it is through or has failed."""

from __future__ import annotations

import json

from demo import dag_night


def lines_of(*lines: str) -> list[str]:
    found: list[str] = []
    tell = dag_night.task_teller(found.append)
    for line in lines:
        tell(line + "\n")
    return found


def task(name: str, state: str) -> str:
    return json.dumps({"task": name, "state": state})


def test_a_dataset_is_told_of_when_it_is_published() -> None:
    steps = [f"collect_hrss.card_master.{s}" for s in ("stage", "audit_staged", "publish")]
    assert lines_of(*(task(step, "success") for step in steps)) == ["hrss/card_master"]


def test_a_step_that_does_not_end_well_is_told_of() -> None:
    assert lines_of(task("collect_hrss.card_master.audit_staged", "failed")) == [
        "hrss/card_master: failed"
    ]
    assert lines_of(task("deliver_bank.f05-hrss-bank-card-event", "skipped")) == [
        "f05-hrss-bank-card-event: skipped"
    ]


def test_airflow_and_deliveries_are_told_of_and_other_lines_are_not() -> None:
    assert lines_of(
        '{"tasks": 75}',
        "a library's own words",
        task("deliver_medical_insurance.f02-hrss-medical_insurance-card-status", "success"),
        '{"night": {}}',
    ) == ["Airflow is ready", "f02-hrss-medical_insurance-card-status"]
