"""CeleryExecutor and two real workers, one of which is killed while it reads its partition."""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo import standalone
from demo.rehearsal import REPOSITORY
from onecard.store import database
from tests.conftest import listening
from tests.integration.test_workers import ended
from tests.twins import Twins, api_twins, things

DEADLINE_S = 400
REDIS = 6379
RUN = "parts"
DAG_FILE = """
import sys
from datetime import timedelta
sys.path.insert(0, {dags!r})
import onecard_factory
from airflow.sdk import DAG
onecard_factory.DEFAULTS["retry_delay"] = timedelta(seconds=1)
onecard_factory.NIGHTLY = None
from schemas.models import catalogue
from onecard.base.settings import Settings
contract = catalogue.load(Settings.load().schemas).contract("hrss/thing")
dag = onecard_factory.collect_dag("hrss", "hrss", [contract])
"""


@pytest.fixture
def both(addresses: tuple[str, str], tmp_path: Path) -> Iterator[Twins]:
    with api_twins(addresses, tmp_path) as (served, found):
        served.rows = things(random.Random(3), "pqr")
        found.several.source["partition"] = found.partition
        yield found


def airflow(both: Twins, url: str, broker: str) -> dict[str, str]:
    """The environment of an Airflow of two Celery workers, below the second hub's folder."""
    home = both.several.home / "airflow"
    (home / "dags").mkdir(parents=True)
    text = DAG_FILE.format(dags=str(REPOSITORY / "dags"))
    (home / "dags" / "parts.py").write_text(text, encoding="utf-8")
    return {
        **both.several.variables,
        **standalone.ports(),
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(REPOSITORY),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.sqlalchemy_url(url),
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database.sqlalchemy_url(url)}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
        "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "40",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    }


@contextmanager
def process(environment: dict[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Airflow with its children; they are killed at the end."""
    log = Path(environment["AIRFLOW_HOME"]) / f"{words[0]}-{secrets.token_hex(2)}.log"
    with log.open("w") as out:
        found = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "airflow", *words],
            env=environment,
            start_new_session=True,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield found
        finally:
            kill(found)


def kill(found: subprocess.Popen[bytes]) -> None:
    """`kill -9` to a process and all that it has begun."""
    for member in members(found.pid):
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            continue
    found.wait()


def members(root: int) -> list[int]:
    """A process and its descendants, those in sessions of their own too."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = stat.read_text(encoding="utf-8").rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(stat.parent.name)] = int(rest[1])
    found = [root]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def run(environment: dict[str, str], *words: str) -> None:
    """A command of Airflow."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "airflow", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def forget(number: int) -> None:
    """Empty one database of Redis."""
    with socket.create_connection(("127.0.0.1", REDIS), timeout=5) as broker:
        broker.sendall(f"SELECT {number}\r\nFLUSHDB\r\n".encode())
        assert broker.recv(64).startswith(b"+OK")


def wait_for(found: Callable[[], Any], what: str) -> Any:
    """Wait until something is so."""
    end = time.monotonic() + DEADLINE_S
    while not (value := found()):
        assert time.monotonic() < end, f"waited {DEADLINE_S} s in vain: {what}"
        time.sleep(0.5)
    return value


def stopped(both: Twins, worker: subprocess.Popen[bytes]) -> bool:
    """Whether a process of a worker has been stopped after it has read its partition."""
    begun = both.several.ask("SELECT count(*) FROM ledger.partition WHERE attempt IS NOT NULL")
    if begun == [(0,)]:
        return False
    return any(") T " in stat_line(member) for member in members(worker.pid))


def stat_line(member: int) -> str:
    """What the kernel says of a process; nothing once it is gone."""
    try:
        return Path(f"/proc/{member}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def state(url: str) -> str:
    """Of the DAG's run."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT state FROM dag_run WHERE run_id = %s", (RUN,)).fetchone()
    return row[0] if row else ""


def known(url: str) -> bool:
    """Whether the DAG processor has listed the DAG."""
    with psycopg.connect(url) as connection:
        return bool(
            connection.execute("SELECT 1 FROM dag WHERE dag_id = 'collect_hrss'").fetchone()
        )


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_two_workers_and_a_kill(both: Twins, private_database: str) -> None:
    """The partition of the killed worker is read again, alone; the end is that of one reading."""
    if not listening(REDIS):
        pytest.skip(f"needs Redis on 127.0.0.1:{REDIS}")
    number = 15
    forget(number)
    url = private_database
    both.one.day += 1
    both.several.day += 1
    environment = airflow(both, url, f"redis://127.0.0.1:{REDIS}/{number}")
    run(environment, "db", "migrate")
    words = ("celery", "worker", "--skip-serve-logs", "-H")
    with ExitStack() as running:
        for name in ("api-server", "scheduler", "dag-processor"):
            running.enter_context(process(environment, name))
        stops = {**environment, "ONECARD_STOP_AT": "part.read"}
        first = running.enter_context(process(stops, *words, "w1@%h"))
        wait_for(lambda: known(url), "the DAG processor lists the DAG")
        run(environment, "dags", "unpause", "-y", "collect_hrss")
        run(environment, "dags", "trigger", "collect_hrss", "--run-id", RUN)
        wait_for(lambda: stopped(both, first), "the first worker has read a partition")
        running.enter_context(process(environment, *words, "w2@%h"))
        kill(first)
        wait_for(lambda: state(url) in ("success", "failed"), "the run ends")
    assert state(url) == "success"
    both.agree(both.one.hub().collect("hrss/thing").run(), ended(both))
    attempts = both.several.ask("SELECT cardinality(attempts) FROM ledger.partition ORDER BY 1")
    assert attempts == [(1,), (1,), (2,)]
    forget(number)
