"""Ctrl-C and signals to end, at several moments of real processes: a word, a code, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.rehearsal import REPOSITORY, Rehearsal
from onecard.store import database
from tests.cities import Cities

ONECARD = [sys.executable, "-c", "from onecard.cli.entry import main; main()"]
CARDS = "hrss/card_master"
INSURANCE = "f02-hrss-medical_insurance-card-status"
WITHIN_S = 8.0
"""A second, and more for slow machines that are busy with other tests; what hangs takes minutes."""
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture
def stage(tmp_path: Path, cities: Cities) -> Iterator[Rehearsal]:
    with cities.start(tmp_path / "stage", persons=300, seed=5) as found:
        yield found


@pytest.fixture(autouse=True)
def no_hangup_is_ignored() -> Iterator[None]:
    """The children of a test run below nohup would ignore SIGHUP, as they should."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@contextmanager
def running(
    environment: dict[str, str], *words: str, **more: Any
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*ONECARD, *words],
        env=environment,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def takes_signals(process: subprocess.Popen[str]) -> bool:
    """Whether SIGTERM is caught: Python by itself does not."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def until(condition: Callable[[], object], what: str, limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def ended(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send the signal; the process ends in time, with the code, one word and no traceback."""
    began = time.monotonic()
    process.send_signal(number)
    said, complained = process.communicate(timeout=120)
    assert time.monotonic() - began < WITHIN_S
    assert (process.returncode, complained) == (CODES[number], "interrupted\n")
    return said


def ledger(stage: Rehearsal) -> list[tuple[str, str, str]]:
    with database.connect(stage.environment["ONECARD_DATABASE_URL"], autocommit=True) as found:
        rows = found.execute("SELECT subject, status, message FROM ledger.transfer ORDER BY id")
        return [(str(a), str(b), str(c)) for a, b, c in rows.fetchall()]


def scalar(stage: Rehearsal, statement: str) -> object:
    with psycopg.connect(stage.environment["ONECARD_DATABASE_URL"]) as connection:
        row = connection.execute(statement.encode()).fetchone()
        return row and row[0]


def finished(stage: Rehearsal, *words: str) -> str:
    done = subprocess.run(
        [*ONECARD, *words],
        env=stage.at(0),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.case("people-15", "in the first second, while it imports: a word and the code")
@pytest.mark.parametrize(
    ("after", "number"),
    [(0, signal.SIGINT), (0.1, signal.SIGTERM), (0.3, signal.SIGINT), (0.6, signal.SIGHUP)],
)
def test_while_it_imports(after: float, number: signal.Signals, tmp_path: Path) -> None:
    environment = os.environ | {"ONECARD_HOME": str(tmp_path), "ONECARD_CONNECT_TIMEOUT": "60"}
    with silent() as port:
        environment["ONECARD_DATABASE_URL"] = f"postgresql://x@127.0.0.1:{port}/x"
        with running(environment, "nightly") as process:
            until(lambda: takes_signals(process), "it takes no signals")
            time.sleep(after)
            assert ended(process, number) == ""


@contextmanager
def silent() -> Iterator[int]:
    """A port that lets everybody in and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield int(listening.getsockname()[1])


@pytest.mark.case("people-15", "while it connects to a source: closed as interrupted, then goes on")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("json_output", [False, True])
def test_while_it_connects_to_a_source(
    stage: Rehearsal, number: signal.Signals, json_output: bool
) -> None:
    with silent() as port:
        gone = {"conn_type": "postgres", "host": "127.0.0.1", "port": port, "login": "x"}
        environment = stage.at(0) | {
            "AIRFLOW_CONN_HRSS_DB": json.dumps(gone),
            "ONECARD_CONNECT_TIMEOUT": "60",
        }
        words = ["collect", CARDS, *(["--json"] if json_output else [])]
        with running(environment, *words) as process:
            until(lambda: ledger(stage), "it opens no transfer")
            time.sleep(0.5)
            ended(process, number)
    assert ledger(stage) == [(CARDS, "failed", "interrupted")]
    assert scalar(stage, "SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'") == 0
    noted = "SELECT body::jsonb ->> 'error' FROM ledger.audit WHERE kind = 'collect.failed'"
    assert scalar(stage, noted) == "Interrupted"
    assert "published" in finished(stage, "collect", CARDS)
    assert [line[1] for line in ledger(stage)] == ["failed", "published"]


@pytest.mark.case("people-15", "while a source's table is locked: as anywhere, and no other reason")
@pytest.mark.parametrize("words", [("collect", CARDS), ("collect", "--dry-run", CARDS)])
@pytest.mark.parametrize("native", ["on", "off"], ids=["library", "Arrow's driver"])
def test_while_a_source_waits_for_a_lock(
    stage: Rehearsal, words: tuple[str, ...], native: str
) -> None:
    found = json.loads(stage.environment["AIRFLOW_CONN_HRSS_DB"])
    place = {"host": found["host"], "port": found["port"], "dbname": found["schema"]}
    with psycopg.connect(**place, user=found["login"], password=found.get("password")) as locking:
        locking.execute("LOCK TABLE hrss.ac01_card IN ACCESS EXCLUSIVE MODE")
        waits = (
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'hrss.ac01_card'::regclass"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        with running(stage.at(0) | {"ONECARD_NATIVE": native}, *words) as process:
            until(lambda: locking.execute(waits).fetchone() != (0,), "nobody waits for the lock")
            ended(process, signal.SIGINT)
    dry = "--dry-run" in words
    assert ledger(stage) == ([] if dry else [(CARDS, "failed", "interrupted")])


@pytest.mark.case(
    "people-15", "a consumer that says nothing: receipt and window, the same id again"
)
def test_while_a_consumer_says_nothing(stage: Rehearsal) -> None:
    finished(stage, "collect", "hrss/card_status_event", CARDS, "health/death_notice")
    with silent() as port:
        api = {"conn_type": "http", "host": "127.0.0.1", "port": port, "password": "t"}
        environment = stage.at(0) | {"AIRFLOW_CONN_MEDICAL_INSURANCE_API": json.dumps(api)}
        opened = "SELECT count(*) FROM ledger.delivery_window"
        with running(environment, "deliver", INSURANCE) as process:
            until(lambda: scalar(stage, opened), "it opens no window")
            time.sleep(0.5)
            ended(process, signal.SIGINT)
    assert ledger(stage)[-1] == (INSURANCE, "failed", "interrupted")
    receipt = "SELECT body::jsonb ->> 'error' FROM ledger.receipt ORDER BY transfer DESC LIMIT 1"
    assert scalar(stage, receipt) == "Interrupted"
    assert f"{INSURANCE}: delivered" in finished(stage, "deliver", INSURANCE)
    ids = "SELECT count(DISTINCT delivery_id) FROM ledger.transfer WHERE direction = 'deliver'"
    assert scalar(stage, ids) == 1


@pytest.mark.case("people-15", "at any time of a night: what is published stays, nothing runs on")
@pytest.mark.parametrize("after", [0.2, 0.7, 1.4])
def test_at_some_moment_of_several_collects(stage: Rehearsal, after: float) -> None:
    with running(stage.at(0), "collect", "hrss", "housing_fund", "transport") as process:
        until(lambda: ledger(stage), "it opens no transfer")
        time.sleep(after)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=120)
    assert "Traceback" not in complained
    assert (process.returncode, complained) in ((130, "interrupted\n"), (0, ""))
    found = ledger(stage)
    assert {status for _, status, _ in found} <= {"published", "failed"}
    assert {message for _, status, message in found if status == "failed"} <= {"interrupted"}
    finished(stage, "collect", "hrss", "housing_fund", "transport")
    last = {subject: status for subject, status, _ in ledger(stage)}
    assert set(last.values()) == {"published"}


def ready(script: str, *words: str) -> subprocess.Popen[str]:
    """A process of a script that says when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *words],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


STUCK = """
import hashlib, sys
from onecard.base import interrupts
interrupts.install()
interrupts.orderly()
fails = int(sys.argv[2])
def close():
    global fails
    fails -= 1
    if fails >= 0:
        raise OSError("locked")
    open(sys.argv[1], "w").write("closed")
print("ready", flush=True)
with interrupts.closing(close):
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2_000_000_000)  # in C, for minutes
"""


@pytest.mark.case("people-15", "a main thread that hangs in a driver: closed in its place")
@pytest.mark.case("people-15", "what cannot be noted yet is noted a moment later")
@pytest.mark.parametrize("fails", [0, 3])
def test_a_main_thread_that_hangs_in_c(tmp_path: Path, fails: int) -> None:
    note = tmp_path / "note"
    process = ready(STUCK, str(note), str(fails))
    time.sleep(0.2)
    ended(process, signal.SIGTERM)
    assert note.read_text() == "closed"


IN_A_DESTRUCTOR = """
import sys, time
from onecard.base import interrupts, redaction
interrupts.install()
redaction.install()
interrupts.orderly()
class Slow:
    def __del__(self):
        print("ready", flush=True)
        time.sleep(60)
try:
    with interrupts.closing(lambda: print("closed")):
        Slow()
        while True:
            pass
except interrupts.Interruption as error:
    print("unwound")
    interrupts.say_once(lambda: sys.stderr.write("interrupted\\n"))
    sys.exit(128 + error.signal)
"""


@pytest.mark.case("people-15", "in a destructor, whose errors are lost: it comes once more")
def test_in_a_destructor() -> None:
    process = ready(IN_A_DESTRUCTOR)
    assert ended(process, signal.SIGTERM) == "closed\nunwound\n"


IN_ARROWS_DRIVER = """
import sys, time
from onecard.base import endings, interrupts
from onecard.base.sql_text import query
from onecard.store import arrow
from onecard.store.snapshots import Snapshot
address, way = sys.argv[1:]
interrupts.install()
interrupts.orderly()
arrow.integers(address, query("SELECT 1::bigint"))
with endings.with_its_code():
    try:
        with Snapshot(address) as snapshot:
            snapshot.frame(query("SELECT 1"))
            print("ready", flush=True)
            if way == "integers":
                arrow.integers(address, query("SELECT 1::bigint FROM pg_sleep(60)"))
            many = query("SELECT repeat('x', 1000) FROM generate_series(1, 3000000)")
            for _ in snapshot.batches(query("SELECT 1 FROM pg_sleep(60)") if way == "sleep" else many):
                pass
    except interrupts.Interruption as error:
        time.sleep(0.2)  # the thread that is in the driver goes on
        interrupts.say_once(lambda: sys.stderr.write("interrupted\\n"))
        sys.exit(128 + error.signal)
"""


@pytest.mark.case("people-15", "while Arrow's driver reads the hub's database: as anywhere")
@pytest.mark.parametrize("way", ["integers", "sleep", "many rows"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_arrows_driver(hub_database: str, way: str, number: signal.Signals) -> None:
    process = ready(IN_ARROWS_DRIVER, hub_database, way)
    time.sleep(0.2)
    assert ended(process, number) == ""


@pytest.mark.case("people-15", "what the parent has it ignore, it ignores: nohup, jobs in scripts")
def test_ignored_signals_stay_ignored(stage: Rehearsal) -> None:
    def ignoring() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    with running(stage.at(0), "collect", CARDS, preexec_fn=ignoring) as process:
        until(lambda: takes_signals(process), "it takes no signals")
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=60)
    assert (process.returncode, complained) == (0, "")
    assert f"{CARDS}: read" in said
