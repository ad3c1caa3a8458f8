"""Runs one night through the DAGs, in this process: `python dags/night.py` (used by `make demo`).

Every collect_<agency>, then every deliver_<consumer>, by `dag.test()`: the same tasks, XComs and
error handling that the scheduler uses. Prints one JSON line: seconds and states per DAG.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path


def run() -> int:
    """Run the night; 0 when every DAG run succeeded."""
    sys.path.insert(0, str(Path(__file__).parent))
    from airflow.utils.db import upgradedb  # noqa: PLC0415 - after the path is set

    upgradedb()
    import collect  # noqa: PLC0415
    import deliver  # noqa: PLC0415

    logging.disable(logging.WARNING)
    states: dict[str, dict[str, object]] = {}
    for module, prefix in ((collect, "collect_"), (deliver, "deliver_")):
        for name, dag in sorted(vars(module).items()):
            if name.startswith(prefix) and hasattr(dag, "test"):
                for task in dag.tasks:
                    task.retries = 0  # nobody waits minutes for a rehearsal's retry
                started = time.monotonic()
                done = dag.test()
                seconds = round(time.monotonic() - started, 2)
                states[name] = {"state": str(done.state), "seconds": seconds}
    (sys.__stdout__ or sys.stdout).write(json.dumps({"night": states}) + "\n")
    return 0 if all(s["state"] == "success" for s in states.values()) else 1


if __name__ == "__main__":
    sys.exit(run())
