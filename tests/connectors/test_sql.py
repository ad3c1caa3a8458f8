"""The sql connector: bounds, zones, exact values, errors without values, idempotent inboxes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import create_engine, text

import connectors
from connectors.sql import dialects
from connectors.sql.errors import translated
from connectors.sql.options import SqlSink, SqlSource
from connectors.sql.url import engine_url
from onecard.base.connections import Connection
from onecard.errors import (
    ConfigError,
    OnecardError,
    ProtocolError,
    SchemaMismatch,
    SourceUnavailable,
)
from onecard.ports.sink import Parcel
from onecard.ports.source import Chunk, Column, Counted, ReadRequest
from tests.connectors.systems import conn, free, marked
from tests.connectors.test_compliance import DATABASES, opened

SQL = connectors.connector("sql")
SECRET = "410102199001011234"
SERVERS = DATABASES


class Database:
    """One database with statements run on it; its tables go with the test."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.engine = create_engine(engine_url(connection))
        self.kind = self.engine.dialect.name
        self.name = f"t_{os.urandom(5).hex()}"

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement.replace("{t}", self.name)), values)

    def read(self, *names: str, cursor: str | None = None, **more: Any) -> list[Chunk]:
        zone = more.pop("timezone", "Asia/Shanghai")
        options = SqlSource(table=self.name, timezone=zone)
        columns = tuple(Column(n, n.upper() if n.isupper() else n) for n in names)
        request = ReadRequest("agency/dataset", columns, options, cursor=cursor, **more)
        return list(SQL.read(self.connection, request))

    def values(self, *names: str, **more: Any) -> list[tuple[Any, ...]]:
        return [tuple(r.values()) for c in self.read(*names, **more) for r in c.batch.to_pylist()]


@pytest.fixture(params=SERVERS)
def database(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> Iterator[Database]:
    with opened(request.param, tmp_path, postgres) as system:
        found = Database(system.connection)
        yield found
        for suffix in ("", "_inbox"):
            found.run(f"DROP TABLE IF EXISTS {{t}}{suffix}")
        found.engine.dispose()


def test_naive_times_are_local_times_of_the_option(database: Database) -> None:
    if database.kind == "sqlite":
        database.run("CREATE TABLE {t} (at TEXT)")
    else:
        database.run("CREATE TABLE {t} (at " + _naive(database) + ")")
    database.run("INSERT INTO {t} VALUES ('2026-11-01 08:00:00')")
    if database.kind == "sqlite":
        assert database.values("at") == [("2026-11-01 08:00:00",)]
        return
    assert database.values("at") == [(datetime(2026, 11, 1, tzinfo=UTC),)]
    assert database.values("at", timezone="UTC") == [(datetime(2026, 11, 1, 8, tzinfo=UTC),)]


def _naive(database: Database) -> str:
    return {"postgresql": "timestamp", "mysql": "datetime(6)", "sqlite": "text"}[database.kind]


@pytest.mark.fault("F16", "the bound itself is read again")
@pytest.mark.fault("F18", "a row with NULL in the cursor is read")
@pytest.mark.parametrize(
    "since", ["2026-11-01T00:00:00+00:00", "2026-11-01T08:00:00+08:00", "2026-11-01T08:00:00"]
)
def test_a_bound_means_the_same_instant_in_every_zone(database: Database, since: str) -> None:
    database.run("CREATE TABLE {t} (k integer, at " + _naive(database) + ")")
    for key, at in enumerate(("07:59:59", "08:00:00", "08:00:01")):
        database.run("INSERT INTO {t} VALUES (:k, :at)", k=key, at=f"2026-11-01 {at}")
    database.run("INSERT INTO {t} VALUES (3, NULL)")
    found = database.values("k", "at", cursor="at", since=since)
    assert sorted(int(row[0]) for row in found) == [1, 2, 3]


@pytest.mark.fault("F20", "a DATE cursor is compared from its day on")
def test_a_date_cursor_is_rounded_down(database: Database) -> None:
    kind = "text" if database.kind == "sqlite" else "date"
    database.run("CREATE TABLE {t} (k integer, day " + kind + ")")
    for key, day in enumerate(("2026-10-31", "2026-11-01", "2026-11-02")):
        database.run("INSERT INTO {t} VALUES (:k, :day)", k=key, day=day)
    found = database.values("k", "day", cursor="day", since="2026-11-01T00:00:00+08:00")
    assert {1, 2} <= {int(row[0]) for row in found}
    if database.kind != "sqlite":
        late = database.values("k", "day", cursor="day", since="2026-11-01T23:50:00+08:00")
        assert sorted(row[0] for row in late) == [1, 2]
        assert late[0][1] == date(2026, 11, 1)


def test_an_integer_cursor(database: Database) -> None:
    database.run("CREATE TABLE {t} (seq bigint)")
    for seq in (9, 10, 11):
        database.run("INSERT INTO {t} VALUES (:seq)", seq=seq)
    assert sorted(database.values("seq", cursor="seq", since="10")) == [(10,), (11,)]


@pytest.mark.fault("F15", "a table that is read from its watermark is counted in the same session")
@pytest.mark.parametrize(
    ("count", "since", "expected"), [(True, "11", 3), (True, None, None), (False, "11", None)]
)
def test_a_table_is_counted_where_only_its_newest_rows_are_read(
    database: Database, count: bool, since: str | None, expected: int | None
) -> None:
    database.run("CREATE TABLE {t} (seq bigint)")
    for seq in (9, 10, 11):
        database.run("INSERT INTO {t} VALUES (:seq)", seq=seq)
    options = SqlSource(table=database.name, count=count)
    columns = (Column("seq", "seq"),)
    request = ReadRequest("agency/dataset", columns, options, cursor="seq", since=since)
    reading = SQL.read(database.connection, request)
    assert sum(chunk.batch.num_rows for chunk in reading) == (1 if since else 3)
    assert isinstance(reading, Counted)
    assert reading.rows_there == expected


@pytest.mark.parametrize("since", ["'; DROP TABLE x; --", "yesterday", ""])
def test_a_bound_that_is_none_is_refused(database: Database, since: str) -> None:
    database.run("CREATE TABLE {t} (at " + _naive(database) + ")")
    with pytest.raises(ConfigError, match="agency/dataset"):
        database.values("at", cursor="at", since=since)


def test_hostile_names_are_quoted(database: Database) -> None:
    quote = "`" if database.kind == "mysql" else '"'
    native = f"a b{quote}{quote};--"
    database.run(f"CREATE TABLE {{t}} ({quote}{native}{quote} integer)")
    database.run("INSERT INTO {t} VALUES (7)")
    options = SqlSource(table=database.name)
    column = Column("seven", native.replace(quote * 2, quote))
    (chunk,) = SQL.read(database.connection, ReadRequest("a/d", (column,), options))
    assert chunk.batch.to_pylist() == [{"seven": 7}]


@pytest.mark.fault("F31", "decimals arrive exactly")
def test_decimals_are_exact(database: Database) -> None:
    kind = "text" if database.kind == "sqlite" else "numeric(30, 10)"
    database.run("CREATE TABLE {t} (money " + kind + ")")
    values = ["12345678901234567890.0000000001", "0.0000000001", "-1.5000000000"]
    for value in values:
        database.run("INSERT INTO {t} VALUES (:v)", v=value)
    found = [Decimal(str(row[0])) for row in database.values("money")]
    assert sorted(found) == sorted(map(Decimal, values))
    assert all("E" not in str(row[0]) for row in database.values("money"))


def test_chunks_are_no_larger_than_asked_and_numbered(database: Database) -> None:
    database.run("CREATE TABLE {t} (n integer)")
    for n in range(10):
        database.run("INSERT INTO {t} VALUES (:n)", n=n)
    chunks = database.read("n", batch_rows=4)
    assert [(c.first_row, c.batch.num_rows) for c in chunks] == [(1, 4), (5, 4), (9, 2)]


def test_only_named_columns_are_selected_and_a_missing_one_is_named(database: Database) -> None:
    database.run("CREATE TABLE {t} (a integer, secret integer)")
    (chunk,) = database.read("a") or [None]
    assert chunk is None or chunk.batch.schema.names == ["a"]
    with pytest.raises(SchemaMismatch, match=r"column nowhere \(nowhere\) is missing"):
        database.read("a", "nowhere")


@pytest.mark.fault("F30", "bytes that are no text cost their row only")
def test_bytes_that_are_no_text_cost_their_row(tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite"
    with sqlite3.connect(file) as plain:
        plain.execute("CREATE TABLE t (k, name)")
        plain.execute("INSERT INTO t VALUES (1, 'a'), (2, CAST(x'ff41' AS TEXT)), (3, 'c')")
    plain.close()
    request = ReadRequest("a/d", (Column("k", "k"), Column("name", "name")), SqlSource(table="t"))
    (chunk,) = SQL.read(conn(conn_type="sqlite", host=str(file)), request)
    assert dict(chunk.damaged) == {1: "record.encoding"}
    assert [r["name"] for r in chunk.batch.to_pylist()] == ["a", None, "c"]


def test_a_missing_sqlite_file_is_named_and_not_made(tmp_path: Path) -> None:
    file = tmp_path / "none.sqlite"
    request = ReadRequest("a/d", (Column("k", "k"),), SqlSource(table="t"))
    with pytest.raises(ConfigError, match="a/d from t: no such database file"):
        list(SQL.read(conn(conn_type="sqlite", host=str(file)), request))
    assert not file.exists()


def test_unknown_logins_are_refused(postgres: str, tmp_path: Path) -> None:
    for variant in ("postgres", "kingbase", "opengauss", "mariadb"):
        with opened(variant, tmp_path, postgres) as system:
            wrong = system.connection.model_copy(
                update={
                    "login": "nobody_here",
                    "password": conn(conn_type="x", password="hunter2").password,
                }
            )
            request = ReadRequest("a/d", (Column("k", "k"),), SqlSource(table="t"))
            with pytest.raises(ConfigError, match="login refused") as caught:
                list(SQL.read(wrong, request))
            assert "hunter2" not in str(caught.value)


SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("money", pa.decimal128(20, 8)),
        ("at", pa.timestamp("us", "UTC")),
        ("yes", pa.bool_()),
        ("share", pa.float64()),
        ("note", pa.string()),
    ]
)
AT = datetime(2026, 11, 1, 1, 2, 3, 456789, tzinfo=UTC)


def parcel(rows: list[dict[str, Any]], delivery: str, size: int = 1000) -> Parcel:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    batches = iter(table.to_batches(max_chunksize=size))
    return Parcel(delivery, "f00", SCHEMA, ("key",), batches, {"purpose": "A7-01"}, free, marked)


def row(key: str, **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "money": Decimal("0.00000001"),
        "at": AT,
        "yes": True,
        "share": 0.1,
        "note": None,
        **more,
    }


def inbox(database: Database) -> dict[str, dict[str, Any]]:
    with database.engine.connect() as connection:
        rows = connection.execute(text(f"SELECT * FROM {database.name}_inbox")).mappings()
        return {r["key"]: dict(r) for r in rows}


def send(database: Database, what: Parcel) -> Any:
    return SQL.send(database.connection, SqlSink(table=f"{database.name}_inbox"), what)


def test_an_inbox_keeps_every_value(database: Database) -> None:
    name = os.urandom(5).hex()
    rows = [row("a"), row("A"), row("𠮷"), row("𠮶", note="长" * 70_000)]
    assert send(database, parcel(rows, name)).rows == 4
    found = inbox(database)
    assert set(found) == {"a", "A", "𠮷", "𠮶"}
    assert Decimal(str(found["a"]["money"])) == Decimal("0.00000001")
    assert "456789" in str(found["a"]["at"])
    assert bool(found["a"]["yes"]) is True
    assert found["a"]["share"] == 0.1
    assert len(found["𠮶"]["note"]) == 70_000


def test_an_upsert_touches_only_its_keys(database: Database) -> None:
    name = os.urandom(5).hex()
    send(database, parcel([row("a"), row("b")], f"{name}-1"))
    send(database, parcel([row("a", note="new"), row("a", note="newest")], f"{name}-2"))
    found = inbox(database)
    assert found["a"]["note"] == "newest"
    assert found["a"]["delivery_id"] == f"{name}-2"
    assert found["b"]["delivery_id"] == f"{name}-1"


@pytest.mark.fault("F03", "a repeated parcel is a no-op")
def test_a_repeat_is_known_however_it_is_batched(database: Database) -> None:
    name = os.urandom(5).hex()
    rows = [row(f"k{i}") for i in range(7)]
    first = send(database, parcel(rows, name))
    before = inbox(database)
    again = send(database, parcel(rows, name, size=2))
    assert (first.already, again.already, again.digest) == (0, 1, first.digest)
    assert inbox(database) == before


def test_a_parcel_that_breaks_off_leaves_nothing(database: Database) -> None:
    name = os.urandom(5).hex()
    send(database, parcel([row("a")], f"{name}-1"))
    before = inbox(database)

    def broken() -> Iterator[pa.RecordBatch]:
        yield from pa.Table.from_pylist([row("b")], schema=SCHEMA).to_batches()
        msg = "the hub went down"
        raise SourceUnavailable(msg)

    with pytest.raises(SourceUnavailable, match="the hub went down"):
        send(database, Parcel(f"{name}-2", "f00", SCHEMA, ("key",), broken(), {}, free, marked))
    assert inbox(database) == before


def test_errors_hold_no_value_of_a_row(database: Database) -> None:
    database.run("CREATE TABLE {t}_inbox (key_ integer)")
    if database.kind == "postgresql":
        database.run("DROP TABLE {t}_inbox")
        database.run(
            'CREATE TABLE {t}_inbox ("key" text primary key, money numeric, at timestamptz,'
            " yes boolean, share float8, note text check (length(note) < 3),"
            " delivery_id text, received_at timestamp)"
        )
    with pytest.raises(OnecardError) as caught:
        send(database, parcel([row(SECRET, note="long")], os.urandom(5).hex()))
    assert SECRET not in str(caught.value)
    assert f"{database.name}_inbox" in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("dialect", "error", "verdict"),
    [
        ("postgresql", type("E", (Exception,), {"sqlstate": "28P01"})("x"), "login"),
        ("postgresql", type("E", (Exception,), {"sqlstate": "23505"})("DETAIL: timeout"), "other"),
        ("postgresql", type("E", (Exception,), {"sqlstate": "40P01"})("x"), "down"),
        ("kingbase", type("E", (Exception,), {"pgcode": "42501"})("x"), "right"),
        ("mysql", Exception(1213, "deadlock"), "down"),
        ("mysql", Exception(1062, "Duplicate entry 'access denied'"), "other"),
        ("sqlite", Exception("database is locked"), "down"),
    ],
)
def test_codes_decide_before_words(dialect: str, error: Exception, verdict: str) -> None:
    assert dialects.called(dialect).meaning(error) == verdict


def test_what_is_unknown_is_told_by_class_only() -> None:
    with (
        pytest.raises(ProtocolError, match=r"the database refused \(ValueError\)$"),
        translated("a/d from t", conn(conn_type="postgres", host="h")),
    ):
        raise ValueError(SECRET)


def test_a_table_that_is_scanned_in_another_order_shows_no_news(database: Database) -> None:
    lines = ["(1, '2026-11-02 08:00:00')", "(2, '2026-11-03 08:00:00')", "(3, NULL)"]
    request = ReadRequest(
        "agency/dataset",
        (Column("id", "id"), Column("at", "at")),
        SqlSource(table=database.name, timezone="Asia/Shanghai"),
        cursor="at",
        since="2026-11-01T00:00:00+08:00",
        key=("id",),
    )
    kind = "TEXT" if database.kind == "sqlite" else _naive(database)
    seen = []
    for order in (lines, lines[::-1], [*lines[::-1], "(4, NULL)"], lines[:2]):
        database.run("DROP TABLE IF EXISTS {t}")
        database.run("CREATE TABLE {t} (id INTEGER, at " + kind + ")")
        database.run("INSERT INTO {t} VALUES " + ", ".join(order))
        seen.append(SQL.state(database.connection, request))
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3
