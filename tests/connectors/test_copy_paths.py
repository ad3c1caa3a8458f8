"""PostgreSQL read by both paths, the compiled and the plain: the same Arrow, value by value."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest

from connectors.sql.options import SqlSource
from connectors.sql.read_postgres import PostgresReading
from onecard import native
from onecard.base.connections import Connection
from onecard.errors import OnecardError, ProtocolError, SourceUnavailable
from onecard.native import copy_out
from onecard.ports.source import Column, ReadRequest
from tests.connectors import types_page

SEEDS = range(3)
TYPES = {
    "a": "text",
    "b": "character varying(40)",
    "c": "character(9)",
    "d": "smallint",
    "e": "integer",
    "f": "bigint",
    "g": "numeric",
    "h": "numeric(20,4)",
    "i": "date",
    "j": "timestamp",
    "k": "timestamptz",
    "l": "made_domain",
}
NUMBERS = (
    "0", "0.0000", "-0.1", "1e-20", "9999", "10000", "100000000", "0.00010000", "12345.678901234",
    "-99999999999999999999.9999", "1e40", "123e-30", "1000000000000.0000000000001", "NaN",
    "Infinity", "-Infinity", "1e500", "1e-400",
)  # fmt: skip
DATES = ("infinity", "-infinity", "4713-01-01 BC", "0001-12-31 BC", "1970-01-01", "2000-01-01",
         "1999-12-31", "9999-12-31", "5874897-12-31")  # fmt: skip
TIMES = ("infinity", "-infinity", "4713-01-01 00:00 BC", "0001-12-31 23:59:59.999999 BC",
         "1969-12-31 23:59:59.999999", "2000-01-01", "9999-12-31 23:59:59.999999",
         "294276-12-31 23:59:59.999999")  # fmt: skip


@pytest.fixture
def agency(private_database: str) -> Iterator[tuple[psycopg.Connection, Connection]]:
    with psycopg.connect(private_database, autocommit=True) as database:
        database.execute("SET timezone = 'Asia/Shanghai'")
        database.execute("CREATE DOMAIN made_inner AS numeric(12,3)")
        database.execute("CREATE DOMAIN made_domain AS made_inner CHECK (VALUE < 900000000)")
        yield database, types_page.postgres_connection(private_database)


def read(connection: Connection, names: str, typed: str = "", size: int = 7) -> pa.Table:
    """All chunks as one table, whose chunks are no larger than asked."""
    columns = tuple(
        Column(n, n, type=typed or None)
        for n in names  # type: ignore[arg-type]
    )
    options = SqlSource.model_validate({"table": "t", "timezone": "Asia/Shanghai"})
    request = ReadRequest("a/b", columns, options, batch_rows=size)
    chunks = list(PostgresReading(connection, request, options))
    assert all(0 < c.batch.num_rows <= size for c in chunks)
    found = pa.Table.from_batches([c.batch for c in chunks]) if chunks else pa.table({})
    found.validate(full=True)
    return found


def both(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, names: str, size: int = 7
) -> pa.Table:
    """What both paths give, which is the same; and the compiled one is the one that was taken."""
    monkeypatch.setenv("ONECARD_NATIVE", "off")
    plain = read(connection, names, size=size)
    monkeypatch.setenv("ONECARD_NATIVE", "on")
    assert native.library() is not None
    taken: list[object] = []
    original = copy_out.batches

    def noted(*arguments: object) -> object:
        taken.append(original(*arguments))  # type: ignore[arg-type]
        return taken[-1]

    with monkeypatch.context() as patch:
        patch.setattr(copy_out, "batches", noted)
        compiled = read(connection, names, size=size)
    assert taken != [None], "the library knows these types"
    assert compiled.schema == plain.schema
    # Values that no Python object holds (times past the year 9999) are compared as they stand.
    assert compiled.equals(plain)
    return compiled


def some(rng: random.Random, kind: str) -> str | None:
    """A literal of the type, or NULL; edges oftener than elsewhere."""
    if rng.random() < 0.2:
        return None
    if kind in ("text", "character varying(40)", "character(9)"):
        letters = "aé张𠮷 \t\n\\'\"\x01\u200b"
        most = 9 if kind == "character(9)" else 40 if "varying" in kind else 200
        return "".join(rng.choice(letters) for _ in range(rng.randrange(most)))
    if kind in ("smallint", "integer", "bigint"):
        bits = {"smallint": 15, "integer": 31, "bigint": 63}[kind]
        return str(rng.choice((-(2**bits), 2**bits - 1, 0, -1, rng.randrange(2**bits))))
    if kind == "numeric":
        if rng.random() < 0.5:
            return rng.choice(NUMBERS)
        return str(Decimal(rng.randrange(-(10**30), 10**30)).scaleb(-rng.randrange(40)))
    if kind == "numeric(20,4)":
        return str(Decimal(rng.randrange(-(10**19), 10**19)).scaleb(-rng.randrange(4, 20)))
    if kind == "made_domain":
        return str(Decimal(rng.randrange(-(10**11), 10**11)).scaleb(-3))
    if kind == "date":
        return rng.choice(DATES)
    return rng.choice(TIMES)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_tables_are_the_same_by_both_paths(agency, monkeypatch, seed: int) -> None:
    database, connection = agency
    rng = random.Random(seed)
    listed = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    database.execute(f"CREATE TABLE t ({listed})")
    rows = [[some(rng, kind) for kind in TYPES.values()] for _ in range(rng.randrange(1, 300))]
    casts = ", ".join(f"%s::text::{kind}" for kind in TYPES.values())
    with database.cursor() as cursor:
        cursor.executemany(f"INSERT INTO t VALUES ({casts})", rows)
    found = both(connection, monkeypatch, "".join(TYPES), size=rng.choice((1, 7, 64, 1000)))
    assert found.num_rows == len(rows)


@pytest.mark.parametrize("value", NUMBERS)
def test_each_number_at_an_edge(agency, monkeypatch, value: str) -> None:
    database, connection = agency
    database.execute("CREATE TABLE t (a numeric)")
    database.execute("INSERT INTO t VALUES (%s::text::numeric)", [value])
    both(connection, monkeypatch, "a")


def test_an_empty_table(agency, monkeypatch) -> None:
    database, connection = agency
    database.execute("CREATE TABLE t (a text, b date)")
    assert both(connection, monkeypatch, "ab").num_rows == 0


def test_columns_of_nulls_and_of_none(agency, monkeypatch) -> None:
    database, connection = agency
    database.execute("CREATE TABLE t (a text, b date, c bigint NOT NULL, d numeric)")
    database.execute("INSERT INTO t SELECT NULL, NULL, n, NULL FROM generate_series(1, 50) AS n")
    found = both(connection, monkeypatch, "abcd")
    assert [found.column(n).null_count for n in range(4)] == [50, 50, 0, 50]


def test_texts_longer_than_any_room(agency, monkeypatch) -> None:
    database, connection = agency
    database.execute("CREATE TABLE t (a text, b numeric)")
    database.execute(
        "INSERT INTO t SELECT repeat('张', n * 400000), repeat('9', n * 20000)::numeric"
        " FROM generate_series(0, 6) AS n WHERE n > 0"
    )
    found = both(connection, monkeypatch, "ab", size=3)
    assert [len(v.as_py()) for v in found["a"]] == [n * 400000 for n in range(1, 7)]


def test_a_type_that_the_library_does_not_know_is_read_by_the_plain_path(
    agency, monkeypatch
) -> None:
    database, connection = agency
    database.execute("CREATE TABLE t (a double precision, b text)")
    database.execute("INSERT INTO t VALUES (0.1, 'x'), (NULL, NULL)")
    monkeypatch.setenv("ONECARD_NATIVE", "off")
    plain = read(connection, "ab")
    monkeypatch.setenv("ONECARD_NATIVE", "on")
    assert read(connection, "ab").equals(plain)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "EUC_CN", "LATIN1"])
def test_databases_of_other_encodings(agency, monkeypatch, encoding: str) -> None:
    database, connection = agency
    name = f"made_{encoding.lower()}_{random.SystemRandom().randrange(10**8)}"
    database.execute(
        f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    try:
        other = connection.model_copy(update={"schema_": name})
        with psycopg.connect(database.info.dsn, dbname=name) as there:
            there.execute("CREATE TABLE t (a text)")
            there.execute("INSERT INTO t VALUES ('plain'), (NULL)")
            if encoding == "EUC_CN":
                there.execute("SET client_encoding = 'UTF8'")
                there.execute("INSERT INTO t VALUES ('张三')")
            if encoding == "LATIN1":
                there.execute("INSERT INTO t VALUES (convert_from('\\xe9', 'LATIN1'))")
        both(other, monkeypatch, "a")
    finally:
        database.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_bytes_that_are_no_text_come_out_as_they_stand(agency, monkeypatch) -> None:
    database, connection = agency
    name = f"made_bytes_{random.SystemRandom().randrange(10**8)}"
    database.execute(
        f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0"
        " LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    try:
        with psycopg.connect(database.info.dsn, dbname=name) as there:
            there.execute("CREATE TABLE t (a text)")
            there.execute("COPY t FROM PROGRAM 'printf \"\\\\320\\\\305\\\\n\"'")
        other = connection.model_copy(update={"schema_": name})
        columns = (Column("a", "a"),)
        options = SqlSource.model_validate({"table": "t"})
        found = []
        for word in ("off", "on"):
            monkeypatch.setenv("ONECARD_NATIVE", word)
            reading = PostgresReading(other, ReadRequest("a/b", columns, options), options)
            (chunk,) = reading
            found.append(chunk.batch.column(0).cast(pa.binary()).to_pylist())
        assert found == [[b"\xd0\xc5"]] * 2
    finally:
        database.execute(f"DROP DATABASE {name} WITH (FORCE)")


# --- streams that break off


def broken(connection: Connection, ending: Callable[[], object] | None = None) -> OnecardError:
    """What comes of a reading of `t` that fails after its first chunk."""
    options = SqlSource.model_validate({"table": "t"})
    request = ReadRequest("a/b", (Column("a", "a"), Column("b", "b")), options, batch_rows=1000)
    with pytest.raises(OnecardError) as caught:
        for number, _ in enumerate(PostgresReading(connection, request, options)):
            if number == 0 and ending:
                ending()
    assert "secret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("word", ["on", "off"])
def test_an_error_in_the_middle_is_told_without_values(agency, monkeypatch, word: str) -> None:
    database, connection = agency
    monkeypatch.setenv("ONECARD_NATIVE", word)
    database.execute(
        "CREATE VIEW t AS SELECT n AS a, CASE n WHEN 90000 THEN ('secret' || n)::date END AS b"
        " FROM generate_series(1, 100000) AS n"
    )
    error = broken(connection)
    assert isinstance(error, ProtocolError)
    assert "22007" in str(error) or word == "off"  # Arrow keeps no state of the database


@pytest.mark.parametrize("word", ["on", "off"])
def test_a_server_that_goes_away_in_the_middle(agency, monkeypatch, word: str) -> None:
    database, connection = agency
    monkeypatch.setenv("ONECARD_NATIVE", word)
    database.execute("CREATE TABLE t (a bigint, b text)")
    database.execute(
        "INSERT INTO t SELECT n, repeat('secret', 300) FROM generate_series(1, 50000) n"
    )
    ending = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert isinstance(broken(connection, lambda: database.execute(ending)), SourceUnavailable)


@pytest.mark.parametrize("word", ["on", "off"])
def test_a_reader_that_stops_leaves_no_session(agency, monkeypatch, word: str) -> None:
    database, connection = agency
    monkeypatch.setenv("ONECARD_NATIVE", word)
    database.execute("CREATE TABLE t (a bigint, b text)")
    database.execute("INSERT INTO t SELECT n, repeat('x', 300) FROM generate_series(1, 50000) n")
    options = SqlSource.model_validate({"table": "t"})
    request = ReadRequest("a/b", (Column("a", "a"), Column("b", "b")), options, batch_rows=100)
    reading = iter(PostgresReading(connection, request, options))
    assert next(reading).batch.num_rows == 100
    reading.close()  # type: ignore[attr-defined]
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    end = time.monotonic() + 30
    while database.execute(others).fetchone() != (1,):
        assert time.monotonic() < end, "the session is still there"
        time.sleep(0.05)


def test_rows_that_are_lost_on_the_way_are_noticed(agency, monkeypatch) -> None:
    database, connection = agency
    database.execute("CREATE TABLE t AS SELECT n AS a, n AS b FROM generate_series(1, 50) n")
    filled = copy_out._Copy._filled

    def losing(copy: copy_out._Copy, decoder: copy_out.Decoder) -> bool:
        more = filled(copy, decoder)
        decoder.stream.rows -= 1
        return more

    monkeypatch.setattr(copy_out._Copy, "_filled", losing)
    assert "49 rows came, the server says 50" in str(broken(connection))
