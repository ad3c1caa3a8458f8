"""Every type of every kind of source, for every logical type: exact, its row, or refused."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

import connectors
from connectors.common import source_types
from connectors.common.source_types import LOGICAL
from connectors.common.strict_json import Written as Written_
from connectors.files.options import FilesSource
from connectors.inspect.describe import describe
from connectors.sql.options import SqlSource
from connectors.sql.url import engine_url
from onecard.base.connections import Connection
from onecard.errors import SchemaMismatch
from onecard.ports.source import Column, ReadRequest
from tests.connectors import type_runs, types_page
from tests.connectors.systems import conn
from tests.connectors.type_samples import MARIADB, POSTGRESQL, SQLITE, Sample
from tests.connectors.type_samples_files import CSV, JSON, PARQUET, SOAP, Value, Written
from tests.connectors.type_samples_office import DBF, EXCEL, FIXED, XML, OfficeColumn

SQL = connectors.connector("sql")


@pytest.fixture
def postgres_connection(postgres: str) -> Connection:
    return types_page.postgres_connection(postgres)


@pytest.fixture
def mariadb_connection() -> Connection:
    return types_page.mariadb_connection()


@pytest.fixture
def lite(tmp_path: Path) -> Connection:
    file = tmp_path / "lite.sqlite"
    sqlite3.connect(file).close()
    file.touch()
    return conn(conn_type="sqlite", host=str(file))


def holds(system: str, sample: Sample | Written, found: type_runs.Outcome) -> None:
    """What arrived is what a person wrote down, and what the table of types says of it."""
    assert set(found) == set(sample.arrives), "what is refused"
    for kind, arrives in found.items():
        assert type_runs.same(kind, arrives, sample.arrives[kind]), (kind, arrives)
    if system != "parquet":
        kind_ = source_types.of(system, sample.name)
        assert {k for k in LOGICAL if kind_.acceptance(k) != "refused"} == set(found)
        for kind, arrives in found.items():
            assert kind_.acceptance(kind) == ("rows" if None in arrives else "exact"), kind


@pytest.mark.case("type-2", "PostgreSQL's money is refused; each of its types as the table says")
@pytest.mark.case("type-4", "a char(10) of PostgreSQL arrives without its padding")
@pytest.mark.case("type-7", "uuid, boolean and time have one text form; reals are refused")
@pytest.mark.case("type-9", "a date is its midnight in Beijing, and that midnight the date")
@pytest.mark.parametrize("sample", POSTGRESQL, ids=[s.name for s in POSTGRESQL])
def test_postgresql(postgres_connection: Connection, sample: Sample) -> None:
    holds("postgresql", sample, type_runs.of_table(postgres_connection, sample))


@pytest.mark.case("type-1", "a FLOAT of MariaDB is refused for money")
@pytest.mark.case("type-3", "TIME of MariaDB arrives as the database prints it")
@pytest.mark.case("type-5", "BIT is a number, and refused as text")
@pytest.mark.case("type-9", "DATE and DATETIME of MariaDB for each other")
@pytest.mark.parametrize("sample", MARIADB, ids=[s.name for s in MARIADB])
def test_mariadb(mariadb_connection: Connection, sample: Sample) -> None:
    holds("mariadb", sample, type_runs.of_table(mariadb_connection, sample))


@pytest.mark.parametrize("sample", SQLITE, ids=[s.name for s in SQLITE])
def test_sqlite(lite: Connection, sample: Sample) -> None:
    holds("sqlite", sample, type_runs.of_table(lite, sample))


@pytest.mark.case("time-5", "Parquet times without a zone are declared or refused, INT96 too")
@pytest.mark.parametrize("sample", PARQUET, ids=[s.name for s in PARQUET])
def test_parquet(tmp_path: Path, sample: Written) -> None:
    holds("parquet", sample, type_runs.of_parquet(tmp_path, sample))


@pytest.mark.case("type-8", "JSON's 1e3 and 1.0 are whole numbers, 1.5 is none")
@pytest.mark.parametrize(
    ("kind", "values"),
    [("csv", CSV), ("jsonl", JSON), ("json", JSON)],
    ids=["csv", "jsonl", "json"],
)
def test_texts(tmp_path: Path, kind: str, values: tuple[Value, ...]) -> None:
    arrive_as_written(type_runs.of_lines(tmp_path, kind, values), values)


def test_services() -> None:
    arrive_as_written(type_runs.of_service(SOAP), SOAP)


def arrive_as_written(found: type_runs.Outcome, values: tuple[Value, ...]) -> None:
    assert set(found) == set(LOGICAL)
    for logical, arrives in found.items():
        for value, one in zip(values, arrives, strict=True):
            assert type_runs.same(logical, (one,), (value.arrives[logical],)), (logical, value)


@pytest.mark.parametrize("sample", EXCEL, ids=[s.name for s in EXCEL])
def test_cells_of_workbooks(tmp_path: Path, sample: OfficeColumn) -> None:
    arrived(sample, type_runs.of_office(tmp_path, "excel", sample))


@pytest.mark.parametrize("sample", DBF, ids=[s.name for s in DBF])
def test_fields_of_dbf(tmp_path: Path, sample: OfficeColumn) -> None:
    arrived(sample, type_runs.of_office(tmp_path, "dbf", sample))


def arrived(sample: OfficeColumn, found: type_runs.Outcome) -> None:
    assert len(sample.says) == len(sample.cells)
    assert set(found) == set(sample.arrives), "what is refused"
    for kind, arrives in found.items():
        assert type_runs.same(kind, arrives, sample.arrives[kind]), (kind, arrives)


@pytest.mark.parametrize(("kind", "values"), [("xml", XML), ("fixed", FIXED)])
def test_marked_texts(tmp_path: Path, kind: str, values: tuple[Value, ...]) -> None:
    found = type_runs.of_marked(tmp_path, kind, values)
    assert set(found) == set(LOGICAL)
    for logical, arrives in found.items():
        for value, one in zip(values, arrives, strict=True):
            assert type_runs.same(logical, (one,), (value.arrives[logical],)), (logical, value)


@pytest.mark.case("type-8", "an integer's number has one text, however JSON writes it")
@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("1e3", "1000"),
        ("1.0", "1"),
        ("-0.0", "0"),
        ("1.50", "1.5"),
        ("1E-3", "0.001"),
        ("1e9999999999", "1e9999999999"),
        ("1e99999999999999999999", "1e99999999999999999999"),
    ],
)
def test_a_number_of_json_has_one_text(written: str, says: str) -> None:
    assert Written_(written).plain() == says


def test_every_type_of_the_table_is_tried() -> None:
    for system, samples in (("postgresql", POSTGRESQL), ("mariadb", MARIADB), ("sqlite", SQLITE)):
        untried = set(source_types.known(system)) - {s.name for s in samples}
        # citext is an extension of its own; json is a type in MySQL only.
        assert untried <= {"citext", "json"}, system
    tried = {str(types_page.type_of_parquet(s).name) for s in PARQUET}
    assert set(source_types.known("parquet")) <= tried


@pytest.mark.nightly
def test_the_page_is_what_the_runs_find(tmp_path: Path, postgres: str) -> None:
    assert types_page.TARGET.read_text(encoding="utf-8") == types_page.page(tmp_path, postgres)


def refusal(connection: Connection, sample: Sample, kind: str) -> tuple[str, str]:
    """What the reading says, and what drift says the evening before."""
    with type_runs.table(connection, sample) as name:
        made = type_runs.contract(
            kind,  # type: ignore[arg-type]
            {"connector": "sql", "connection": "made", "options": {"table": name}},
        )
        columns = (Column("k", "k", type="string"), Column("v", "v", type=kind))  # type: ignore[arg-type]
        with pytest.raises(SchemaMismatch) as caught:
            next(iter(SQL.read(connection, ReadRequest("a/d", columns, SqlSource(table=name)))))
        from onecard.operations.drift import changes

        found = describe(made, connection)
        assert found is not None
        (change,) = [c for c in changes(made, found) if c.field == "v"]
        assert (change.kind, change.fails) == ("type", True)
        return str(caught.value), change.says


@pytest.mark.case("type-1", "reading and drift name the column, its type and what is taken instead")
@pytest.mark.parametrize(
    ("system", "declared"),
    [("postgres", "real"), ("mariadb", "float"), ("lite", "double")],
)
def test_a_refusal_names_the_column_before_the_night_and_in_it(
    request: pytest.FixtureRequest, system: str, declared: str
) -> None:
    wanted = {"postgres": "postgres_connection", "mariadb": "mariadb_connection", "lite": "lite"}
    connection = request.getfixturevalue(wanted[system])
    said, told = refusal(connection, Sample("x", declared, ("1.5",)), "number")
    assert f"column v (v) is {declared}, which holds binary fractions" in said
    assert "taken for number:" in said
    assert f"is {declared}, which holds binary fractions" in told
    assert "1.5" not in said


def test_a_domain_counts_as_the_type_below_it(postgres_connection: Connection) -> None:
    before = ("CREATE DOMAIN {t}_money AS numeric(18,2)", "CREATE DOMAIN {t}_pay AS {t}_money")
    sample = Sample("x", "{t}_pay", ("1.50",), {}, before)
    with type_runs.table(postgres_connection, Sample("x", "int", ("1",))) as name:
        engine = create_engine(engine_url(postgres_connection))
        with engine.begin() as database:
            for statement in before:
                database.execute(text(statement.replace("{t}", name)))
            database.execute(text(f"ALTER TABLE {name} ALTER v TYPE {name}_pay"))
        found = type_runs.outcome(postgres_connection, "sql", SqlSource(table=name))
        with engine.begin() as database:
            database.execute(text(f"DROP DOMAIN {name}_money CASCADE"))
        engine.dispose()
    assert sample.declared
    assert found["number"] == ("1.0000",)
    assert "date" not in found


def test_a_type_that_nobody_knows_is_refused_by_name(postgres_connection: Connection) -> None:
    said, _ = refusal(postgres_connection, Sample("x", "int4range", ("'[1,2)'",)), "string")
    assert "column v (v) is int4range, which is no type that is known here" in said


@pytest.mark.case("type-6", "a Parquet file with a column twice is refused: file and column named")
def test_a_column_that_stands_twice_is_named(tmp_path: Path) -> None:
    column = pa.array(["1"])
    pq.write_table(
        pa.table([column, column, column], names=["k", "v", "v"]), tmp_path / "a.parquet"
    )
    here = conn(conn_type="fs", extra={"path": str(tmp_path)})
    layout = {"directory": ".", "pattern": "*.parquet", "format": {"kind": "parquet"}}
    request = ReadRequest(
        "a/d", (Column("k", "k"), Column("v", "v")), FilesSource.model_validate(layout)
    )
    with pytest.raises(SchemaMismatch, match=r"a/d from a\.parquet: column v stands twice"):
        list(connectors.connector("files").read(here, request))
    source = {"connector": "files", "connection": "made", "options": layout}
    with pytest.raises(SchemaMismatch, match="column v stands twice"):
        describe(type_runs.contract("string", source), here)


def test_int96_is_read_rightly_whatever_the_batches(tmp_path: Path) -> None:
    from datetime import datetime, timedelta

    start = datetime(2024, 1, 1)
    times = [start + timedelta(microseconds=n * 10**6 + n) for n in range(3_000)]
    table = pa.table(
        {"k": [str(n) for n in range(3_000)], "v": pa.array(times, pa.timestamp("us"))}
    )
    pq.write_table(
        table, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True, row_group_size=700
    )
    here = conn(conn_type="fs", extra={"path": str(tmp_path)})
    layout = {
        "directory": ".",
        "pattern": "*.parquet",
        "format": {"kind": "parquet", "timezone": "UTC"},
    }
    columns = (Column("k", "k", type="string"), Column("v", "v", type="timestamp"))
    request = ReadRequest("a/d", columns, FilesSource.model_validate(layout), batch_rows=512)
    chunks = list(connectors.connector("files").read(here, request))
    assert not any(c.unread for c in chunks)
    found = [v.replace(tzinfo=None) for c in chunks for v in c.batch["v"].to_pylist()]
    assert found == times


@pytest.mark.case("type-4", "MariaDB's padding is none of the value, whatever the session's mode")
def test_mariadb_char_has_no_padding(mariadb_connection: Connection) -> None:
    mode = {"init_command": "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH,NO_ZERO_DATE'"}
    padded = mariadb_connection.model_copy(update={"extra": mode})
    with type_runs.table(mariadb_connection, Sample("char", "char(10)", ("'c'",))) as name:
        found = type_runs.outcome(padded, "sql", SqlSource(table=name))
    assert found["string"] == ("c",)


def test_decimals_of_sqlite_that_a_double_cannot_hold_cost_their_row(tmp_path: Path) -> None:
    file = tmp_path / f"{os.urandom(4).hex()}.sqlite"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE t (k TEXT, v DECIMAL(18,2))")
        database.executemany("INSERT INTO t VALUES (?, ?)", [("1", 0.07), ("2", 0.1 + 0.2)])
    columns = (Column("k", "k", type="string"), Column("v", "v", type="number"))
    request = ReadRequest("a/d", columns, SqlSource(table="t"))
    (chunk,) = SQL.read(conn(conn_type="sqlite", host=str(file)), request)
    assert chunk.batch["v"].to_pylist() == ["0.07", None]
    assert list(chunk.unread["v"]) == [1]


def test_the_address_of_a_test_server_is_whole(postgres: str) -> None:
    assert types_page.postgres_connection(postgres).host == make_url(postgres).host
