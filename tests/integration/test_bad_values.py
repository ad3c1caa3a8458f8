"""One value that cannot be read costs its row, in every night, on every kind of source."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Connection as Database
from sqlalchemy import create_engine, text

from connectors.sql.url import engine_url
from onecard.app.wiring import Hub
from onecard.base.connections import Connection, EnvironmentConnections
from onecard.base.settings import Settings
from onecard.crypto import keys
from onecard.model.transfers import Counts
from onecard.reconcile.dataset import reconcile
from onecard.store import database
from schemas.models import catalogue
from tests.connectors import types_page
from tests.connectors.systems import conn

SET = "hrss/made"
CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: hrss/made
name: 表
version: 1.0.0
status: active
domain: hrss
description: {{purpose: p, usage: u}}
slaProperties:
  - {{property: freshness, value: PT24H}}
servers:
  - server: hrss
    type: custom
    customProperties:
      - property: source
        value: {source}
schema:
  - name: made
    physicalName: made
    logicalType: object
    properties:
{properties}
"""
FIELD = """      - name: {name}
        businessName: {name}
        physicalName: {name}
        logicalType: {type}
        {more}
        classification: L3
        customProperties:
          - {{property: semantic, value: {semantic}}}
          - {{property: pii, value: PI}}
"""
FIELDS = "".join(
    FIELD.format(name=name, type=kind, more=more, semantic=semantic)
    for name, kind, semantic, more in (
        ("k", "string", "text", "logicalTypeOptions: {maxLength: 9}\n        primaryKey: true\n        primaryKeyPosition: 1\n        required: true"),
        ("at", "timestamp", "instant", "required: false"),
        ("v", "number", "money", "physicalType: decimal(18,2)\n        required: false"),
    )
)  # fmt: skip
ROWS = 20_000
BEGIN = datetime(2026, 1, 1)


@dataclass
class Made:
    """A hub with one dataset, and the agency's hand on its table."""

    hub: Callable[[], Hub]
    run: Callable[[str], None]
    address: str

    def collect(self, *, whole: bool = False) -> Counts:
        return self.hub().collect(SET).run(whole=whole).counts

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        with database.connect(self.address, autocommit=True) as connection:
            return [tuple(r) for r in connection.execute(statement.encode()).fetchall()]

    @property
    def published(self) -> int:
        (row,) = self.ask("SELECT count(*) FROM registry.hrss__made WHERE _deleted_at IS NULL")
        return int(str(row[0]))

    @property
    def reasons(self) -> list[tuple[object, ...]]:
        return self.ask(
            "SELECT r ->> 0, r ->> 1 FROM quarantine.record, jsonb_array_elements(reasons) r"
        )


@pytest.fixture
def made(
    tmp_path: Path, hub_database: str
) -> Iterator[Callable[[Connection, dict[str, object]], Made]]:
    engines = []

    def make(system: Connection, source: dict[str, object]) -> Made:
        schemas = tmp_path / "schemas"
        (schemas / "contracts" / "hrss").mkdir(parents=True)
        shutil.copy(catalogue.ROOT / "agencies.yaml", schemas)
        file = schemas / "contracts" / "hrss" / "made.odcs.yaml"
        text_ = CONTRACT.format(source=json.dumps(source), properties=FIELDS)
        file.write_text(text_, encoding="utf-8")
        keys.create(tmp_path / "keys.json", ["bureau"], "2026")
        settings = Settings(
            home=tmp_path,
            keys_file=tmp_path / "keys.json",
            schemas=schemas,
            database_url=hub_database,
        )
        there = {
            "conn_type": system.conn_type,
            "host": system.host,
            "port": system.port,
            "login": system.login,
            "password": system.secret,
            "schema": system.schema_,
            "extra": dict(system.extra),
        }
        place = {"AIRFLOW_CONN_MADE": json.dumps(there)}
        if system.conn_type != "fs":
            engines.append(create_engine(engine_url(system)))

        def run(statement: str) -> None:
            with engines[0].begin() as connection:
                _lax(connection)
                connection.execute(text(statement))

        return Made(lambda: Hub(settings, EnvironmentConnections(place)), run, hub_database)

    yield make
    for engine in engines:
        engine.dispose()


def _lax(connection: Database) -> None:
    if connection.dialect.name == "mysql":
        connection.execute(text("SET sql_mode = ''"))


@pytest.fixture
def mariadb(made: Callable[..., Made]) -> Iterator[tuple[Made, str]]:
    """20,000 rows of increasing times in a MariaDB that takes anything."""
    name = f"t_{os.urandom(5).hex()}"
    source = {
        "connector": "sql",
        "connection": "made",
        "cursor": "at",
        "overlap": "PT10M",
        "options": {"table": name},
    }
    found = made(types_page.mariadb_connection(), source)
    found.run(f"CREATE TABLE {name} (k varchar(9) primary key, at datetime, v decimal(18,2))")
    found.run(
        f"INSERT INTO {name} SELECT seq, '2026-01-01' + INTERVAL seq MINUTE, 1.50"
        f" FROM seq_1_to_{ROWS}"
    )
    yield found, name
    found.run(f"DROP TABLE {name}")


@pytest.mark.case("value-1", "a zero date in the cursor of 20,000 rows: its row, in all nights")
def test_a_zero_date_costs_its_row(mariadb: tuple[Made, str]) -> None:
    found, name = mariadb
    found.run(f"UPDATE {name} SET at = '0000-00-00' WHERE k = '9000'")
    assert found.collect() == Counts(ROWS, ROWS - 1, 0, 1)
    assert (found.published, found.reasons) == (ROWS - 1, [("at", "type")])
    assert found.collect().quarantined == 1, "what has no place behind the watermark"
    assert found.collect(whole=True) == Counts(ROWS, 0, ROWS - 1, 1)
    found.run(f"UPDATE {name} SET at = '2026-01-07' WHERE k = '9000'")
    found.collect(whole=True)
    assert found.published == ROWS


@pytest.mark.case("value-2", "reconciliation names the one row, and touches no sound one")
def test_a_reconciliation_names_one_row(mariadb: tuple[Made, str]) -> None:
    found, name = mariadb
    found.collect()
    found.run(f"UPDATE {name} SET at = '0000-00-00' WHERE k IN ('9000')")
    done = reconcile(found.hub(), SET)
    named = done.quarantined + done.missing + done.differing
    assert (named, done.extra) == (1, 0), done
    assert found.published == ROWS, "the row's last sound version stays"
    assert found.collect(whole=True).quarantined == 1
    assert (found.published, found.reasons) == (ROWS, [("at", "type")])


@pytest.mark.case("value-3", "a new row with a zero date, or half of one, is read on night 2")
@pytest.mark.parametrize("at", ["0000-00-00 00:00:00", "2024-00-10 00:00:00", "NULL"])
def test_a_new_row_without_a_time_is_read(mariadb: tuple[Made, str], at: str) -> None:
    found, name = mariadb
    found.collect()
    value = at if at == "NULL" else f"'{at}'"
    found.run(f"INSERT INTO {name} VALUES ('new', {value}, 1)")
    counts = found.collect()
    assert (counts.quarantined, counts.published) == ((0, 1) if at == "NULL" else (1, 0))
    assert counts.rows_read <= 20, "the rest lies before the watermark"


@pytest.fixture
def table(
    made: Callable[..., Made], tmp_path: Path, postgres: str, request: pytest.FixtureRequest
) -> Iterator[tuple[Made, str]]:
    """A small table in PostgreSQL or SQLite."""
    name = f"t_{os.urandom(5).hex()}"
    file = tmp_path / "old.sqlite"
    sqlite3.connect(file).close()
    file.touch()
    system = (
        types_page.postgres_connection(postgres)
        if request.param == "postgresql"
        else conn(conn_type="sqlite", host=str(file))
    )
    source = {
        "connector": "sql",
        "connection": "made",
        "cursor": "at",
        "overlap": "PT10M",
        "options": {"table": name},
    }
    found = made(system, source)
    kinds = "timestamp, v numeric" if request.param == "postgresql" else "text, v decimal(18,2)"
    zone = "" if request.param == "postgresql" else "+08:00"
    found.run(f"CREATE TABLE {name} (k varchar(9) primary key, at {kinds})")
    for number in range(50):
        at = BEGIN + timedelta(minutes=number)
        found.run(f"INSERT INTO {name} VALUES ('{number}', '{at}{zone}', 1.5)".replace(":", "\\:"))
    yield found, name
    found.run(f"DROP TABLE {name}")


@pytest.mark.case("value-1", "PostgreSQL's infinity, BC and NaN cost their rows, read every night")
@pytest.mark.parametrize("table", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "bad",
    ["'infinity', 1", "'-infinity', 1", "'294276-12-31', 1", "'0044-03-15 BC', 1", "NULL, 'NaN'"],
)
def test_a_bad_value_of_postgresql_costs_its_row(table: tuple[Made, str], bad: str) -> None:
    found, name = table
    assert found.collect() == Counts(50, 50, 0, 0)
    found.run(f"INSERT INTO {name} VALUES ('new', {bad})")
    counts = found.collect()
    assert (counts.quarantined, counts.published) == (1, 0)
    assert found.collect(whole=True) == Counts(51, 0, 50, 1)
    done = reconcile(found.hub(), SET)
    assert (done.missing, done.extra, done.differing, found.published) == (0, 0, 0, 50)


@pytest.mark.case("value-1", "what is no time or no number in SQLite costs its row every night")
@pytest.mark.parametrize("table", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "bad", ["'soon', 1", "20260101, 1", "'', 1", "x'00', 1", "NULL, 'much'", "NULL, x'31'"]
)
def test_a_bad_value_of_sqlite_costs_its_row(table: tuple[Made, str], bad: str) -> None:
    found, name = table
    assert found.collect() == Counts(50, 50, 0, 0)
    found.run(f"INSERT INTO {name} VALUES ('new', {bad})")
    counts = found.collect()
    assert (counts.quarantined, counts.published) == (1, 0)
    assert found.collect(whole=True) == Counts(51, 0, 50, 1)


@pytest.mark.parametrize("table", ["sqlite"], indirect=True)
def test_an_instant_of_sqlite_is_compared_as_one(table: tuple[Made, str]) -> None:
    found, name = table
    found.collect()
    later = (BEGIN + timedelta(minutes=55) - timedelta(hours=8)).isoformat()
    found.run(f"INSERT INTO {name} VALUES ('new', '{later}Z', 1)".replace(":", "\\:"))
    assert found.collect().published == 1


@pytest.mark.case("value-1", "a time of Parquet beyond any calendar costs its row")
def test_a_bad_value_of_parquet_costs_its_row(made: Callable[..., Made], tmp_path: Path) -> None:
    found = made(
        conn(conn_type="fs", extra={"path": str(tmp_path)}),
        {
            "connector": "files",
            "connection": "made",
            "options": {
                "directory": "files",
                "pattern": "*.parquet",
                "format": {"kind": "parquet"},
            },
        },
    )
    (tmp_path / "files").mkdir()
    times = pa.array([0, 2**62, None], pa.int64()).cast(pa.timestamp("us", "UTC"))
    rows = {"k": ["1", "2", "3"], "at": times, "v": pa.array([1, 2, 3], pa.int64())}
    pq.write_table(pa.table(rows), tmp_path / "files" / "a.parquet")
    assert found.collect() == Counts(3, 2, 0, 1)
    assert found.reasons == [("at", "type")]
