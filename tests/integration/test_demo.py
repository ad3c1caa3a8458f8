"""The commands of a rehearsal, whole: `onecard demo` and `onecard up`, with lane and service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.processes import ONECARD
from onecard.store import embedded

DEADLINE_S = 400


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the embedded server's own login can reach, which pytest's own it may not."""
    with tempfile.TemporaryDirectory(prefix="onecard-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def environment(home: Path) -> dict[str, str]:
    """That of a person who has set nothing: the demo makes its own server below this folder."""
    known = {n: v for n, v in os.environ.items() if not n.startswith(("ONECARD_", "AIRFLOW"))}
    return known | {"ONECARD_HOME": str(home)}


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until it holds."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.5)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_the_demo_ends_with_a_lost_card_and_everything_holds(home: Path) -> None:
    words = ("demo", "--persons", "1000", "--history", "1", "--verify", "--json")
    try:
        done = subprocess.run(
            [*ONECARD, *words],
            env=environment(home),
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        embedded.stop(home / "demo")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["inboxes_verified"] is found["verified"] is found["proven"] is True
    live = found["live"]
    assert (live["well"], live["answer"] in ("00", "01"), live["exit_code"]) == (True, True, 0)
    told = [line for line in live["consumers"] if line["granted"]]
    assert len(live["consumers"]) == 7
    assert len(told) >= 4
    assert all(0 < line["seconds"] < 120 for line in told)
    assert all(line["holds"].endswith(" 2 正式挂失") for line in told)
    asked = found["asked"]
    assert (asked["well"], asked["exit_code"], asked["refused"]) == (True, 0, "64")
    assert [a["agreement"][:3] for a in asked["answers"]] == ["f09", "f10", "f11", "f12"]
    assert all(a["proved"] for a in asked["answers"])
    reports = [Path(f) for f in found["reports"] if f.endswith(".zh.html") and "monthly" in f]
    (hrss, *_) = sorted((f for f in reports if f.parent.name == "hrss"), reverse=True)
    assert 'data-f="call.f10-hrss-bank-payee-verify.bank-payment.answered">2<' in hrss.read_text()


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_up_runs_lane_and_service_beside_airflow_and_ends_all(home: Path) -> None:
    said, log, served = home / "said", home / "up" / "live.log", home / "up" / "serve.log"
    with said.open("w") as file:
        process = subprocess.Popen(
            [*ONECARD, "up", "--persons", "1000", "--port", "0"],
            env=environment(home),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(
            lambda: process.poll() is not None or "Service: query and verify" in said.read_text(),
            "lane and service are ready",
        )
        assert process.poll() is None, said.read_text()
        assert "Live lane: ready" in said.read_text()
        assert "its door is http://127.0.0.1:" in log.read_text()
        assert "agreement(s) at http://127.0.0.1:" in served.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    finally:
        process.kill()
        embedded.stop(home / "up")
    assert "live: ended" in log.read_text()
    assert "serve: ended" in served.read_text()
    assert [program for program in running_in(home) if "python" in program] == []


def running_in(home: Path) -> list[str]:
    """Programs that still run and have this folder as their ONECARD_HOME or below it."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            variables = (place / "environ").read_bytes().split(b"\0")
            program = str((place / "exe").readlink())
        except OSError:
            continue
        if any(v.startswith(f"ONECARD_HOME={home}".encode()) for v in variables):
            found.append(program)
    return found
