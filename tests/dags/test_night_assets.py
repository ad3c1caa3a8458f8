"""When deliveries start: once a night, at its end at the latest, and ad hoc; by Airflow's own rules."""

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
from night_assets import is_ad_hoc

def starts(asked, names):
    there = {SerializedAssetUniqueKey(n, f"x-onecard://{n}"): True for n in names}
    return AssetEvaluator(None).run(asked, there)

def conditions():
    found = {}
    for name, dag in vars(deliver).items():
        if name.startswith("deliver_") and hasattr(dag, "task_ids"):
            made = DagSerialization.from_dict(DagSerialization.to_dict(dag))
            asked = made.timetable.asset_condition
            names = {a.name for _, a in asked.iter_assets()}
            night = sorted(n for n in names if n != "night_over" and not n.endswith("/ad_hoc"))
            found[name.removeprefix("deliver_")] = {
                "awaited": night,
                "all": starts(asked, night),
                "one lacks": [starts(asked, set(night) - {n}) for n in night],
                "alone": sorted(n for n in names if starts(asked, [n])),
            }
    return found

def outlets(dag):
    return {a.name for task in dag.tasks for a in task.outlets}

runs, copy = json.loads(sys.argv[1]), sys.argv[2]
found = {"usual": conditions()}
os.environ["ONECARD_SCHEMAS"] = copy
importlib.reload(deliver)
found["onboarding"] = conditions()
found["event lane"] = sorted(outlets(card_status.card_status))
found["night over"] = sorted(outlets(night_over.night_over))
found["paused"] = night_over.night_over.is_paused_upon_creation
found["runs"] = [
    is_ad_hoc(
        SimpleNamespace(run_type=kind, clear_number=clears, start_date=pendulum.parse(begun)),
        pendulum.parse(now),
    )
    for kind, clears, begun, now in runs
]
print(json.dumps(found))
"""

NIGHT = "2026-11-28T18:00:05+00:00"
"""02:00 in Zhengzhou."""
RUNS = {
    ("scheduled", 0, NIGHT, "2026-11-29T02:30:00+08:00"): False,
    ("scheduled", 0, NIGHT, "2026-11-29T04:59:59+08:00"): False,
    ("scheduled", 0, NIGHT, "2026-11-29T05:00:00+08:00"): True,
    ("scheduled", 0, NIGHT, "2026-11-30T02:30:00+08:00"): True,
    ("scheduled", 0, "2026-11-29T09:00:00+08:00", "2026-11-29T09:20:00+08:00"): False,
    ("scheduled", 0, "2026-11-29T09:00:00+08:00", "2026-11-30T05:00:00+08:00"): True,
    ("scheduled", 1, NIGHT, "2026-11-29T02:30:00+08:00"): True,
    ("manual", 0, NIGHT, "2026-11-29T02:30:00+08:00"): True,
    ("backfill", 0, NIGHT, "2026-11-29T02:30:00+08:00"): True,
}
"""Kind of run, how often it was cleared, when it began, when it publishes: whether that is ad hoc."""


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


def test_deliveries_start_when_all_is_there_when_the_night_is_over_and_ad_hoc(
    said: dict[str, Any],
) -> None:
    known = catalogue.load().agreements.values()
    assert set(said["usual"]) == {a.consumer for a in known if a.served}
    for consumer, asked in said["usual"].items():
        datasets = needed(consumer)
        assert set(asked["awaited"]) == datasets, consumer
        assert asked["all"], consumer
        ad_hoc = {f"{d}/ad_hoc" for d in datasets}
        if len(datasets) > 1:
            assert not any(asked["one lacks"]), consumer
            assert set(asked["alone"]) == {"night_over"} | ad_hoc, consumer
        else:
            assert set(asked["alone"]) == {"night_over"} | ad_hoc | datasets, consumer


def test_the_night_ends_by_itself(said: dict[str, Any]) -> None:
    assert said["night over"] == ["night_over"]
    assert said["paused"] is False, "deliveries wait for it: nobody has to switch it on"


def test_the_event_lane_starts_no_other_delivery(said: dict[str, Any]) -> None:
    assert said["event lane"] == ["hrss/card_status_event"]
    starting = {name for asked in said["usual"].values() for name in asked["alone"]}
    assert "hrss/card_status_event" not in starting


def test_a_dataset_that_is_not_on_board_keeps_no_delivery_waiting(said: dict[str, Any]) -> None:
    asked = said["onboarding"]["hrss"]
    datasets = needed("hrss")
    assert set(asked["awaited"]) == {d for d in datasets if not d.startswith("health/")} < datasets
    assert asked["all"]
    assert set(asked["alone"]) >= {f"{d}/ad_hoc" for d in datasets}


def test_what_is_published_by_hand_cleared_or_after_the_night_is_ad_hoc(
    said: dict[str, Any],
) -> None:
    assert dict(zip(RUNS, said["runs"], strict=True)) == RUNS
