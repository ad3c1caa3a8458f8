"""Runs one night through the DAGs: `python dags/night.py` (used by `make demo`).

Every collect_<agency>, then every deliver_<consumer>, by `dag.test()`: the same tasks, XComs and
error handling that the scheduler uses. DAGs that do not wait for each other run side by side, in
processes that are forked when everything is imported.

Prints the number of all tasks when Airflow is ready, `{"tasks": …}`, then a JSON line for each task
that ended, `{"task": …, "state": …}`, and last `{"night": …}`: seconds and state of each DAG.
"""

from __future__ import annotations

import asyncio
import gc
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
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import DAG

HERE = Path(__file__).parent
FORK = multiprocessing.get_context("fork")
ENTERING = FORK.Semaphore()
"""`dag.test()` enters its bundle in Airflow's database first; two at once break unique keys."""
PROCESSES = 2
STAGES = ("collect", "deliver")
"""Each is a file of DAGs; the later waits for the earlier."""


def run() -> int:
    """Run the night; 0 when every DAG run succeeded."""
    sys.path.insert(0, str(HERE))
    with TemporaryDirectory(prefix="onecard-night-") as folder:
        return _run(_prepared(Path(folder)))


def _run(made: Mapping[str, Mapping[str, DAG]]) -> int:
    """Run the DAGs, stage by stage; 0 when every DAG run succeeded."""
    _say({"tasks": sum(len(dag.tasks) for found in made.values() for dag in found.values())})
    logging.disable(logging.WARNING)
    states: dict[str, dict[str, object]] = {}
    with ProcessPoolExecutor(PROCESSES, mp_context=FORK) as pool:
        for stage, found in made.items():
            longest_first = sorted(found, key=lambda name: -len(found[name].tasks))
            ended = pool.map(partial(_test, stage), longest_first)
            states |= zip(longest_first, ended, strict=True)
    _say({"night": states})
    return 0 if all(s["state"] == "success" for s in states.values()) else 1


def _prepared(folder: Path) -> dict[str, dict[str, DAG]]:
    """Airflow's database, the DAGs by stage, and all that each forked process would do again."""
    gc.disable()  # what is imported stays: looking for garbage in it costs seconds
    from airflow.utils.db import upgradedb  # noqa: PLC0415 - reads what is set above

    upgradedb()
    made = {stage: _dags(stage) for stage in STAGES}
    bundles = _bundles(folder, made)
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(bundles)
    import_module("warm").tasks()
    asyncio.run(_ask_airflow())
    gc.freeze()
    gc.enable()
    return made


async def _ask_airflow() -> None:
    """Ask Airflow's API once: it builds its routes at the first request, which takes ten seconds.

    The answer does not matter. No loop and no thread is left, so this process may be forked.
    """
    import httpx  # noqa: PLC0415 - after Airflow's settings
    from airflow.sdk.execution_time.supervisor import in_process_api_server  # noqa: PLC0415

    transport = in_process_api_server().atransport
    async with httpx.AsyncClient(transport=transport, base_url="http://in-process") as client:
        await client.get("/")


def _bundles(folder: Path, made: Mapping[str, Mapping[str, DAG]]) -> list[dict[str, Any]]:
    """A bundle for each DAG: `dag.test()` writes its DAG's whole bundle to the database again.

    Args:
        folder: where the bundles' files go, one line each.
        made: the DAGs by stage.
    """
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    found = []
    for stage, dags in made.items():
        for name in dags:
            file = folder / f"{name}.py"
            file.write_text(f"from {stage} import {name}  # an airflow DAG\n")
            found.append({"name": name, "classpath": local, "kwargs": {"path": str(file)}})
    return found


def _dags(stage: str) -> dict[str, DAG]:
    """The stage's DAGs by id, each task of which tells when it ends and is tried once."""
    module = import_module(stage)
    mine = f"{stage}_"
    found = {n: d for n, d in vars(module).items() if n.startswith(mine) and hasattr(d, "test")}
    for dag in found.values():
        for task in dag.tasks:
            task.retries = 0  # nobody waits minutes for a rehearsal's retry
            task.on_execute_callback = [_entered]
            task.on_success_callback = [_succeeded]
            task.on_failure_callback = [_failed]
            task.on_skipped_callback = [_skipped]
    return found


def _test(stage: str, name: str) -> dict[str, object]:
    """Run one DAG, in a process forked from the one that has imported it."""
    started = time.monotonic()
    ENTERING.acquire()
    _mine.append(name)
    try:
        done = getattr(import_module(stage), name).test()
    finally:
        _entered()
    return {"state": str(done.state), "seconds": round(time.monotonic() - started, 2)}


_mine: list[str] = []
"""The DAG that this process is entering in Airflow's database, until its first task starts."""


def _entered(_context: Mapping[str, Any] | None = None) -> None:
    if _mine:
        _mine.clear()
        ENTERING.release()


def _succeeded(context: Mapping[str, Any]) -> None:
    _ended(context, "success")


def _failed(context: Mapping[str, Any]) -> None:
    _ended(context, "failed")


def _skipped(context: Mapping[str, Any]) -> None:
    _ended(context, "skipped")


def _ended(context: Mapping[str, Any], state: str) -> None:
    ti = context["ti"]
    _say({"task": f"{ti.dag_id}.{ti.task_id}", "state": state})


def _say(line: dict[str, object]) -> None:
    """Write one line at once: processes write side by side."""
    os.write(1, (json.dumps(line) + "\n").encode())


if __name__ == "__main__":
    sys.exit(run())
