"""Batches loaded by both paths, the compiled and the plain: the same rows in the same table."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal

import polars as pl
import psycopg
import pytest

from onecard import native
from onecard.errors import FatalError, OnecardError
from onecard.native import copy_in
from onecard.store.loader import Loader

SEEDS = range(4)
EXACT = Context(prec=60)
SIZES = ((38, 0), (38, 4), (38, 38), (18, 2), (20, 7), (9, 9), (1, 0), (5, 1))
WORDS = ("", "a", "十二个字节", "x" * 12, "x" * 13, "张" * 400, "𠮷\n\t\\N", "\\.", "é" * 7)


@pytest.fixture
def table(private_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(private_database, autocommit=True) as found:
        found.execute("CREATE SCHEMA staging")
        yield found


def frame(rng: random.Random, rows: int) -> pl.DataFrame:
    """Every type that staging tables have, with nulls, edges of each, in several chunks."""

    def maybe(value: object) -> object:
        return None if rng.random() < 0.15 else value

    def number(precision: int) -> int:
        return rng.choice((0, 1, 10**precision - 1, rng.randrange(10**precision))) * (
            rng.choice((1, -1))
        )

    day, moment = date(1, 1, 1), datetime(1, 1, 1, tzinfo=UTC)
    texts = [maybe(rng.choice(WORDS) * rng.randrange(3)) for _ in range(rows)]
    days = [maybe(day + timedelta(rng.randrange(3652058))) for _ in range(rows)]
    times = [
        maybe(
            moment + timedelta(rng.randrange(3652058), rng.randrange(86400), rng.randrange(10**6))
        )
        for _ in range(rows)
    ]
    integers = [maybe(rng.choice((-(2**63), 2**63 - 1, 0, rng.randrange(2**63)))) for _ in texts]
    columns = {
        "t": pl.Series(texts, dtype=pl.String),
        "d": pl.Series(days, dtype=pl.Date),
        "z": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
        "i": pl.Series(integers, dtype=pl.Int64),
    }
    for precision, scale in SIZES:
        values = [maybe(Decimal(number(precision)).scaleb(-scale, EXACT)) for _ in range(rows)]
        columns[f"n{precision}_{scale}"] = pl.Series(values, dtype=pl.Decimal(precision, scale))
    made = pl.DataFrame(columns)
    cut = rng.randrange(rows)
    return pl.concat([made[cut:], made[:cut]], rechunk=False).filter(pl.int_range(rows) % 7 != 3)


def load(connection: psycopg.Connection, frames: list[pl.DataFrame]) -> list[tuple[object, ...]]:
    """The table's rows, by their text forms, in the order in which they came."""
    kinds = {"t": "text", "d": "date", "z": "timestamptz", "i": "bigint"}
    kinds |= {f"n{p}_{s}": f"numeric({p},{s})" for p, s in SIZES}
    listed = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    connection.execute(f"DROP TABLE IF EXISTS staging.made; CREATE TABLE staging.made ({listed})")
    with Loader(connection.info.dsn, "made") as loader:
        for one in frames:
            loader.put(one)
    asked = ", ".join(f"{name}::text" for name in kinds)
    connection.execute("SET timezone = 'UTC'")
    return connection.execute(f"SELECT {asked} FROM staging.made ORDER BY ctid").fetchall()


@pytest.mark.parametrize("seed", SEEDS)
def test_random_frames_are_the_same_by_both_paths(table, monkeypatch, seed: int) -> None:
    rng = random.Random(seed)
    frames = [frame(rng, rng.randrange(1, 400)) for _ in range(rng.randrange(1, 4))]
    monkeypatch.setenv("ONECARD_NATIVE", "off")
    plain = load(table, frames)
    monkeypatch.setenv("ONECARD_NATIVE", "on")
    assert copy_in.encoder(pl.concat(frames).to_arrow(compat_level=pl.CompatLevel.newest()).schema)
    compiled = load(table, frames)
    assert compiled == plain
    assert len(compiled) == sum(map(len, frames))
    exact = [f"{v:f}" for one in frames for v in one["n38_38"] if v is not None]
    assert [Decimal(r[-6]) for r in compiled if r[-6] is not None] == list(map(Decimal, exact))


@pytest.mark.parametrize("word", ["on", "off"])
def test_a_row_larger_than_a_chunk(table, monkeypatch, word: str) -> None:
    monkeypatch.setenv("ONECARD_NATIVE", word)
    texts = ["a" * (3 * copy_in.CHUNK), "b", "c" * copy_in.CHUNK]
    table.execute("CREATE TABLE staging.made (t text)")
    with Loader(table.info.dsn, "made") as loader:
        loader.put(pl.DataFrame({"t": texts}))
    assert [r[0] for r in table.execute("SELECT t FROM staging.made ORDER BY ctid")] == texts


@pytest.mark.parametrize("word", ["on", "off"])
@pytest.mark.parametrize("bad", [b"\0".decode(), "x"])
def test_what_the_table_refuses_leaves_nothing_and_quotes_nothing(
    table, monkeypatch, word: str, bad: str
) -> None:
    monkeypatch.setenv("ONECARD_NATIVE", word)
    table.execute("CREATE TABLE staging.made (t text CHECK (t <> 'secretx'))")
    frames = [pl.DataFrame({"t": ["good"]}), pl.DataFrame({"t": ["secret" + bad]})]
    with pytest.raises(OnecardError) as caught, Loader(table.info.dsn, "made") as loader:
        for one in frames:
            loader.put(one)
    assert "secret" not in str(caught.value)
    assert table.execute("SELECT count(*) FROM staging.made").fetchone() == (0,)


@pytest.mark.parametrize("word", ["on", "off"])
def test_an_error_of_the_reader_leaves_nothing(table, monkeypatch, word: str) -> None:
    monkeypatch.setenv("ONECARD_NATIVE", word)
    table.execute("CREATE TABLE staging.made (t text)")
    with pytest.raises(KeyError), Loader(table.info.dsn, "made") as loader:
        loader.put(pl.DataFrame({"t": ["good"]}))
        raise KeyError
    assert table.execute("SELECT count(*) FROM staging.made").fetchone() == (0,)


@pytest.mark.parametrize("word", ["on", "off"])
def test_a_server_that_ends_the_session_is_told_as_that(table, monkeypatch, word: str) -> None:
    monkeypatch.setenv("ONECARD_NATIVE", word)
    table.execute("CREATE TABLE staging.made (t text)")
    many = pl.DataFrame({"t": ["a" * 1000] * 2000})
    ending = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'COPY%'"
    )
    with pytest.raises(OnecardError), Loader(table.info.dsn, "made") as loader:
        for n in range(200):
            loader.put(many)
            if n > 3:
                table.execute(ending)
    assert table.execute("SELECT count(*) FROM staging.made").fetchone() == (0,)


def test_moments_that_postgresql_does_not_have_are_refused(table) -> None:
    table.execute("CREATE TABLE staging.made (z timestamptz)")
    early = pl.Series([0, -(2**63) + 5], dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    assert native.library() is not None
    with pytest.raises(OnecardError) as caught, Loader(table.info.dsn, "made") as loader:
        loader.put(pl.DataFrame({"z": early}))
    assert "row 2" in str(caught.value)


def test_rows_that_the_database_drops_are_noticed(table) -> None:
    table.execute("CREATE TABLE staging.made (i bigint)")
    table.execute(
        "CREATE FUNCTION dropping() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN IF NEW.i = 3 THEN RETURN NULL; END IF; RETURN NEW; END'"
    )
    table.execute(
        "CREATE TRIGGER dropping BEFORE INSERT ON staging.made"
        " FOR EACH ROW EXECUTE FUNCTION dropping()"
    )
    with pytest.raises(FatalError) as caught, Loader(table.info.dsn, "made") as loader:
        loader.put(pl.DataFrame({"i": [1, 2, 3, 4]}))
    assert "4 rows were sent, the database took 3" in str(caught.value)
    assert table.execute("SELECT count(*) FROM staging.made").fetchone() == (0,)
