"""F7: databases that say nothing any more, and sessions that are killed: bounded, and retriable."""

from __future__ import annotations

import gc
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

import connectors
from connectors.sql.options import SqlSink, SqlSource
from connectors.sql.url import engine_url
from demo.rehearsal import Rehearsal
from onecard.base import timeouts
from onecard.base.connections import Connection
from onecard.errors import ConfigError, SourceUnavailable
from onecard.ports.source import Column, ReadRequest
from onecard.store import database, locks
from tests.cities import Cities
from tests.connectors.test_compliance import opened, parcel
from tests.faults.harness import Harness, stopped
from tests.faults.proxy import STALL_S, TcpProxy, tcp_proxy
from tests.sampling import sampled

CARDS = "hrss/card_master"
INSURANCE = "f02-hrss-medical_insurance-card-status"
SQL = connectors.connector("sql")
BOUND_S = 60
"""Every case ends in less; the proxies keep silent for longer."""
assert BOUND_S < STALL_S


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Rehearsal]:
    """A city of 300 persons."""
    home = tmp_path_factory.mktemp("silence") / "stage"
    with cities.start(home, persons=400, seed=23) as found:
        yield found


@pytest.fixture(scope="module")
def harness(stage: Rehearsal) -> Iterator[Harness]:
    """Nights of that city in processes of their own."""
    with Harness.of(stage) as made:
        yield made


@pytest.fixture
def proxy(cities: Cities) -> Iterator[TcpProxy]:
    """Between the hub and the PostgreSQL of its city."""
    url = make_url(cities.server)
    with tcp_proxy(url.host or "127.0.0.1", url.port or 5432) as found:
        yield found


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that waits one second for a lock and two for a word."""
    monkeypatch.setenv(timeouts.VARIABLE, "1")


def through(address: str, proxy: TcpProxy) -> str:
    url = make_url(address).set(host="127.0.0.1", port=proxy.port)
    return url.update_query_dict({"connect_timeout": "2"}).render_as_string(hide_password=False)


@pytest.mark.fault(
    "F07", "the hub's database falls silent: given up in time, the next run ends well"
)
@pytest.mark.parametrize(
    "point", sampled(["stage.checked", "publish.merged", "send.batch"], ["publish.merged"])
)
def test_the_hubs_database_falls_silent(
    harness: Harness, wanted: dict[str, object], proxy: TcpProxy, point: str
) -> None:
    harness.fresh()
    harness.report.unlink(missing_ok=True)
    url = through(harness.address, proxy)
    process = harness.start(
        ONECARD_STOP_AT=point, ONECARD_DATABASE_URL=url, **{timeouts.VARIABLE: "1"}
    )
    pid = stopped(process)
    proxy.cut(0, "stalled")
    started = time.monotonic()
    os.kill(pid, signal.SIGCONT)
    process.join(BOUND_S)
    assert process.exitcode == 1, "it hangs"
    assert time.monotonic() - started < BOUND_S
    assert "onecard.errors.SourceUnavailable: " in harness.report.read_text().splitlines()[-1]
    proxy.clean()
    harness.rerun()
    assert harness.problems() == []
    assert harness.state() == wanted


@pytest.mark.fault("F07", "a source that falls silent ends the collect as unavailable")
@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("limit", [0, 3_000], ids=["accepts only", "in mid-answer"])
def test_a_source_falls_silent(stage: Rehearsal, proxy: TcpProxy, limit: int) -> None:
    found = json.loads(stage.environment["AIRFLOW_CONN_HRSS_DB"])
    found |= {"host": "127.0.0.1", "port": proxy.port}
    silent = Rehearsal(
        stage.home,
        stage.city,
        {**stage.environment, "AIRFLOW_CONN_HRSS_DB": json.dumps(found)},
    )
    proxy.cut(limit, "stalled")
    started = time.monotonic()
    with pytest.raises(SourceUnavailable, match=f"the source of {CARDS} has said nothing for 2 s"):
        silent.hub(0).collect(CARDS).run()
    assert time.monotonic() - started < BOUND_S
    stage.hub(0).collect(CARDS).run()


PYMYSQL_SAYS_SO = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Its unbuffered results look for the rest of a connection that is gone when they are collected."""


@PYMYSQL_SAYS_SO
@pytest.mark.fault("F07", "a MariaDB that falls silent: its driver gives up in time")
def test_a_mariadb_falls_silent(tmp_path: Path, postgres: str) -> None:
    with opened("mariadb", tmp_path, postgres) as system:
        at = system.connection
        with tcp_proxy(str(at.host), int(at.port or 3306)) as proxy:
            extra = {**at.extra, "read_timeout": "1", "connect_timeout": "2"}
            slow = at.model_copy(update={"host": "127.0.0.1", "port": proxy.port, "extra": extra})
            with filled(at, 20_000) as name:
                proxy.cut(50_000, "stalled")
                started = time.monotonic()
                with pytest.raises(SourceUnavailable):
                    list(SQL.read(slow, request(name)))
        gc.collect()
        assert time.monotonic() - started < BOUND_S


@pytest.mark.fault("F07", "a consumer's PostgreSQL falls silent: nothing is taken for delivered")
@pytest.mark.usefixtures("hasty")
def test_a_consumers_database_falls_silent(tmp_path: Path, cities: Cities, proxy: TcpProxy) -> None:
    with opened("postgres", tmp_path, cities.server) as system:
        at = system.connection
        slow = at.model_copy(update={"host": "127.0.0.1", "port": proxy.port})
        proxy.cut(2_000, "stalled")
        started = time.monotonic()
        with pytest.raises(SourceUnavailable):
            SQL.send(slow, SqlSink.model_validate(system.sink), parcel(100, "d-1"))
        assert time.monotonic() - started < BOUND_S


@pytest.mark.fault("F04", "a lock that another session keeps is waited for in bounds")
@pytest.mark.usefixtures("hasty")
def test_locks_are_waited_for_in_bounds(harness: Harness) -> None:
    harness.fresh()
    hub = harness.hub()
    for dataset in ("hrss/card_status_event", CARDS, "health/death_notice"):
        hub.collect(dataset).run()
    with database.connect(harness.address, autocommit=True) as other:
        locks.hold(other, locks.Kind.DELIVERY, INSURANCE)
        with pytest.raises(SourceUnavailable, match="55P03"):
            hub.deliver(INSURANCE).run()
        with other.transaction():
            other.execute("SELECT FROM ledger.audit_head FOR UPDATE")
            with pytest.raises(SourceUnavailable, match="55P03"):
                hub.collect(CARDS).run()
    assert harness.inboxes().get(INSURANCE, []) == []
    assert hub.deliver(INSURANCE).run().rows > 0


@PYMYSQL_SAYS_SO
@pytest.mark.fault("F07", "a session of the source is killed in mid-reading: no partial answer")
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_killed_session_of_a_source(kind: str, tmp_path: Path, postgres: str) -> None:
    with opened(kind, tmp_path, postgres) as system, filled(system.connection, 200_000) as name:
        reading = iter(SQL.read(system.connection, request(name)))
        rows = next(reading).batch.num_rows
        kill_others(system.connection, name)
        with pytest.raises(SourceUnavailable):
            for chunk in reading:
                rows += chunk.batch.num_rows
        assert rows < 200_000
        del reading
        gc.collect()


def request(name: str) -> ReadRequest:
    columns = (Column("k", "k"), Column("v", "v"))
    return ReadRequest("agency/dataset", columns, SqlSource(table=name), batch_rows=1_000)


@contextmanager
def filled(connection: Connection, rows: int) -> Iterator[str]:
    """A table of many wide rows, for as long as the block runs."""
    engine, name = create_engine(engine_url(connection)), f"t_{os.urandom(5).hex()}"
    numbers = f"generate_series(1, {rows}) AS n(seq)"
    if engine.dialect.name == "mysql":
        numbers = f"seq_1_to_{rows}"
    with engine.begin() as session:
        session.execute(text(f"CREATE TABLE {name} (k integer, v varchar(200))"))
        fill = f"INSERT INTO {name} SELECT seq, repeat('x', 200) FROM {numbers}"
        session.execute(text(fill))
    try:
        yield name
    finally:
        with engine.begin() as session:
            session.execute(text(f"DROP TABLE {name}"))
        engine.dispose()


def kill_others(connection: Connection, name: str) -> None:
    """End every session that reads the table."""
    engine = create_engine(engine_url(connection))
    with engine.connect() as session:
        if engine.dialect.name == "postgresql":
            session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE query LIKE :name AND pid <> pg_backend_pid()"
                ),
                {"name": f"%{name}%"},
            )
        else:
            found = session.execute(
                text(
                    "SELECT id FROM information_schema.processlist"
                    " WHERE info LIKE :name AND id <> connection_id()"
                ),
                {"name": f"%{name}%"},
            ).fetchall()
            assert found
            for (number,) in found:
                session.execute(text(f"KILL CONNECTION {int(number)}"))
    engine.dispose()


def test_bounds_are_in_the_address_unless_it_names_its_own(
    monkeypatch: pytest.MonkeyPatch, postgres: str
) -> None:
    monkeypatch.setenv(timeouts.VARIABLE, "7")
    with psycopg.connect(timeouts.bounded(postgres)) as connection:
        shown = [
            connection.execute(f"SHOW {name}".encode()).fetchone()
            for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]
        planned = connection.execute("SHOW jit").fetchone()
    assert shown == [("7s",), ("42s",)]
    assert planned == ("off",)
    by_tcp = unquote(timeouts.bounded("postgresql://h/d"))
    for name in ("idle=30s", "interval=10s", "count=3"):
        assert f"-ctcp_keepalives_{name}" in by_tcp
    own = timeouts.bounded("postgresql://h/d?connect_timeout=3&options=-clock_timeout%3D1")
    assert own.count("connect_timeout") == 1
    assert own.count("options") == 1
    assert "tcp_user_timeout=60000" in own
    monkeypatch.setenv(timeouts.VARIABLE, "0")
    with pytest.raises(ConfigError, match="at least 1"):
        timeouts.seconds()


def test_what_a_thread_returns_or_raises_in_time(hasty: None) -> None:
    assert timeouts.within(lambda: 3, 5, "it") == 3
    with pytest.raises(ZeroDivisionError):
        timeouts.within(lambda: 1 // 0, 5, "it")
    ended = threading.Event()
    with pytest.raises(SourceUnavailable, match=r"it has said nothing for 0\.1 s"):
        timeouts.within(ended.wait, 0.1, "it")
    ended.set()
