"""Runs one night through the DAGs: `python dags/night.py` (used by `make demo`).

Every collect_<agency>, then every deliver_<consumer>, by `dag.test()`: the same tasks, XComs and
error handling that the scheduler uses. DAGs that do not wait for each other run side by side, in
processes that are forked when everything is imported.

Prints a JSON line for each task that ended, `{"task": …, "state": …}`, with the number of all of
them first, `{"tasks": …}`, and last `{"night": …}`: seconds and state of each DAG.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import DAG

HERE = Path(__file__).parent
PROCESSES = 2
STAGES = ("collect", "deliver")
"""Each is a file of DAGs; the later waits for the earlier."""


def run() -> int:
    """Run the night; 0 when every DAG run succeeded."""
    sys.path.insert(0, str(HERE))
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(bundles())
    from airflow.utils.db import upgradedb  # noqa: PLC0415 - reads what is set above

    upgradedb()
    made = {stage: _dags(stage) for stage in STAGES}
    _say({"tasks": sum(len(dag.tasks) for found in made.values() for dag in found.values())})
    logging.disable(logging.WARNING)
    states: dict[str, dict[str, object]] = {}
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(PROCESSES, mp_context=fork) as pool:
        for stage, found in made.items():
            longest_first = sorted(found, key=lambda name: -len(found[name].tasks))
            ended = pool.map(partial(_test, stage), longest_first)
            states |= zip(longest_first, ended, strict=True)
    _say({"night": states})
    return 0 if all(s["state"] == "success" for s in states.values()) else 1


def bundles() -> list[dict[str, Any]]:
    """A DAG bundle for each stage: `dag.test()` reads the whole bundle of its DAG again."""
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return [
        {"name": stage, "classpath": local, "kwargs": {"path": str(HERE / f"{stage}.py")}}
        for stage in STAGES
    ]


def _dags(stage: str) -> dict[str, DAG]:
    """The stage's DAGs by id, each task of which tells when it ends and is tried once."""
    module = import_module(stage)
    mine = f"{stage}_"
    found = {n: d for n, d in vars(module).items() if n.startswith(mine) and hasattr(d, "test")}
    for dag in found.values():
        for task in dag.tasks:
            task.retries = 0  # nobody waits minutes for a rehearsal's retry
            task.on_success_callback = partial(_ended, "success")
            task.on_failure_callback = partial(_ended, "failed")
            task.on_skipped_callback = partial(_ended, "skipped")
    return found


def _test(stage: str, name: str) -> dict[str, object]:
    """Run one DAG, in a process forked from the one that has imported it."""
    started = time.monotonic()
    done = getattr(import_module(stage), name).test()
    return {"state": str(done.state), "seconds": round(time.monotonic() - started, 2)}


def _ended(state: str, context: Mapping[str, Any]) -> None:
    """Tell which task has ended."""
    ti = context["ti"]
    _say({"task": f"{ti.dag_id}.{ti.task_id}", "state": state})


def _say(line: dict[str, object]) -> None:
    """Write one line at once: processes write side by side."""
    os.write(1, (json.dumps(line) + "\n").encode())


if __name__ == "__main__":
    sys.exit(run())
