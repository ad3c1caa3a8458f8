"""A source that several workers read ends as if one had read it, night after night."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from connectors.sql.url import engine_url
from onecard.base.connections import Connection
from onecard.collect import partitioned
from onecard.errors import ConfigError, FatalError, SourceUnavailable, SupersededError
from tests.connectors.systems import free
from tests.office import put
from tests.sampling import sampled
from tests.twins import UNIQUE, Api, Divided, Threads, Twins, api_twins, things, twins

SEEDS = [1, 2, 3]
NIGHTS = 6
LONG = "x" * 21
"""Longer than the field may be: such a row is rejected."""


def fields(chance: random.Random) -> tuple[str, str]:
    """Key and value of a row; keys and values repeat, some are none."""
    key = chance.choice([*(f"K{n}" for n in range(12)), ""])
    return key, chance.choice([*"abcdefgh", *"abcdefgh", LONG])


# files


@dataclass
class Folder:
    """CSV files of an agency, of which each night changes some."""

    home: Path
    chance: random.Random
    number: int = 20

    def change(self) -> None:
        """New files, mostly the newest; sometimes an older one, another content, or one gone."""
        for _ in range(self.chance.randint(0, 3)):
            self.number += 1
            self.put(f"{self.number}.csv")
        names = sorted(f.name for f in (self.home / "files" / "out").glob("*.csv"))
        what = self.chance.random()
        if what < 0.2:
            self.put(f"{self.chance.randint(10, self.number)}b.csv")
        elif what < 0.4 and names:
            self.put(self.chance.choice(names))
        elif what < 0.5 and names:
            (self.home / "files" / "out" / self.chance.choice(names)).unlink()

    def put(self, name: str) -> None:
        """A file of some rows."""
        rows = [",".join(fields(self.chance)) for _ in range(self.chance.randint(1, 9))]
        put(self.home, name, *rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "files" / "out").mkdir(parents=True)
    return tmp_path


def folder_twins(
    folder: Path, addresses: tuple[str, str], custom: dict[str, Any], *rules: dict[str, Any]
) -> Twins:
    def make(address: str, home: Path) -> Divided:
        options = {"directory": "out", "pattern": "*.csv", "format": {"kind": "csv"}}
        source = {"connector": "files", "options": options}
        connection = {"conn_type": "fs", "extra": {"path": str(folder / "files")}}
        return Divided(address, home, source, connection, custom=dict(custom), rules=list(rules))

    with twins(make, addresses, folder) as (one, several):
        # What breaks a `unique` rule is numbered as it lies in the staging table.
        return Twins(one, several, {"by": "name", "parts": 3}, placed=not rules)


@pytest.mark.parametrize(
    ("order", "seed"),
    sampled([(order, seed) for order in ("file_name", None) for seed in SEEDS], [("file_name", 1)]),
)
def test_files(folder: Path, addresses: tuple[str, str], order: str | None, seed: int) -> None:
    custom = {"order": order} if order else {}
    both = folder_twins(folder, addresses, custom, *([UNIQUE] if seed == 2 else []))
    agency = Folder(folder, random.Random(seed))
    agency.put("20.csv")
    for night in range(NIGHTS):
        agency.change()
        both.night(whole=night == NIGHTS - 1)


def test_files_together_are_read_apart(folder: Path, addresses: tuple[str, str]) -> None:
    """New files behind all known ones are what partitions are for: nothing is read in one."""
    both = folder_twins(folder, addresses, {"order": "file_name"})
    for number in range(10, 20):
        put(folder, f"{number}.csv", f"K{number},a", "K1,a", f"K2,{number}")
    counts, said = both.night()
    assert (counts.rows_read, counts.published, said) == (30, 12, "")
    put(folder, "20.csv", "K1,a", "K2,b")
    put(folder, "21.csv", "K1,c", "K1,a", ",b")
    counts, said = both.night()
    assert (counts.rows_read, counts.quarantined, said) == (5, 1, "")
    assert both.several.published["K1"] == "a"


def test_a_file_that_is_older_than_known_ones_is_read_in_one(
    folder: Path, addresses: tuple[str, str]
) -> None:
    both = folder_twins(folder, addresses, {"order": "file_name"})
    put(folder, "10.csv", "K1,a")
    put(folder, "20.csv", "K1,b")
    both.night()
    put(folder, "15.csv", "K1,c", "K2,x")
    counts, said = both.night()
    assert counts.rows_read == 3, "what was taken before is read again behind it"
    assert said == "read in one: hrss/thing: a new file is older than files that were taken before"
    assert both.several.published == {"K1": "b", "K2": "x"}


def test_a_file_that_comes_while_others_are_read(folder: Path, addresses: tuple[str, str]) -> None:
    both = folder_twins(folder, addresses, {"order": "file_name"})
    put(folder, "10.csv", "K1,a")
    put(folder, "20.csv", "K1,b")
    both.several.source["partition"] = both.partition
    hub = both.several.hub()
    transfer = hub.collect("hrss/thing").open_parts()
    hub.collect("hrss/thing").part(transfer, 0)
    put(folder, "15.csv", "K1,c", "K2,x")
    for number in (1, 2):
        hub.collect("hrss/thing").part(transfer, number)
    hub.collect("hrss/thing").gather(transfer)
    hub.collect("hrss/thing").audit(transfer)
    done = hub.collect("hrss/thing").publish(transfer)
    assert done.counts.rows_read == 4
    assert both.several.published == {"K1": "b", "K2": "x"}
    assert "files came or went while it was read in partitions" in both.several.message(done)


# tables


def server(
    kind: str, private_database: str, home: Path
) -> tuple[dict[str, Any], Callable[[], None]]:
    """A database of an agency: the connection, and what drops it."""
    if kind == "sqlite":
        file = home / "agency.db"
        sqlite3.connect(file).close()
        return {"conn_type": "sqlite", "host": str(file)}, lambda: None
    if kind == "postgres":
        url = make_url(private_database)
        host = url.query.get("host") or url.host or "127.0.0.1"
        found = {
            "conn_type": "postgres",
            "host": host,
            "port": url.port or 5432,
            "schema": url.database,
            "login": url.username,
            "password": url.password or "",
        }
        return found, lambda: None
    if free(3306):
        pytest.skip("needs MariaDB on 127.0.0.1:3306")
    name = f"t_{os.urandom(6).hex()}"
    found = {"conn_type": "mysql", "host": "127.0.0.1", "port": 3306, "login": "root"}
    root = create_engine(engine_url(Connection.model_validate({"id": "s", **found})))
    with root.begin() as connection:
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))

    def drop() -> None:
        with root.begin() as connection:
            connection.execute(text(f"DROP DATABASE {name}"))
        root.dispose()

    return {**found, "schema": name}, drop


@dataclass
class Table:
    """A table of an agency, of which each night changes some rows."""

    connection: dict[str, Any]
    chance: random.Random
    moment: int = 0

    def run(self, statement: str, **values: object) -> None:
        engine = create_engine(
            engine_url(Connection.model_validate({"id": "t", **self.connection}))
        )
        with engine.begin() as connection:
            connection.execute(text(statement), values)
        engine.dispose()

    def create(self) -> None:
        kind = "timestamptz" if self.connection["conn_type"] == "postgres" else "varchar(40)"
        self.run(f"CREATE TABLE thing (k varchar(40), v varchar(40), seq bigint, at {kind})")

    def change(self) -> None:
        """Rows come, change and go; the newest have the highest moment."""
        for _ in range(self.chance.randint(3, 9)):
            key, value = fields(self.chance)
            number = self.chance.choice([None, *range(-3, 12)])
            self.insert(key, value, number)
        key, value = fields(self.chance)
        self.run("UPDATE thing SET v = :v, at = :at WHERE k = :k", k=key, v=value, at=self.next())
        self.run("DELETE FROM thing WHERE k = :k", k=fields(self.chance)[0])

    def insert(self, key: str, value: str, number: int | None = None) -> None:
        """One row more."""
        statement = "INSERT INTO thing VALUES (:k, :v, :seq, :at)"
        self.run(statement, k=key or None, v=value, seq=number, at=self.next())

    def next(self) -> str:
        """A minute later."""
        self.moment += 1
        return f"2026-11-23T{self.moment // 60:02}:{self.moment % 60:02}:00+08:00"


TABLES = [
    ("postgres", {"by": "hash", "parts": 3}),
    ("postgres", {"by": "range", "field": "seq", "bounds": [0, 4, 8]}),
    ("sqlite", {"by": "hash", "parts": 3}),
    ("sqlite", {"by": "range", "field": "seq", "bounds": [5]}),
    ("mysql", {"by": "hash", "parts": 3}),
    ("mysql", {"by": "range", "field": "seq", "bounds": [5]}),
]


@pytest.mark.parametrize(("kind", "partition"), sampled(TABLES, TABLES[:1]))
def test_tables(
    kind: str,
    partition: dict[str, Any],
    tmp_path: Path,
    addresses: tuple[str, str],
    private_database: str,
) -> None:
    connection, drop = server(kind, private_database, tmp_path)
    try:
        table = Table(connection, random.Random(7))
        table.create()
        both = table_twins(connection, partition, addresses, tmp_path)
        for night in range(NIGHTS):
            table.change()
            _, said = both.night(whole=night == 3)
            assert "read in one" not in said
        assert both.one.published
    finally:
        drop()


def table_twins(
    connection: dict[str, Any],
    partition: dict[str, Any],
    addresses: tuple[str, str],
    home: Path,
    cursor: str | None = None,
) -> Twins:
    """Two hubs of one table."""
    ranged = partition["by"] == "range"
    source: dict[str, Any] = {"connector": "sql", "options": {"table": "thing"}}
    if cursor:
        source["cursor"] = cursor

    def make(address: str, folder: Path) -> Divided:
        made = Divided(address, folder, dict(source), dict(connection))
        made.fields = ("k", "v", "seq", *([cursor] if cursor else []))
        made.custom = {} if ranged else {"sequence": "seq"}
        made.numbered = ranged
        made.rules = [UNIQUE] if connection["conn_type"] == "postgres" and not cursor else []
        return made

    with twins(make, addresses, home) as (one, several):
        return Twins(one, several, partition)


def test_behind_a_watermark(
    tmp_path: Path, addresses: tuple[str, str], private_database: str
) -> None:
    """The watermark is that of one reading, and the table's rows are counted once."""
    connection, _ = server("postgres", private_database, tmp_path)
    table = Table(connection, random.Random(9))
    table.create()
    both = table_twins(connection, {"by": "hash", "parts": 3}, addresses, tmp_path, cursor="at")
    for _ in range(NIGHTS):
        for _ in range(2):
            table.change()
        counts, _ = both.night()
    ((there, cursor),) = both.several.ask(
        "SELECT source_rows, checkpoint->>'cursor' FROM ledger.transfer ORDER BY id DESC LIMIT 1"
    )
    assert there > counts.rows_read
    assert datetime.fromisoformat(cursor) > datetime.fromisoformat("2026-11-23T00:30:00+08:00")


def test_all_workers_see_one_state(
    tmp_path: Path, addresses: tuple[str, str], private_database: str
) -> None:
    """What is committed while PostgreSQL is read in partitions waits for the next reading."""
    connection, _ = server("postgres", private_database, tmp_path)
    table = Table(connection, random.Random(7))
    table.create()
    for number in range(6):
        table.insert(f"K{number}", f"v{number}")
    both = table_twins(connection, {"by": "hash", "parts": 3}, addresses, tmp_path)
    both.several.source["partition"] = both.partition

    class Meanwhile(Threads):
        def read(self, dataset: str, transfer: int, parts: int, snapshot: str) -> None:
            for number in range(6, 30):
                table.insert(f"K{number}", "b")
            table.run("DELETE FROM thing WHERE k = 'K0'")
            super().read(dataset, transfer, parts, snapshot)

    done = both.several.hub().collect("hrss/thing").run_by(Meanwhile(both.several))
    assert (done.counts.rows_read, done.counts.published) == (6, 6)
    assert both.several.message(done) == ""


def test_a_state_that_is_gone_is_read_in_one(
    tmp_path: Path, addresses: tuple[str, str], private_database: str
) -> None:
    connection, _ = server("postgres", private_database, tmp_path)
    table = Table(connection, random.Random(7))
    table.create()
    table.insert("K1", "a")
    both = table_twins(connection, {"by": "hash", "parts": 3}, addresses, tmp_path)
    both.several.source["partition"] = both.partition

    class Late(Threads):
        def read(self, dataset: str, transfer: int, parts: int, snapshot: str) -> None:
            super().read(dataset, transfer, parts, "00000003-0000001B-1")

    done = both.several.hub().collect("hrss/thing").run_by(Late(both.several))
    assert done.counts.rows_read == 1
    assert "the state of" in both.several.message(done)
    assert "that was held is gone" in both.several.message(done)


# APIs


@pytest.fixture
def api(addresses: tuple[str, str], tmp_path: Path) -> Iterator[tuple[Api, Twins]]:
    with api_twins(addresses, tmp_path) as found:
        yield found


def test_an_api(api: tuple[Api, Twins]) -> None:
    served, both = api
    chance = random.Random(5)
    for _ in range(3):
        served.rows = things(chance, "pqr")
        _, said = both.night()
        assert said == ""
    assert {q.get("g") for q in served.asked} == {None, "p", "q", "r"}


def test_a_value_that_nobody_has_listed(api: tuple[Api, Twins]) -> None:
    """A row of another value would be missed: the API's total shows it, and all is read in one."""
    served, both = api
    served.rows = [*things(random.Random(1), "pqr"), {"k": "K99", "v": "a", "g": "new"}]
    counts, said = both.night()
    assert counts.rows_read == len(served.rows)
    assert "read in one: hrss/thing: its partitions gave" in said
    assert "K99" in both.several.published


def test_an_api_that_does_not_know_the_parameter(api: tuple[Api, Twins]) -> None:
    served, both = api
    served.rows, served.knows = things(random.Random(1), "pqr"), False
    counts, said = both.night()
    assert counts.rows_read == len(served.rows)
    assert said == "read in one: hrss/thing: two partitions gave the same rows"


# what is lost, and who comes too late


@pytest.fixture
def many(api: tuple[Api, Twins]) -> tuple[Api, Twins]:
    api[0].rows = things(random.Random(3), "pqr")
    return api


def test_a_worker_that_vanishes(many: tuple[Api, Twins]) -> None:
    """Its partition alone is read again."""
    _, both = many
    both.night(dies=frozenset({0}))
    attempts = both.several.ask(
        "SELECT number, cardinality(attempts) FROM ledger.partition ORDER BY number"
    )
    assert attempts == [(0, 2), (1, 1), (2, 1)]
    assert len(both.several.published) > 5


def opened(both: Twins) -> tuple[Any, int]:
    """A collect by the second hub whose partitions nobody has read."""
    both.several.source["partition"] = both.partition
    found = both.several.hub().collect("hrss/thing")
    return found, found.open_parts()


def test_a_worker_that_comes_back_adds_nothing(
    many: tuple[Api, Twins], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read its partition to the end when it learns that another one was given it."""
    _, both = many
    collect, transfer = opened(both)
    late = partitioned.failpoints.reach

    def overtaken(point: str) -> None:
        if point == "part.read":
            monkeypatch.setattr(partitioned.failpoints, "reach", late)
            both.several.hub().collect("hrss/thing").part(transfer, 0)
        late(point)

    monkeypatch.setattr(partitioned.failpoints, "reach", overtaken)
    for number in range(3):
        collect.part(transfer, number)
    collect.gather(transfer)
    collect.audit(transfer)
    both.one.day += 1
    both.several.day += 1
    both.agree(both.one.hub().collect("hrss/thing").run(), collect.publish(transfer))
    (first, *_) = both.several.ask(
        "SELECT cardinality(attempts) FROM ledger.partition ORDER BY number"
    )
    assert first == (2,)


def test_a_partition_is_done_once(many: tuple[Api, Twins]) -> None:
    served, both = many
    collect, transfer = opened(both)
    collect.part(transfer, 1)
    asked = len(served.asked)
    collect.part(transfer, 1)
    assert len(served.asked) == asked
    collect.gather(transfer)
    asked = len(served.asked)
    assert collect.gather(transfer) == transfer
    assert len(served.asked) == asked


def test_staged_rows_that_are_gone_are_read_again_alone(many: tuple[Api, Twins]) -> None:
    """A crash of the database empties what is staged."""
    served, both = many
    collect, transfer = opened(both)
    for number in range(3):
        collect.part(transfer, number)
    ((attempt,),) = both.several.ask("SELECT attempt FROM ledger.partition WHERE number = 1")
    both.several.ask(f"DELETE FROM staging.hrss__thing__{attempt} RETURNING 1")
    asked = len(served.asked)
    collect.gather(transfer)
    assert {q.get("g") for q in served.asked[asked:]} == {"q", None}
    collect.audit(transfer)
    assert collect.publish(transfer).counts.rows_read == len(served.rows)


def test_a_newer_transfer_overtakes(many: tuple[Api, Twins]) -> None:
    _, both = many
    collect, transfer = opened(both)
    collect.part(transfer, 0)
    both.several.hub().collect("hrss/thing").run()
    before = both.several.published
    with pytest.raises(SupersededError, match="was overtaken"):
        collect.part(transfer, 1)
    with pytest.raises(SupersededError, match="was overtaken"):
        collect.gather(transfer)
    assert both.several.published == before
    assert both.several.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'staging'") == []


def test_a_contract_that_changes_meanwhile(many: tuple[Api, Twins]) -> None:
    """Workers that divide differently would lose rows."""
    _, both = many
    _, transfer = opened(both)
    both.several.source["partition"] = {**both.partition, "values": ["p", "q"]}
    with pytest.raises(FatalError, match="its contract has changed"):
        both.several.hub().collect("hrss/thing").part(transfer, 0)
    assert both.several.ask("SELECT status FROM ledger.transfer") == [("failed",)]


def test_a_source_that_is_down_for_a_while(many: tuple[Api, Twins]) -> None:
    """The transfer goes on: only that partition is tried again."""
    served, both = many
    collect, transfer = opened(both)
    both.several.source["options"]["attempts"] = 1
    down = True

    def breaks(query: dict[str, str]) -> None:
        if down and query.get("g") == "r":
            raise ConnectionResetError

    served.before = breaks
    collect.part(transfer, 0)
    with pytest.raises(SourceUnavailable):
        collect.part(transfer, 2)
    assert both.several.ask("SELECT status FROM ledger.transfer") == [("running",)]
    down = False
    collect.part(transfer, 2)
    collect.gather(transfer)
    collect.audit(transfer)
    assert collect.publish(transfer).counts.rows_read == len(served.rows)


def test_a_contract_without_partitions(many: tuple[Api, Twins]) -> None:
    _, both = many
    with pytest.raises(ConfigError, match=r"names no source\.partition"):
        both.one.hub().collect("hrss/thing").open_parts()
