"""When deliveries start: when all is there, when the night is over, and ad hoc; by Airflow's rules."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from demo.rehearsal import REPOSITORY
from schemas.models import catalogue

CODE = """
import importlib, json, os, sys
from types import SimpleNamespace
import pendulum
import card_status, deliver, night_over
from airflow.assets.evaluation import AssetEvaluator
from airflow.serialization.definitions.assets import SerializedAssetUniqueKey
from airflow.serialization.serialized_objects import DagSerialization
from airflow.sdk import DAG
from airflow.sdk.execution_time.context import OutletEventAccessors
import night_assets
from night_assets import AD_HOC, is_ad_hoc, tell, when_to_deliver

def starts(asked, names):
    there = {SerializedAssetUniqueKey(n, f"x-onecard://{n}"): True for n in names}
    return AssetEvaluator(None).run(asked, there)

def condition(timetable):
    asked = timetable.asset_condition
    names = {a.name for _, a in asked.iter_assets()}
    night = sorted(n for n in names if n != "night_over" and not n.endswith("/ad_hoc"))
    return {
        "awaited": night,
        "all": starts(asked, night),
        "one lacks": [starts(asked, set(night) - {n}) for n in night],
        "alone": sorted(n for n in names if starts(asked, [n])),
    }

def made(dag):
    return DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable

def conditions():
    return {
        name.removeprefix("deliver_"): condition(made(dag))
        for name, dag in vars(deliver).items()
        if name.startswith("deliver_") and hasattr(dag, "task_ids")
    }

def outlets(dag):
    return {a.name for task in dag.tasks for a in task.outlets}

def told(outlets):
    run = SimpleNamespace(run_type="manual", clear_number=0, run_after=pendulum.now())
    emitted = OutletEventAccessors()
    context = {"outlets": outlets, "outlet_events": emitted, "dag_run": run}
    night_assets.get_current_context = lambda: context
    tell("hrss/card_master")
    return [e.dest_asset_key.name for a in emitted.values() for e in a.asset_alias_events]

runs, copy = json.loads(sys.argv[1]), sys.argv[2]
found = {"usual": conditions()}
os.environ["ONECARD_SCHEMAS"] = copy
importlib.reload(deliver)
found["onboarding"] = conditions()
events = DAG("events", schedule=when_to_deliver(["hrss/card_status_event"], deliver.NIGHTLY))
found["events alone"] = condition(made(events))
found["event lane"] = sorted(outlets(card_status.card_status))
found["night over"] = sorted(outlets(night_over.night_over))
found["paused"] = night_over.night_over.is_paused_upon_creation
found["told"] = [told([]), told([AD_HOC])]
found["runs"] = [
    is_ad_hoc(
        SimpleNamespace(
            run_type=kind,
            clear_number=clears,
            run_after=pendulum.parse(due),
            start_date=pendulum.parse(begun),
        ),
        pendulum.parse(now),
    )
    for kind, clears, due, begun, now in runs
]
print(json.dumps(found))
"""

EVENTS = "hrss/card_status_event"
DUE = "2026-11-28T18:00:00+00:00"
"""02:00 in Zhengzhou, as Airflow tells a task."""
BEGUN, DAY = "2026-11-28T18:00:05+00:00", "2026-11-29T09:00:00+08:00"
RUNS = {
    ("scheduled", 0, DUE, BEGUN, "2026-11-29T02:30:00+08:00"): False,
    ("scheduled", 0, DUE, BEGUN, "2026-11-29T04:54:59+08:00"): False,
    ("scheduled", 0, DUE, BEGUN, "2026-11-29T04:55:00+08:00"): True,
    ("scheduled", 0, DUE, BEGUN, "2026-11-29T05:00:00+08:00"): True,
    ("scheduled", 0, DUE, BEGUN, "2026-11-30T02:30:00+08:00"): True,
    ("scheduled", 0, DUE, DAY, "2026-11-29T09:20:00+08:00"): True,
    ("scheduled", 0, DUE, DAY, "2026-11-30T02:30:00+08:00"): True,
    ("scheduled", 1, DUE, BEGUN, "2026-11-29T02:30:00+08:00"): True,
    ("manual", 0, DUE, BEGUN, "2026-11-29T02:30:00+08:00"): True,
    ("backfill", 0, DUE, BEGUN, "2026-11-29T02:30:00+08:00"): True,
}
"""Kind of run, how often it was cleared, when it was due, began and publishes: is that ad hoc?

Five minutes before the end of the night a publication is ad hoc already: clocks differ.
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Airflow makes of the DAG files; also of a city in which health is not on board."""
    folder = tmp_path_factory.mktemp("night_assets")
    copy = folder / "schemas"
    shutil.copytree(catalogue.ROOT, copy)
    agencies = copy / "agencies.yaml"
    head, health, rest = agencies.read_text().partition("  health:            {")
    assert health
    agencies.write_text(f"{head}{health}onboarding: true, {rest}")
    path = os.pathsep.join(map(str, (REPOSITORY / "dags", REPOSITORY)))
    environment = os.environ | {"AIRFLOW_HOME": str(folder), "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, json.dumps(list(RUNS)), str(copy)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def needed(consumer: str) -> set[str]:
    return {d for a in catalogue.load().agreements_of(consumer) for d in a.datasets}


def nightly(datasets: set[str]) -> set[str]:
    """Those that are not in the event lane."""
    known = catalogue.load()
    return {d for d in datasets if known.contract(d).lane != "event"}


def test_deliveries_start_when_all_is_there_when_the_night_is_over_and_ad_hoc(
    said: dict[str, Any],
) -> None:
    known = catalogue.load().agreements.values()
    assert set(said["usual"]) == {a.consumer for a in known if a.delivered}
    for consumer, asked in said["usual"].items():
        datasets = needed(consumer)
        awaited = nightly(datasets)
        assert set(asked["awaited"]) == awaited, consumer
        assert asked["all"] is bool(awaited), consumer
        alone = {"night_over", *(f"{d}/ad_hoc" for d in datasets)}
        if len(awaited) > 1:
            assert not any(asked["one lacks"]), consumer
            assert set(asked["alone"]) == alone, consumer
        else:
            assert set(asked["alone"]) == alone | awaited, consumer


def test_the_night_ends_by_itself(said: dict[str, Any]) -> None:
    assert said["night over"] == ["night_over"]
    assert said["paused"] is False, "deliveries wait for it: nobody has to switch it on"


def test_the_event_lane_starts_no_other_delivery_and_keeps_none_waiting(
    said: dict[str, Any],
) -> None:
    assert said["event lane"] == []
    asked = [said[city][c] for city in ("usual", "onboarding") for c in said[city]]
    assert not any(EVENTS in found["awaited"] + found["alone"] for found in asked)
    assert f"{EVENTS}/ad_hoc" in said["usual"]["medical_insurance"]["alone"]


def test_only_a_task_that_may_tells_of_an_ad_hoc_publication(said: dict[str, Any]) -> None:
    assert said["told"] == [[], ["hrss/card_master/ad_hoc"]], "the event lane may not"


def test_deliveries_of_the_event_lane_alone_start_when_the_night_is_over_and_ad_hoc(
    said: dict[str, Any],
) -> None:
    assert said["events alone"] == {
        "awaited": [],
        "all": False,
        "one lacks": [],
        "alone": [f"{EVENTS}/ad_hoc", "night_over"],
    }


def test_a_dataset_that_is_not_on_board_keeps_no_delivery_waiting(said: dict[str, Any]) -> None:
    asked = said["onboarding"]["hrss"]
    datasets = needed("hrss")
    there = {d for d in nightly(datasets) if not d.startswith("health/")}
    assert set(asked["awaited"]) == there < nightly(datasets)
    assert asked["all"]
    assert set(asked["alone"]) >= {f"{d}/ad_hoc" for d in datasets}


def test_what_is_published_by_hand_cleared_or_after_the_night_is_ad_hoc(
    said: dict[str, Any],
) -> None:
    assert dict(zip(RUNS, said["runs"], strict=True)) == RUNS
