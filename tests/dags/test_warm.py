"""What tasks need is there before they are forked, and nothing that may not cross a fork."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.rehearsal import Rehearsal
from schemas.models import catalogue

SCHEDULER = """
import json, os, sys, threading
from pathlib import Path
sys.argv = ["airflow", "scheduler"]
import airflow.settings
airflow.settings.initialize()
files = [os.readlink(f) for f in Path("/proc/self/fd").iterdir() if f.is_symlink()]
print(json.dumps({
    "warm": [m in sys.modules for m in ("quality.datasets.gx_audit", "connectors.sql.connector")],
    "threads": [t.name for t in threading.enumerate()],
    "native": sorted({f.read_text().strip() for f in Path("/proc/self/task").glob("*/comm")}),
    "sockets": [f for f in files if f.startswith("socket")],
}))
"""
"""As Airflow's scheduler begins: it reads `airflow_local_settings`."""

TASKS = """
import json, logging, os, sys
sys.argv = ["airflow", "scheduler"]
from airflow.utils.db import upgradedb
upgradedb()
logging.disable(logging.WARNING)
OURS = {"onecard", "quality", "connectors", "schemas", "hub_metrics", "night_assets",
        "onecard_factory", "polars", "pyarrow", "pandas", "great_expectations", "psycopg", "sqlalchemy", "numpy", "requests",
        "cryptography", "asyncssh", "adbc_driver_postgresql"}
found = {}
for file, dag in (("collect", "collect_hrss"), ("collect", "collect_transport"),
                  ("collect", "collect_health"), ("collect", "collect_education"),
                  ("deliver", "deliver_bank"), ("deliver", "deliver_education"),
                  ("deliver", "deliver_transport")):
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag
    sys.modules.pop(file, None)
    before = set(sys.modules)
    module = __import__(file)
    made = sorted(n for n in vars(module) if n.startswith(("collect_", "deliver_")) and "_dag" not in n)
    state = str(getattr(module, dag).test().state)
    new = sorted(m for m in set(sys.modules) - before if m.split(".")[0] in OURS)
    found[dag] = [made, state, new]
print(json.dumps(found))
"""
"""Each DAG as a task sees it, which parses its file for its own DAG."""


def test_the_scheduler_begins_with_everything_and_with_no_pool_and_no_connection(
    airflow_stage: Rehearsal, airflow: Callable[[str], str], tmp_path: Path
) -> None:
    copy = tmp_path / "schemas"
    shutil.copytree(catalogue.ROOT, copy)
    (copy / "agencies.yaml").write_text("agencies: [")
    airflow_stage.environment["ONECARD_SCHEMAS"] = str(copy)
    found = json.loads(airflow(SCHEDULER).splitlines()[-1])
    assert found["warm"] == [True, True], "a broken file does not stop the scheduler"
    assert found["threads"] == ["MainThread"]
    # Allocators and Polars' cleaner of spilled files; a pool of Polars would be `polars-0`.
    known = {"python", "jemalloc_bg_thd", "polars-ooc-clea"}
    assert {name for name in found["native"] if not name.startswith("python")} <= known
    assert found["sockets"] == []


@pytest.mark.timeout(900)
def test_a_task_makes_its_own_dag_and_imports_nothing_that_was_not_there(
    airflow: Callable[[str], str],
) -> None:
    found = json.loads(airflow(TASKS).splitlines()[-1])
    assert len(found) == 7
    for dag, (made, state, new) in found.items():
        assert (dag, made, state, new) == (dag, [dag], "success", [])
