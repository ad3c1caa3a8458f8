"""Inbox tables that are not quite as the hub makes them: looked at before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text

import connectors
from connectors.sql import inbox_fit, inbox_look_mysql, inbox_proof
from connectors.sql.inbox_tables import DELIVERIES
from connectors.sql.options import SqlSink
from connectors.sql.url import engine_url
from onecard.base.connections import Connection
from onecard.base.times import ZONE
from onecard.errors import ConfigError, OnecardError, ProtocolError
from onecard.model.treated import TOKENS, TextShape
from onecard.ports.inbox import Arrivals
from onecard.ports.sink import Parcel
from onecard.ports.source import Chunk, Column, ReadRequest
from onecard.reconcile.canonical_text import canonical_text
from tests.connectors.systems import free, marked
from tests.connectors.test_compliance import DATABASES, opened

SQL = connectors.connector("sql")
SCHEMA = pa.schema(
    [
        ("k", pa.string()),
        ("name", pa.string()),
        ("amount", pa.decimal128(16, 2)),
        ("born", pa.date32()),
        ("at", pa.timestamp("us", "+08:00")),
        ("seq", pa.int64()),
    ]
)
TEXTS = {"k": TextShape(32), "name": TextShape(50)}
AT = datetime(2026, 11, 1, 1, 2, 3, 456789, tzinfo=UTC)
TABLES = {
    "postgresql": {
        "k": "varchar(32)",
        "name": "varchar(50)",
        "amount": "numeric(16, 2)",
        "born": "date",
        "at": "timestamp",
        "seq": "bigint",
        "delivery_id": "text",
        "received_at": "timestamp",
    },
    "mysql": {
        "k": "varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
        "name": "varchar(50) CHARACTER SET utf8mb4",
        "amount": "decimal(16, 2)",
        "born": "date",
        "at": "datetime(6)",
        "seq": "bigint",
        "delivery_id": "varchar(190)",
        "received_at": "datetime",
    },
    "sqlite": {
        "k": "varchar(32)",
        "name": "text",
        "amount": "text",
        "born": "text",
        "at": "text",
        "seq": "integer",
        "delivery_id": "text",
        "received_at": "text",
    },
}
"""An agency's own tables that fit."""


class Inbox:
    """An inbox of one database, in a table of its own."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.engine = create_engine(engine_url(connection))
        self.kind = self.engine.dialect.name
        self.name = f"t_{os.urandom(5).hex()}"

    def run(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement.replace("{t}", self.name)))

    def make(self, key: str = ", PRIMARY KEY (k)", after: str = "", **types: str) -> None:
        """The agency's table; a column of type `""` is left out."""
        columns = {**TABLES[self.kind], **types}
        quoted = ", ".join(f"{name} {kind}" for name, kind in columns.items() if kind)
        self.run(f"CREATE TABLE {{t}} ({quoted}{key}){after}")

    def rows(self, order: str = "k") -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            found = connection.execute(text(f"SELECT * FROM {self.name} ORDER BY {order}"))
            return [dict(row) for row in found.mappings()]

    def deliveries(self, delivery: str) -> int:
        statement = text(f"SELECT count(*) FROM {DELIVERIES} WHERE delivery_id = :d")
        with self.engine.connect() as connection:
            return int(connection.execute(statement, {"d": delivery}).scalar_one())

    def send(self, rows: list[dict[str, Any]], **more: Any) -> Any:
        """Deliver rows under a new id, or as `more` says."""
        delivery = more.pop("delivery", f"f00-{os.urandom(6).hex()}")
        table = pa.Table.from_pylist(rows, schema=SCHEMA)
        batches = iter(table.to_batches(max_chunksize=more.pop("size", 1000)))
        parcel = Parcel(delivery, "f00", SCHEMA, ("k",), batches, {}, free, marked, texts=TEXTS)
        return SQL.send(self.connection, SqlSink(table=self.name), replace(parcel, **more))

    def read_back(self) -> list[tuple[str | None, ...]]:
        """What a reconciliation reads, as canonical texts."""
        options = SqlSink(table=self.name)
        columns = tuple(Column(n, n) for n in SCHEMA.names)
        request = ReadRequest("f00", columns, options)
        held = SQL.held(self.connection, request, Arrivals(("k",), lambda _: ()))  # type: ignore[attr-defined]
        found = []
        for chunk in held.chunks:
            assert isinstance(chunk, Chunk)
            texts = [canonical_text(chunk.batch.column(f.name), f.type) for f in SCHEMA]
            found += list(zip(*(t.to_pylist() for t in texts), strict=True))
        return sorted(found)


def row(key: str, **more: Any) -> dict[str, Any]:
    plain = {"name": "张三", "amount": Decimal("12.55"), "born": date(1988, 7, 1)}
    return {"k": key, **plain, "at": AT, "seq": 10**18 - 1, **more}


def expected(rows: list[dict[str, Any]]) -> list[tuple[str | None, ...]]:
    batch = pa.Table.from_pylist(rows, schema=SCHEMA).combine_chunks().to_batches()[0]
    texts = [canonical_text(batch.column(f.name), f.type).to_pylist() for f in SCHEMA]
    return sorted(zip(*texts, strict=True))


@pytest.fixture(params=DATABASES)
def inbox(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> Iterator[Inbox]:
    yield from _inbox(request.param, tmp_path, postgres)


@pytest.fixture(params=[name for name in DATABASES if name != "opengauss"])
def newer(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> Iterator[Inbox]:
    """Without openGauss, whose catalogue of PostgreSQL 9.2 knows neither identity columns nor
    collations of one's own that are case-blind."""
    yield from _inbox(request.param, tmp_path, postgres)


@pytest.fixture(params=DATABASES[:-1])
def server(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> Iterator[Inbox]:
    yield from _inbox(request.param, tmp_path, postgres)


@pytest.fixture
def pg(tmp_path: Path, postgres: str) -> Iterator[Inbox]:
    yield from _inbox("postgres", tmp_path, postgres)


@pytest.fixture
def maria(tmp_path: Path, postgres: str) -> Iterator[Inbox]:
    yield from _inbox("mariadb", tmp_path, postgres)


@pytest.fixture
def lite(tmp_path: Path, postgres: str) -> Iterator[Inbox]:
    yield from _inbox("sqlite", tmp_path, postgres)


def _inbox(variant: str, folder: Path, postgres: str) -> Iterator[Inbox]:
    with opened(variant, folder, postgres) as system:
        found = Inbox(system.connection)
        yield found
        cascade = " CASCADE" if found.kind == "postgresql" else ""
        for kind, name in (("VIEW", "{t}_v"), ("TABLE", "{t}_o"), ("TABLE", "{t}")):
            found.run(f"DROP {kind} IF EXISTS {name}{cascade}")
        if found.kind == "postgresql":
            found.run("DROP FUNCTION IF EXISTS {t}_f CASCADE")
        found.engine.dispose()


def refused(inbox: Inbox, *words: str, rows: list[dict[str, Any]] | None = None) -> None:
    """Nothing leaves, and the message names the table and every word."""
    left: list[bool] = []
    before = inbox.rows("1")
    delivery = f"f00-{os.urandom(6).hex()}"
    with pytest.raises(ConfigError) as caught:
        inbox.send(
            rows or [row("a"), row("b")], delivery=delivery, leave=lambda _rows=0: left.append(True)
        )
    for word in (inbox.name, *words):
        assert word in str(caught.value)
    assert "张三" not in str(caught.value)
    assert not left
    assert inbox.rows("1") == before
    assert inbox.deliveries(delivery) == 0


@pytest.mark.case("inbox-4", "an agency's own table of exact types takes every value")
def test_an_agencys_own_table_that_fits_is_taken(inbox: Inbox) -> None:
    inbox.make()
    rows = [row("a"), row("A", name="𠮷野"), row("b", name=None, amount=None, born=None, at=None)]
    assert inbox.send(rows).rows == 3
    assert inbox.read_back() == expected(rows)
    again = [row("a", amount=Decimal("-99999999999999.99")), row("c", seq=-(10**18) + 1)]
    inbox.send(again)
    assert inbox.read_back() == expected([*again, *rows[1:]])


@pytest.mark.case("inbox-4", "the hub's own tables take every value, older ones too")
def test_tables_that_the_hub_has_made_are_taken(inbox: Inbox) -> None:
    rows = [row("a"), row("A"), row("𠮷", name="长" * 50)]
    inbox.send(rows)
    if inbox.kind == "mysql":  # as earlier versions made them
        inbox.run("ALTER TABLE {t} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    inbox.send([row("b")])
    assert inbox.read_back() == expected([*rows, row("b")])


PG_TYPES = [
    ("amount", "numeric(18, 1)", "numeric(18,1)"),
    ("amount", "numeric(10, 2)", "numeric(10,2)"),
    ("amount", "double precision", "double precision"),
    ("amount", "money", "money"),
    ("amount", "text", "text"),
    ("at", "timestamp(0)", "timestamp(0) without time zone"),
    ("at", "timestamptz(3)", "timestamp(3) with time zone"),
    ("at", "date", "date"),
    ("at", "text", "text"),
    ("born", "timestamptz", "timestamp with time zone"),
    ("seq", "integer", "integer"),
    ("seq", "numeric(10)", "numeric(10,0)"),
    ("name", "varchar(20)", "character varying(20)"),
    ("name", "char(50)", "character(50)"),
    ("name", "json", "json"),
    ("name", "bytea", "bytea"),
]
MARIA_TYPES = [
    ("amount", "decimal(18, 1)", "decimal(18,1)"),
    ("amount", "float", "float"),
    ("amount", "double", "double"),
    ("amount", "decimal(16, 2) unsigned", "unsigned"),
    ("amount", "varchar(10)", "varchar(10)"),
    ("at", "datetime", "datetime"),
    ("at", "datetime(3)", "datetime(3)"),
    ("at", "date", "date"),
    ("at", "timestamp(6) NULL", "timestamp(6)"),
    ("born", "timestamp NULL", "timestamp"),
    ("born", "year", "year"),
    ("seq", "int", "int"),
    ("seq", "bigint unsigned", "unsigned"),
    ("name", "varchar(20) CHARACTER SET utf8mb4", "varchar(20)"),
    ("name", "varchar(50) CHARACTER SET latin1", "latin1"),
    ("name", "varchar(50) CHARACTER SET utf8mb3", "utf8mb3"),
    ("name", "varchar(50) CHARACTER SET gbk", "gbk"),
    ("name", "tinytext CHARACTER SET latin1", "tinytext"),
    ("name", "char(50) CHARACTER SET utf8mb4", "char(50)"),
    ("name", "enum('张三') CHARACTER SET utf8mb4", "enum"),
    ("name", "varbinary(200)", "varbinary"),
]
LITE_TYPES = [
    ("amount", "numeric", "numeric"),
    ("amount", "real", "real"),
    ("name", "integer", "integer"),
    ("name", "numeric(10)", "numeric"),
    ("seq", "real", "real"),
]


def _type_refused(inbox: Inbox, column: str, kind: str, says: str) -> None:
    inbox.make(**{column: kind})
    refused(inbox, f"column {column} is", says, "needs", "nothing was sent")


@pytest.mark.case(
    "inbox-4", "PostgreSQL: what would round, cut or pad is named, with what is needed"
)
@pytest.mark.parametrize(("column", "kind", "says"), PG_TYPES)
def test_types_that_lose_something_are_refused_in_postgresql(
    pg: Inbox, column: str, kind: str, says: str
) -> None:
    _type_refused(pg, column, kind, says)


@pytest.mark.case("inbox-4", "MariaDB: what would round, cut or pad is named, with what is needed")
@pytest.mark.parametrize(("column", "kind", "says"), MARIA_TYPES)
def test_types_that_lose_something_are_refused_in_mariadb(
    maria: Inbox, column: str, kind: str, says: str
) -> None:
    _type_refused(maria, column, kind, says.replace("'张三'", "'"))


@pytest.mark.case("inbox-4", "SQLite: a type whose affinity changes what is sent is named")
@pytest.mark.parametrize(("column", "kind", "says"), LITE_TYPES)
def test_types_that_lose_something_are_refused_in_sqlite(
    lite: Inbox, column: str, kind: str, says: str
) -> None:
    _type_refused(lite, column, kind, says)


@pytest.mark.case("inbox-4", "wider types than needed are taken, and domains by what is below them")
def test_wider_types_are_taken(pg: Inbox) -> None:
    pg.run("CREATE DOMAIN {t}_d AS numeric(20, 4)")
    try:
        pg.make(amount=f"{pg.name}_d", at="timestamptz", seq="numeric", name="text")
        pg.send([row("a")])
        assert pg.read_back() == expected([row("a")])
        pg.run("DROP TABLE {t}")
        pg.run("CREATE DOMAIN {t}_e AS numeric(18, 1)")
        pg.make(amount=f"{pg.name}_e")
        refused(pg, "column amount is", f"{pg.name}_e")
    finally:
        pg.run("DROP TABLE {t}")
        pg.run("DROP DOMAIN IF EXISTS {t}_d, {t}_e")


@pytest.mark.case("inbox-4", "text whose length nobody knows is looked at before it is sent")
def test_a_text_that_does_not_fit_is_named_by_its_column(server: Inbox) -> None:
    server.make(name="varchar(10)")
    texts = {"k": TEXTS["k"]}
    server.send([row("a", name="长" * 10)], texts=texts)
    with pytest.raises(ConfigError, match=r"column name is .*a text has 11 characters"):
        server.send([row("a"), row("b", name="长" * 11)], texts=texts)
    assert server.read_back() == expected([row("a", name="长" * 10)])


@pytest.mark.case("inbox-4", "columns that lack, or that the agreement does not fill, are named")
def test_columns_that_lack_or_must_be_filled_are_named(inbox: Inbox) -> None:
    inbox.make(amount="", received_at="", owner="varchar(10) NOT NULL")
    refused(
        inbox,
        "column amount is not there",
        "column received_at is not there",
        "column owner must be filled",
    )


@pytest.mark.case("inbox-4", "own columns of the agency with defaults do no harm")
def test_own_columns_with_defaults_do_no_harm(inbox: Inbox) -> None:
    inbox.make(owner="varchar(10) DEFAULT 'us' NOT NULL", note="varchar(10)")
    inbox.send([row("a")])
    assert [(r["owner"], r["note"]) for r in inbox.rows()] == [("us", None)]


@pytest.mark.case("inbox-4", "columns that the database fills in itself are named")
def test_generated_columns_are_refused(newer: Inbox) -> None:
    kinds = {
        "postgresql": "bigint GENERATED ALWAYS AS IDENTITY",
        "mysql": "bigint AS (1 + 1) STORED",
        "sqlite": "integer AS (1 + 1) STORED",
    }
    newer.make(seq=kinds[newer.kind])
    refused(newer, "column seq is filled in by the database itself")


KEYS: list[tuple[str, str]] = [
    ("", "no unique index on exactly k"),
    (", PRIMARY KEY (k, seq)", "no unique index on exactly k"),
    (", PRIMARY KEY (seq)", "no unique index on exactly k"),
]


@pytest.mark.case("inbox-3", "a table without a unique index on exactly the key is refused")
@pytest.mark.parametrize(("key", "says"), KEYS)
def test_a_table_without_the_key_is_refused(inbox: Inbox, key: str, says: str) -> None:
    inbox.make(key=key)
    refused(inbox, says)


@pytest.mark.case("inbox-3", "PostgreSQL: a partial or functional unique index is no key")
@pytest.mark.parametrize("index", ["(k) WHERE seq > 0", "(lower(k))"])
def test_a_conditional_index_is_no_key(pg: Inbox, index: str) -> None:
    pg.make(key="")
    pg.run(f"CREATE UNIQUE INDEX ON {{t}} {index}")
    refused(pg, "no unique index on exactly k")


@pytest.mark.case("inbox-3", "MariaDB: an index on the first characters of the key is none")
def test_a_prefix_index_is_no_key(maria: Inbox) -> None:
    maria.make(key=", UNIQUE (k(5))")
    refused(maria, "no unique index on exactly k")


def _blind(inbox: Inbox) -> str:
    """The key's type with a collation that takes a for A."""
    if inbox.kind == "postgresql":
        inbox.run(
            "CREATE COLLATION IF NOT EXISTS onecard_test_blind"
            " (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )
        return "varchar(32) COLLATE onecard_test_blind"
    if inbox.kind == "mysql":
        return "varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
    return "varchar(32) COLLATE NOCASE"


@pytest.mark.case("inbox-3", "a collation that takes a for A is refused by name")
@pytest.mark.parametrize("key", ["", ", PRIMARY KEY (k)"])
def test_a_case_blind_key_is_refused(newer: Inbox, key: str) -> None:
    newer.make(key=key, k=_blind(newer))
    refused(newer, "the collation of key k", "takes different keys for one")


@pytest.mark.case("inbox-3", "keys that no collation confuses may have any")
def test_tokens_may_have_any_collation(inbox: Inbox) -> None:
    inbox.make(k=_blind(inbox))
    tokens = ["A" * 26, "B" * 26]
    inbox.send([row(t) for t in tokens], texts={**TEXTS, "k": TOKENS})
    assert [r["k"] for r in inbox.rows()] == tokens


@pytest.mark.case("inbox-4", "fixed and narrow types that hold every token are taken")
def test_tokens_may_stand_in_narrow_types(server: Inbox) -> None:
    kinds = {"postgresql": "char(26)", "mysql": "char(26) CHARACTER SET latin1"}
    server.make(k=kinds[server.kind])
    tokens = ["A" * 26, "B" * 26]
    texts = {**TEXTS, "k": TOKENS}
    server.send([row(t) for t in tokens], texts=texts)
    server.send([row(tokens[0], seq=1)], texts=texts)
    assert server.read_back() == expected([row(tokens[0], seq=1), row(tokens[1])])
    refused(server, "column k is", "char", "needs VARCHAR(32)")


@pytest.mark.case("inbox-5", "a table changed since it was looked at: MariaDB's warning fails it")
def test_a_warning_fails_the_delivery(maria: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    maria.make(amount="decimal(18, 1)")
    monkeypatch.setattr(inbox_fit, "check", lambda *_: None)
    with pytest.raises(ProtocolError, match=r"warned 1 time\(s\) of what it stored"):
        maria.send([row("a"), row("b", amount=Decimal("12.50"))])
    assert maria.rows() == []


@pytest.mark.case("inbox-2", "keys A and A with a blank are two rows in the hub's own tables")
def test_a_blank_at_the_end_makes_another_key(inbox: Inbox) -> None:
    rows = [row("A"), row("A ", name="李四")]
    assert inbox.send(rows).rows == 2
    assert inbox.read_back() == expected(rows)
    inbox.send([row("A", name="王五")])
    assert inbox.read_back() == expected([row("A", name="王五"), rows[1]])
    gone = iter(pa.table({"k": ["A "]}).to_batches())
    inbox.send([], deletes=gone)
    assert inbox.read_back() == expected([row("A", name="王五")])


@pytest.mark.case("inbox-2", "a collation that pads refuses the key by name, and deletes no other")
def test_a_padding_collation_never_takes_one_key_for_another(maria: Inbox) -> None:
    maria.make(k="varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    maria.send([row("A"), row("a")])
    refused(maria, "the collation of key k", "utf8mb4_nopad_bin", rows=[row("A ")])
    maria.run("UPDATE {t} SET k = 'B ' WHERE k = 'A'")
    with pytest.raises(OnecardError):
        maria.send([row("B")])
    gone = iter(pa.table({"k": ["B"]}).to_batches())
    with pytest.raises(ProtocolError, match="are there still"):
        maria.send([], deletes=gone)
    assert [r["k"] for r in maria.rows()] == ["B ", "a"]


@pytest.mark.case("inbox-2", "a row without a key is refused")
def test_a_row_without_a_key_is_refused(inbox: Inbox) -> None:
    inbox.make(key=", UNIQUE (k)")
    with pytest.raises(ProtocolError, match="column k of the key has no value in 1 row"):
        inbox.send([row("a"), {**row("b"), "k": None}])
    assert inbox.rows() == []


def elsewhere(inbox: Inbox) -> None:
    """Sessions begin with a zone that is not Beijing's; MariaDB's cut, cap and replace as well."""
    begins: dict[str, dict[str, str]] = {
        "postgresql": {"options": "-cTimeZone=America/Lima\t-cDateStyle=SQL,DMY"},
        "mysql": {"init_command": "SET SESSION sql_mode = '', time_zone = '-03:00'"},
        "sqlite": {},
    }
    extra = {**inbox.connection.extra, **begins[inbox.kind]}
    inbox.connection = inbox.connection.model_copy(update={"extra": extra})


@pytest.fixture
def loose(maria: Inbox) -> Inbox:
    """A server that cuts, caps and replaces, and whose clock is another."""
    elsewhere(maria)
    return maria


@pytest.mark.case("inbox-5", "a server with sql_mode '' cuts, caps and replaces nothing")
def test_a_loose_server_is_strict_for_the_hub(loose: Inbox) -> None:
    loose.make(name="varchar(10) CHARACTER SET utf8mb4", at="datetime(6)")
    loose.run("ALTER TABLE {t} ADD CHECK (length(name) < 25)")
    texts = {"k": TEXTS["k"]}
    for name in ("长" * 11, "长" * 9):
        with pytest.raises(OnecardError) as caught:
            loose.send([row("a", name=name)], texts=texts)
        assert "长" not in str(caught.value)
        assert loose.rows() == []
    loose.send([row("a")], texts=texts)
    (found,) = loose.rows()
    assert found["at"] == AT.astimezone(ZONE).replace(tzinfo=None)
    loose.run("DROP TABLE {t}")
    loose.make(name="varchar(50) CHARACTER SET latin1", seq="int")
    refused(loose, "latin1", "column seq is int")


@pytest.mark.case("inbox-6", "columns without a zone hold Beijing time, whatever the server's zone")
@pytest.mark.case("time-3", "received_at is Beijing time, whatever the server's zone")
def test_times_without_a_zone_are_beijing_time(inbox: Inbox) -> None:
    elsewhere(inbox)
    times = [
        datetime(1900, 1, 1, tzinfo=ZONE),
        datetime(1949, 6, 1, 8, tzinfo=ZONE),
        datetime(1988, 7, 1, 8, tzinfo=ZONE),
        datetime(1988, 9, 11, 1, 30, tzinfo=ZONE),
        datetime(2026, 11, 1, 9, 2, tzinfo=ZONE),
    ]
    rows = [row(f"k{i}", at=at) for i, at in enumerate(times)]
    for made in (False, True):
        if made:
            inbox.make()
        for some in rows:  # one that was twice by the clocks of 1988 says nothing of the others
            inbox.send([some])
            assert inbox.read_back() == expected([some])
            inbox.run("DELETE FROM {t}")
        before = datetime.now(ZONE).replace(tzinfo=None)
        inbox.send(rows)
        assert inbox.read_back() == expected(rows)
        if made:
            found = [_naive(r["at"]) for r in inbox.rows()]
            assert found == [at.replace(tzinfo=None) for at in times]
        came = _naive(inbox.rows()[0]["received_at"])
        assert abs(came - before) < timedelta(minutes=1)
        inbox.run("DROP TABLE {t}")


def _naive(value: Any) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


@pytest.mark.case("inbox-6", "received_at with a zone, or as TIMESTAMP, is the same instant")
def test_received_at_may_have_a_zone(server: Inbox) -> None:
    zoned = {"postgresql": "timestamptz", "mysql": "timestamp NULL ON UPDATE current_timestamp"}
    server.make(received_at=zoned[server.kind])
    server.send([row("a")])
    server.run("UPDATE {t} SET received_at = received_at")
    seconds = {
        "postgresql": "extract(epoch FROM received_at)",
        "mysql": "unix_timestamp(received_at)",
    }
    with server.engine.connect() as connection:
        statement = text(f"SELECT {seconds[server.kind]} FROM {server.name}")
        came = float(connection.execute(statement).scalar_one())
    assert abs(came - datetime.now(UTC).timestamp()) < 60


def _trigger(inbox: Inbox, body: str, event: str = "BEFORE INSERT") -> None:
    """A trigger of the agency's own: PL/pgSQL, or a statement of MariaDB or SQLite."""
    if inbox.kind == "postgresql":
        inbox.run(
            f"CREATE FUNCTION {{t}}_f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$"
        )
        inbox.run(f"CREATE TRIGGER tidy {event} ON {{t}} FOR EACH ROW EXECUTE FUNCTION {{t}}_f()")
    else:
        inbox.run(f"CREATE TRIGGER {{t}}_tidy {event} ON {{t}} FOR EACH ROW {body}")


@pytest.mark.case(
    "inbox-7", "a trigger that returns NULL: two sent, one stored, the delivery fails"
)
@pytest.mark.parametrize("drops", ["NEW.k = 'b'", "true"])
def test_a_trigger_that_drops_rows_fails_the_delivery(pg: Inbox, drops: str) -> None:
    pg.make()
    _trigger(pg, f"IF {drops} THEN RETURN NULL; END IF; RETURN NEW;")
    left: list[bool] = []
    with pytest.raises(ProtocolError, match=r"2 rows were sent, [01] were stored.*tidy"):
        pg.send([row("a"), row("b")], leave=lambda _rows=0: left.append(True))
    assert pg.rows() == []
    assert not left


CHANGES = {
    "postgresql": ("NEW.name := NEW.name || '.'; RETURN NEW;", "BEFORE INSERT"),
    "mysql": ("SET NEW.name = upper(concat(NEW.name, '.'))", "BEFORE INSERT"),
    "sqlite": ("BEGIN UPDATE {t} SET name = name || '.' WHERE k = NEW.k; END", "AFTER INSERT"),
}


@pytest.mark.case("inbox-7", "a trigger that changes a value fails the delivery, naming the column")
def test_a_trigger_that_changes_values_fails_the_delivery(inbox: Inbox) -> None:
    inbox.make()
    _trigger(inbox, *CHANGES[inbox.kind])
    with pytest.raises(ProtocolError, match=r"changed what it was given: name .*tidy"):
        inbox.send([row("a"), row("b")])
    assert inbox.rows() == []


@pytest.mark.case("inbox-7", "one changed row among many is found where the table has triggers")
def test_one_changed_row_among_many_is_found(inbox: Inbox) -> None:
    inbox.make()
    changed = {
        "postgresql": (
            "IF NEW.k = 'k0777' THEN NEW.seq := 0; END IF; RETURN NEW;",
            "BEFORE INSERT",
        ),
        "mysql": ("SET NEW.seq = if(NEW.k = 'k0777', 0, NEW.seq)", "BEFORE INSERT"),
        "sqlite": ("BEGIN UPDATE {t} SET seq = 0 WHERE k = 'k0777'; END", "AFTER INSERT"),
    }
    _trigger(inbox, *changed[inbox.kind])
    rows = [row(f"k{i:04}") for i in range(1200)]
    with pytest.raises(ProtocolError, match="changed what it was given: seq"):
        inbox.send(rows)
    inbox.send([r for r in rows if r["k"] != "k0777"])
    assert len(inbox.rows()) == 1199


@pytest.mark.case("inbox-7", "triggers that leave the values alone do no harm")
def test_a_harmless_trigger_does_no_harm(inbox: Inbox) -> None:
    inbox.make(owner="varchar(10)")
    harmless = {
        "postgresql": ("NEW.owner := 'us'; RETURN NEW;", "BEFORE INSERT"),
        "mysql": ("SET NEW.owner = 'us'", "BEFORE INSERT"),
        "sqlite": ("BEGIN UPDATE {t} SET owner = 'us' WHERE k = NEW.k; END", "AFTER INSERT"),
    }
    _trigger(inbox, *harmless[inbox.kind])
    inbox.send([row("a"), row("b")])
    assert {r["owner"] for r in inbox.rows()} == {"us"}


@pytest.mark.case("inbox-7", "what no catalogue shows is noticed in the rows that are read back")
def test_unseen_triggers_are_noticed(maria: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    maria.make()
    _trigger(maria, *CHANGES["mysql"])
    nothing = text("SELECT 'x' FROM DUAL WHERE :schema IS NOT NULL AND :name = ''")
    monkeypatch.setattr(inbox_look_mysql, "_TRIGGERS", nothing)
    with pytest.raises(ProtocolError, match="changed what it was given: name; nothing was kept"):
        maria.send([row(f"k{i:04}") for i in range(2000)])
    assert maria.rows() == []


@pytest.mark.case("inbox-7", "a row that was told to go and stays fails the delivery")
def test_a_trigger_that_keeps_deleted_rows_fails_the_delivery(pg: Inbox) -> None:
    pg.make()
    pg.send([row("a"), row("b")])
    _trigger(pg, "RETURN NULL;", "BEFORE DELETE")
    gone = iter(pa.table({"k": ["a", "z"]}).to_batches())
    with pytest.raises(ProtocolError, match="1 of 2 deleted rows are there still"):
        pg.send([row("c")], deletes=gone)
    assert [r["k"] for r in pg.rows()] == ["a", "b"]


@pytest.mark.case(
    "inbox-7", "a trigger that acts at the end of the transaction is made to act before"
)
def test_a_deferred_trigger_is_noticed(pg: Inbox) -> None:
    pg.make()
    pg.run(
        "CREATE FUNCTION {t}_f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
        " UPDATE {t} SET name = '' WHERE k = NEW.k; RETURN NULL; END$$"
    )
    pg.run(
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON {t} DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION {t}_f()"
    )
    with pytest.raises(ProtocolError, match=r"changed what it was given: name .*late"):
        pg.send([row("a")])
    assert pg.rows() == []


@pytest.mark.case("inbox-7", "a rule that swallows rows is refused by name")
def test_rules_are_refused(pg: Inbox) -> None:
    pg.make()
    pg.run("CREATE RULE swallow AS ON INSERT TO {t} WHERE NEW.k = 'b' DO INSTEAD NOTHING")
    refused(pg, "rule swallow rewrites what is sent")


@pytest.mark.case("inbox-8", "an engine without transactions is refused by name")
@pytest.mark.parametrize("engine", ["MyISAM", "Aria", "MEMORY", "CSV"])
def test_engines_without_transactions_are_refused(maria: Inbox, engine: str) -> None:
    if engine == "CSV":
        kinds = {n: f"{k} NOT NULL" for n, k in TABLES["mysql"].items()}
        maria.make(key="", after=" ENGINE=CSV", **kinds)
    else:
        maria.make(after=f" ENGINE={engine}")
    refused(maria, f"engine {engine} has no transactions", "InnoDB")


@pytest.mark.case("inbox-8", "an unlogged table, which a crash empties, is refused")
def test_unlogged_tables_are_refused(pg: Inbox) -> None:
    pg.make()
    pg.run("ALTER TABLE {t} SET UNLOGGED")
    refused(pg, "UNLOGGED")


@pytest.mark.case("inbox-8", "the table of deliveries is looked at as well")
def test_the_table_of_deliveries_is_looked_at(lite: Inbox) -> None:
    lite.run(
        f"CREATE TABLE {DELIVERIES} (delivery_id text, agreement text, rows integer, digest text,"
        " manifest integer, received_at text)"
    )
    lite.make()
    with pytest.raises(ConfigError, match=rf"{DELIVERIES} .*column manifest is integer"):
        lite.send([row("a")])
    assert lite.rows() == []


@pytest.mark.case("inbox-4", "views are refused: nobody can see what they keep")
def test_views_are_refused(inbox: Inbox) -> None:
    inbox.make()
    inbox.run("CREATE VIEW {t}_v AS SELECT * FROM {t}")
    inbox.name += "_v"
    try:
        refused(inbox, "it is a view, and must be a table")
    finally:
        inbox.name = inbox.name.removesuffix("_v")


@pytest.mark.case("inbox-4", "a table that others refer to is refused: rows could not be replaced")
def test_tables_that_others_refer_to_are_refused(server: Inbox) -> None:
    server.make()
    kind = TABLES[server.kind]["k"]
    server.run(
        f"CREATE TABLE {{t}}_o (k {kind}, FOREIGN KEY (k) REFERENCES {{t}} (k) ON DELETE CASCADE)"
    )
    refused(server, f"{server.name}_o refers to it by a foreign key")


@pytest.mark.case("inbox-4", "partitioned tables are taken, with the triggers of their parts")
def test_partitioned_tables_are_taken(pg: Inbox) -> None:
    pg.make(after=" PARTITION BY LIST (k)")
    pg.run("CREATE TABLE {t}_o PARTITION OF {t} DEFAULT")
    pg.send([row("a")])
    assert pg.read_back() == expected([row("a")])
    pg.run(
        "CREATE FUNCTION {t}_f() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN NEW.name := ''; RETURN NEW; END$$"
    )
    pg.run("CREATE TRIGGER part BEFORE INSERT ON {t}_o FOR EACH ROW EXECUTE FUNCTION {t}_f()")
    with pytest.raises(ProtocolError, match=r"changed .*: name .*part"):
        pg.send([row("b")])


@pytest.mark.case("inbox-4", "row security that hides rows from the login is refused")
def test_row_security_is_refused(pg: Inbox) -> None:
    pg.make()
    user = f"u_{os.urandom(4).hex()}"
    pg.run("ALTER TABLE {t} ENABLE ROW LEVEL SECURITY")
    pg.run("CREATE POLICY visible ON {t} USING (k <> 'hidden')")
    pg.run(f"CREATE ROLE {user} LOGIN PASSWORD 'x'")
    owner = pg.connection
    pg.send([row("a")])
    try:
        pg.run(f"GRANT ALL ON {{t}} TO {user}")
        pg.run(f"GRANT ALL ON {DELIVERIES} TO {user}")
        values = {"login": user, "password": SecretStr("x")}
        pg.connection = owner.model_copy(update=values)
        refused(pg, "row security")
    finally:
        pg.run(f"REVOKE ALL ON {{t}}, {DELIVERIES} FROM {user}")
        pg.run(f"DROP ROLE {user}")


@pytest.mark.case("inbox-4", "a login that may insert and not read is told which right it lacks")
def test_a_login_without_the_rights_is_told(pg: Inbox) -> None:
    pg.make()
    pg.send([row("a")])
    user = f"u_{os.urandom(4).hex()}"
    pg.run(f"CREATE ROLE {user} LOGIN PASSWORD 'x'")
    try:
        pg.run(f"GRANT INSERT ON {{t}}, {DELIVERIES} TO {user}")
        values = {"login": user, "password": SecretStr("x")}
        pg.connection = pg.connection.model_copy(update=values)
        with pytest.raises(ConfigError, match="the login lacks the right"):
            pg.send([row("b")])
    finally:
        pg.run(f"REVOKE ALL ON {{t}}, {DELIVERIES} FROM {user}")
        pg.run(f"DROP ROLE {user}")


@pytest.mark.case("inbox-4", "two agreements cannot share one table")
def test_two_agreements_cannot_share_a_table(inbox: Inbox) -> None:
    inbox.send([row("a")])
    with pytest.raises(ConfigError, match=r"holds rows of f00; give each agreement a table"):
        inbox.send([row("a", name="李四")], agreement="f99")
    assert inbox.read_back() == expected([row("a")])


@pytest.mark.case("inbox-4", "the table of deliveries is no inbox")
def test_the_table_of_deliveries_is_no_inbox() -> None:
    with pytest.raises(ValueError, match=DELIVERIES):
        SqlSink(table=DELIVERIES.upper())


def test_what_a_driver_gives_is_compared_by_value() -> None:
    same: list[tuple[Any, Any, pa.DataType]] = [
        (Decimal("1.50"), "1.5", pa.decimal128(16, 2)),
        (5, Decimal("5.0"), pa.int64()),
        (date(2026, 1, 2), datetime(2026, 1, 2), pa.date32()),
        (AT, AT.astimezone(ZONE).replace(tzinfo=None), pa.timestamp("us", "+08:00")),
        (True, 1, pa.bool_()),
        (None, None, pa.string()),
    ]
    for sent, found, kind in same:
        assert inbox_proof.plain(sent, kind) == inbox_proof.plain(found, kind)
    other: list[tuple[Any, Any, pa.DataType]] = [
        (date(2026, 1, 2), datetime(2026, 1, 2, 1), pa.date32()),
        ("", None, pa.string()),
        ("a", b"a", pa.string()),
        (Decimal("1.50"), "1,50", pa.decimal128(16, 2)),
        ("a ", "a", pa.string()),
    ]
    for sent, found, kind in other:
        assert inbox_proof.plain(sent, kind) != inbox_proof.plain(found, kind)


def test_rows_of_an_inbox_that_fills_are_found_by_their_key(pg: Inbox) -> None:
    """A plan that was made while the table was empty would read all of it for each 500 rows."""
    rows = [row(f"k{n:06d}") for n in range(6_000)]
    pg.send(rows[:5_000])
    pg.send(rows[4_000:])
    pg.engine.dispose()
    read = text(
        "SELECT pg_stat_clear_snapshot(), seq_tup_read FROM pg_stat_user_tables WHERE relname = :n"
    )
    with pg.engine.connect() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
        found = connection.execute(read, {"n": pg.name}).one().seq_tup_read
    assert found < len(rows)
    assert len(pg.rows()) == len(rows)
