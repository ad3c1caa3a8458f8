"""The registry of dialects: found by the type of a connection, one file each, one error each."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

import connectors
from connectors.common import source_types
from connectors.sql import dialects
from connectors.sql.dialects import bounds, equals
from connectors.sql.errors import translated
from connectors.sql.options import SqlSink, SqlSource
from connectors.sql.url import engine_url
from onecard.errors import ConfigError, OnecardError, SourceUnavailable, StorageError
from onecard.ports.source import Column, ReadRequest
from tests.connectors import sources_page, standin, type_runs, types_page
from tests.connectors.dialect_texts import parcel
from tests.connectors.systems import conn
from tests.connectors.test_compliance import opened
from tests.connectors.type_samples import POSTGRESQL, Sample

ROOT = Path(__file__).parents[2]
SQL = connectors.connector("sql")
EXTRAS = {"kingbase": "ksycopg2", "mysql": "pymysql", "oracle": "oracledb", "dm": "dmPython"}
EXTRAS |= {"mssql": "pymssql"}


def test_every_dialect_is_whole() -> None:
    assert set(dialects.CONNECTION_TYPES.values()) == set(dialects.DIALECTS)
    for name in dialects.DIALECTS:
        found = dialects.called(name)
        assert (found.name, bool(found.title), bool(found.state)) == (name, True, True)
        known = source_types.known(found.types)
        if found.copies:  # its own reading has them (`postgres_types`)
            continue
        forms, types = set(found.expressions), set(found.of_type)
        asked = {k.read for k in known.values() if k.accepts} - {"as_it_is", "utc", "lob"}
        by_name = {k.name for k in known.values()}
        assert all(k.read in forms or k.name in types for k in known.values() if k.read in asked)
        assert (forms <= asked, types <= by_name) == (True, True), name
        assert set(found.bounds) <= by_name, name


def test_no_other_file_asks_for_a_database_by_its_name() -> None:
    names = "|".join([*dialects.DIALECTS, *dialects.CONNECTION_TYPES, "mariadb"])
    files = [f for f in (ROOT / "connectors" / "sql").glob("*.py") if "inbox_look_" not in f.name]
    found = [
        f"{file.name}: {line.strip()}"
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.search(rf"dialect\.name\b|[\"']({names})[\"']", line)
    ]
    assert found == ['postgres_types.py: SYSTEM = "postgresql"']


def test_an_unknown_database_lists_those_that_there_are() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown database type of connection 'system' 'orcale'.*oracle"
    ):
        dialects.of(conn(conn_type="orcale"))


@pytest.mark.parametrize(("name", "module"), EXTRAS.items())
def test_a_missing_driver_is_one_error_with_its_extra(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    says = rf"{module} is not installed; it comes with `pip install 'onecard-hub\[{name}\]'`"
    connection = standin.connection(name)
    request = ReadRequest("a/d", (Column("k", "k"),), SqlSource(table="t"))
    with pytest.raises(ConfigError, match=says):
        list(SQL.read(connection, request))
    with pytest.raises(ConfigError, match=says):
        engine_url(connection)
    with pytest.raises(ConfigError, match=says):
        SQL.held(connection, ReadRequest("f", (), SqlSink(table="t")), Any)  # type: ignore[attr-defined]


def test_a_driver_that_cannot_be_loaded_is_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(name: str) -> None:
        msg = "libodd.so: cannot open shared object file"
        raise ImportError(msg)

    monkeypatch.setattr("connectors.sql.dialects.base.import_module", broken)
    with pytest.raises(ConfigError, match=r"dmPython is installed, and .* loaded: libodd\.so"):
        engine_url(standin.connection("dm"))


class Told:
    """What drivers of Oracle and DM8 put into their errors."""

    def __init__(self, code: int, text_: str) -> None:
        self.code, self.text = code, text_

    def __str__(self) -> str:
        return self.text


@pytest.mark.parametrize(
    ("name", "error", "kind", "says"),
    [
        ("oracle", Exception(Told(1017, "ORA-01017: …")), ConfigError, "login refused"),
        ("oracle", Exception(Told(942, "ORA-00942: …")), ConfigError, "not there"),
        ("oracle", Exception(Told(1031, "ORA-01031: …")), ConfigError, "lacks the right"),
        ("oracle", Exception(Told(1555, "ORA-01555: …")), SourceUnavailable, ""),
        ("oracle", Exception(Told(1653, "ORA-01653: …")), StorageError, "no room"),
        (
            "oracle",
            Exception(Told(0, "DPY-6005: cannot connect\n[Errno 111] Connection refused")),
            SourceUnavailable,
            "nothing listens",
        ),
        ("oracle", Exception(Told(0, 'DPY-6001: Service "x" …')), ConfigError, "not there"),
        ("dm", Exception(Told(-2501, "用户名或密码错误")), ConfigError, "login refused"),
        ("dm", Exception(Told(-2106, "无效的表或视图名[T]")), ConfigError, "not there"),
        ("dm", Exception(Told(-5504, "没有[T]对象的查询权限")), ConfigError, "lacks the right"),
        ("dm", Exception(Told(-70028, "创建SOCKET连接失败")), SourceUnavailable, ""),
        ("mssql", Exception(18456, b"Login failed for user 'x'."), ConfigError, "login refused"),
        ("mssql", Exception((208, b"Invalid object name")), ConfigError, "not there"),
        ("mssql", Exception(1205, b"deadlock victim"), SourceUnavailable, ""),
        (
            "mssql",
            Exception((20009, b"Net-Lib error during Connection refused (111)")),
            SourceUnavailable,
            "nothing listens",
        ),
        (
            "mssql",
            Exception((20002, b"Login failed. Adaptive Server connection failed")),
            ConfigError,
            "login refused",
        ),
        ("oceanbase", Exception(4012, "Timeout"), SourceUnavailable, ""),
        ("tidb", Exception(9006, "GC life time is shorter"), SourceUnavailable, ""),
        ("kingbase", type("E", (Exception,), {"pgcode": "42P01"})("x"), ConfigError, "not there"),
        (
            "opengauss",
            Exception("none of the server's SASL authentication mechanisms are supported"),
            ConfigError,
            "login refused: .*password_encryption_type = 1",
        ),
    ],
)
def test_an_error_is_ours(name: str, error: Exception, kind: type[OnecardError], says: str) -> None:
    connection = standin.connection(name)
    with pytest.raises(kind, match=says or None) as caught, translated("a/d from t", connection):
        raise error
    assert "a/d from t at" in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.fault("F08", "each driver itself, and nothing that listens: unavailable, and why")
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("oracle", {}),
        ("oracle", {"protocol": "tcps"}),
        ("dm", {}),
        ("mssql", {"encryption": "require"}),
        ("kingbase", {}),
        ("opengauss", {}),
        ("oceanbase", {}),
        ("tidb", {}),
    ],
)
def test_a_server_that_is_down_is_unavailable(name: str, more: dict[str, Any]) -> None:
    """The drivers' own errors, and proof that they take the arguments that we give them."""
    connection = standin.connection(name, host="127.0.0.1", extra=more)
    request = ReadRequest("a/d", (Column("k", "k"),), SqlSource(table="t"))
    says = "the server cannot be reached"
    if name != "dm":  # its driver does not say why
        says += ": nothing listens at that host and port"
    with pytest.raises(SourceUnavailable, match=says) as caught:
        list(SQL.read(connection, request))
    assert "secret" not in str(caught.value)


def test_texts_of_dm_are_utf8_whatever_the_locale_of_the_process() -> None:
    dm = dialects.called("dm")
    dm.load()
    found = dm.arguments(standin.connection("dm"))
    assert found["local_code"] == sys.modules["dmPython"].PG_UTF8


def test_a_moment_has_one_literal_and_a_number_only_where_numbers_are() -> None:
    from datetime import UTC, datetime

    oracle = dialects.called("oracle")
    number, clock = (source_types.of("oracle", n) for n in ("number", "timestamp"))
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    assert bounds.literal(number, oracle.bounds, 10, moment) == "10"
    assert bounds.literal(clock, oracle.bounds, 10, moment) is None
    assert bounds.literal(number, oracle.bounds, None, moment) is None


@pytest.mark.parametrize("name", ["kingbase", "opengauss"])
@pytest.mark.parametrize("sample", POSTGRESQL, ids=[s.name for s in POSTGRESQL])
def test_a_descendant_of_postgresql_reads_its_types(
    name: str, sample: Sample, postgres: str
) -> None:
    connection = types_page.postgres_connection(postgres).model_copy(update={"conn_type": name})
    found = type_runs.of_table(connection, sample)
    assert set(found) == set(sample.arrives)
    for kind, arrives in found.items():
        assert type_runs.same(kind, arrives, sample.arrives[kind]), (kind, arrives)


@pytest.mark.parametrize("variant", ["postgres", "kingbase", "opengauss", "mariadb", "sqlite"])
def test_a_first_statement_is_tried(variant: str, tmp_path: Path, postgres: str) -> None:
    from connectors.inspect.probe import probe

    with opened(variant, tmp_path, postgres) as system:
        system.fill([])
        assert probe(system.connection, "sql", None) == "reached, login is good"


@pytest.mark.parametrize("name", ["kingbase", "opengauss"])
def test_a_server_that_takes_cases_for_one_is_no_inbox_of_free_keys(
    name: str, tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the row of `A` would go when that of `a` comes."""
    with opened(name, tmp_path, postgres) as system:
        own = str(system.options["table"])  # in names of deliveries, whose table all tests share
        inbox = SqlSink(table=f"{own}_in")
        rows = [{"id": "a ", "level": 1}, {"id": "a", "level": 1}]
        assert SQL.send(system.connection, inbox, parcel(f"{own}-1", rows)).rows == 2
        for asked, says in (("1, 0", "takes different keys for one"), ("0, 1", "with a blank at")):
            monkeypatch.setattr(equals, "QUESTION", f"SELECT {asked}")
            with pytest.raises(ConfigError, match=says):
                SQL.send(system.connection, inbox, parcel(f"{own}-2", rows))
        assert SQL.send(system.connection, inbox, parcel(f"{own}-3", rows[1:])).rows == 1
        engine = create_engine(engine_url(system.connection))
        with engine.begin() as database:
            query = text(f"SELECT id, delivery_id FROM {inbox.table} ORDER BY 2")
            found = [tuple(r) for r in database.execute(query)]
            database.execute(text(f"DROP TABLE {inbox.table}"))
        engine.dispose()
    assert found == [("a ", f"{own}-1"), ("a", f"{own}-3")]


@pytest.mark.parametrize("name", ["kingbase", "opengauss"])
@pytest.mark.parametrize("keys", [("k",), ("k", "n")])
def test_each_row_of_a_descendant_is_in_one_partition(
    name: str, keys: tuple[str, ...], tmp_path: Path, postgres: str
) -> None:
    from onecard.ports.source import ReadPart
    from schemas.models.partition import ByHash

    with opened(name, tmp_path, postgres) as system:
        engine = create_engine(engine_url(system.connection))
        table = system.options["table"]
        with engine.begin() as database:
            database.execute(text(f"CREATE TABLE {table} (k varchar(9), n bigint)"))
            database.execute(
                text(f"INSERT INTO {table} SELECT g::text, g FROM generate_series(1, 99) g")
            )
        seen: list[str] = []
        for part in range(3):
            request = ReadRequest(
                "a/d",
                (Column("k", "k", type="string", key=True), Column("n", "n", type="integer")),
                SqlSource(table=table),
                key=keys,
                part=ReadPart(ByHash(by="hash", parts=3), part),
            )
            got = [
                k for c in SQL.read(system.connection, request) for k in c.batch["k"].to_pylist()
            ]
            assert 0 < len(got) < 99
            seen += got
        engine.dispose()
    assert sorted(seen, key=int) == [str(n) for n in range(1, 100)]


def test_the_page_of_sources_is_what_the_registry_says() -> None:
    assert sources_page.TARGET.read_text(encoding="utf-8") == sources_page.page()
