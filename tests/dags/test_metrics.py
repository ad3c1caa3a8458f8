"""The hub's figures arrive at a StatsD as Airflow is set up to send them."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from demo.rehearsal import Rehearsal
from onecard.store import database, transfer_history

NIGHT = """
from airflow.utils.db import upgradedb
upgradedb()
import collect, deliver, onecard_factory, reports
for dag in (collect.collect_transport, collect.collect_hrss, deliver.deliver_transport):
    for task in dag.tasks:
        task.retries = 0
    print(dag.dag_id, dag.test().state)
print("reports", reports.reports_dag().test().state)
"""
LINE = re.compile(r"airflow\.(onecard\.[\w.]+)((?:,[^:]*)?):([-0-9.]+)\|(c|g|ms)")


@pytest.fixture
def statsd() -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        listener.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        yield listener


def received(listener: socket.socket) -> str:
    """Everything that has arrived."""
    parts = []
    try:
        while True:
            parts.append(listener.recv(65_536).decode())
    except BlockingIOError:
        return "\n".join(parts)


def figures(text: str) -> Counter[tuple[str, str]]:
    """Sums of the hub's counters and gauges by name and subject."""
    found: Counter[tuple[str, str]] = Counter()
    for name, tags, number, kind in LINE.findall(text):
        subject = re.search(r",(?:dataset|agreement)=([^,]+)", tags)
        if kind != "ms":
            found[name, subject[1] if subject else ""] += float(number)
    return found


def airflow(stage: Rehearsal, statsd: socket.socket, **more: str) -> str:
    metrics = {
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.getsockname()[1]),
        "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", NIGHT],
        env=stage.at(0) | metrics | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert "collect_transport success" in done.stdout, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_figures_of_a_night(airflow_stage: Rehearsal, statsd: socket.socket) -> None:
    stage = airflow_stage
    for dataset in ("hrss/card_master", "health/death_notice"):  # enough for f01
        stage.hub(0).collect(dataset).run()
    gone: dict[str, Any] = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "x"}
    said = airflow(stage, statsd, AIRFLOW_CONN_HRSS_DB=json.dumps(gone))
    text = received(statsd)
    found = figures(text)
    with database.connect(stage.hub(0).address, autocommit=True) as connection:
        newest = {t.subject: t for t in transfer_history.latest(connection)}
    rides = newest["transport/transit_ride"]
    for name in type(rides.counts).__slots__:
        assert found[f"onecard.collect.{name}", rides.subject] == getattr(rides.counts, name)
    assert found["onecard.collect.rows_read", rides.subject] > 0
    assert found["onecard.collect.done", rides.subject] == 1
    assert found["onecard.collect.failed", "hrss/card_master"] == 1
    assert "onecard.collect.failed,dataset=hrss/card_master,error=SourceUnavailable:1|c" in text
    assert re.search(r"onecard\.collect\.seconds,dataset=transport/\w+,step=collect\.audit:", text)
    assert found["onecard.deliver.failed", "f13-education-transport-student-concession"] == 1
    sent = [t for t in newest.values() if t.direction == "deliver" and t.status == "confirmed"]
    assert {t.subject for t in sent} >= {"f01-hrss-transport-card-status"}
    for transfer in sent:
        assert found["onecard.deliver.rows", transfer.subject] == transfer.sent_rows
    assert found["onecard.attention.failing", ""] > 0
    assert found["onecard.attention.late", ""] > 0
    assert not re.search(r"410199(?:19|20)[0-9]{9}[0-9X]", text)
    # The same steps stand in the task logs, by Airflow's own handlers.
    assert re.search(r"collect\.publish done transport/transit_ride transfer \d+ rows_read=", said)
