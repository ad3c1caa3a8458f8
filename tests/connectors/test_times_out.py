"""Instants leave as Beijing time with +08:00, whatever their year, into every kind of inbox."""

from __future__ import annotations

import csv
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, text

import connectors
from connectors.sql.url import engine_url
from onecard.base.times import OFFSET, ZONE, instant, iso, shown
from onecard.cli import output
from onecard.deliver import treatment
from onecard.deliver.outgoing import arrow_of
from onecard.errors import ConfigError
from onecard.ports.sink import Parcel
from schemas.models import catalogue
from schemas.models.agreement_parts import SharedField
from schemas.models.contract import Field
from tests.connectors.systems import free, marked
from tests.connectors.test_compliance import opened

INSTANTS = {
    "1900-01-01T00:00:00+08:00": "1899-12-31T16:00:00Z",
    "1949-06-01T08:00:00+08:00": "1949-06-01T00:00:00Z",
    "1988-07-01T08:00:00+08:00": "1988-07-01T00:00:00Z",
    "1988-09-11T01:30:00+08:00": "1988-09-10T17:30:00Z",
    "1991-09-15T00:30:00+08:00": "1991-09-14T16:30:00Z",
    "2026-11-24T02:00:00+08:00": "2026-11-23T18:00:00Z",
    "9999-12-31T23:59:59+08:00": "9999-12-31T15:59:59Z",
}
"""As they leave, and the same in UTC as the registry holds them."""
CASES = [
    pytest.mark.case("time-1", "1900-01-01T00:00:00+08:00 leaves so, never at +08:05"),
    pytest.mark.case(
        "time-2", "an instant in the summer of 1988 leaves at +08:00, never at +09:00"
    ),
]


def marks(function: Any) -> Any:
    for mark in CASES:
        function = mark(function)
    return function


def registry() -> pl.DataFrame:
    """The instants as they come out of the registry."""
    found = [datetime.fromisoformat(utc) for utc in INSTANTS.values()]
    return pl.DataFrame(
        {"key": [f"k{i}" for i in range(len(found))], "at": found},
        schema={"key": pl.String, "at": pl.Datetime("us", "UTC")},
    )


def treated(how: str) -> pl.Series:
    agreement = catalogue.load().agreement("f06-hrss-housing_fund-card-status")
    shared = SharedField.model_validate({"name": "at", "treatment": how})
    one = agreement.model_copy(update={"fields": (shared,)})
    field = Field(
        name="at",
        title="",
        native="at",
        type="timestamp",
        semantic="instant",
        level="L1",
        pii="NONE",
    )
    return treatment.treat(registry().select("at"), one, {"at": field}, None)["at"]


def parcel() -> Parcel:
    table = arrow_of(registry().with_columns(at=treated("as_is")))
    delivery = f"f00-{os.urandom(6).hex()}"
    batches = iter(table.to_batches())
    return Parcel(delivery, "f00", table.schema, ("key",), batches, {}, free, marked)


@marks
@pytest.mark.case("time-1", "year, month, day and hour are those in Beijing")
def test_parts_of_an_instant_are_those_in_beijing() -> None:
    texts = list(INSTANTS)
    assert treated("year").to_list() == [t[:4] for t in texts]
    assert treated("month").to_list() == [t[:7] for t in texts]
    assert treated("day").to_list() == [t[:10] for t in texts]
    hours = [datetime.fromisoformat(t[:13] + ":00:00+08:00") for t in texts]
    assert treated("hour").to_list() == hours


@marks
@pytest.mark.parametrize("variant", ["postgres", "mariadb", "sqlite"])
def test_tables_hold_beijing_time(variant: str, tmp_path: Path, postgres: str) -> None:
    with opened(variant, tmp_path, postgres) as system:
        connector = connectors.connector("sql")
        options = connector.sink_options.model_validate(system.sink)
        connector.send(system.connection, options, parcel())
        at = "at" if variant != "postgres" else "at AT TIME ZONE 'Etc/GMT-8'"
        engine = create_engine(engine_url(system.connection))
        with engine.connect() as database:
            statement = text(f"SELECT {at} AS found FROM {system.sink['table']} ORDER BY key")
            if variant == "mariadb":
                statement = text(str(statement).replace("BY key", "BY `key`"))
            found = [str(row.found)[:19].replace(" ", "T") for row in database.execute(statement)]
        engine.dispose()
    assert found == [t[:19] for t in INSTANTS]


@marks
def test_http_says_plus_eight(tmp_path: Path, postgres: str) -> None:
    with opened("rest-keyset", tmp_path, postgres) as system:
        connector = connectors.connector("rest")
        options = connector.sink_options.model_validate(system.sink)
        connector.send(system.connection, options, parcel())
        assert [row["at"].replace(".000000", "") for row in system.held()] == list(INSTANTS)


@marks
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_say_plus_eight(kind: str, tmp_path: Path, postgres: str) -> None:
    with opened("csv", tmp_path, postgres) as system:
        connector = connectors.connector("files")
        wanted = {"directory": "in", "format": {"kind": kind}}
        connector.send(system.connection, connector.sink_options.model_validate(wanted), parcel())
    (file,) = (tmp_path / "in" / "f00").glob(f"*.{kind}")
    if kind == "csv":
        with file.open(encoding="utf-8", newline="") as lines:
            found = [row["at"].replace(".000000", "") for row in csv.DictReader(lines)]
        assert found == list(INSTANTS)
        return
    table = pq.read_table(file)
    assert table.schema.field("at").type == pa.timestamp("us", OFFSET)
    assert [v.isoformat() for v in table["at"].to_pylist()] == list(INSTANTS)


@pytest.mark.case("time-4", "tables and JSON of commands say Beijing time, whatever zone they get")
def test_commands_say_beijing_time(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 11, 23, 18, 0, 5, tzinfo=UTC)
    output.emit({"at": at, "then": at.replace(microsecond=1500)})
    said = capsys.readouterr().out
    assert '"at": "2026-11-24T02:00:05+08:00"' in said
    assert '"then": "2026-11-24T02:00:05.001500+08:00"' in said
    output.table("t", ("at",), [(at,)])
    assert "2026-11-24 02:00:05" in capsys.readouterr().out


def test_a_time_without_a_zone_is_no_instant() -> None:
    naive = datetime(2026, 11, 24)
    for written in (iso, shown):
        with pytest.raises(ValueError, match="without a zone"):
            written(naive)
    with pytest.raises(ConfigError, match="--at: write an instant with offset"):
        instant("2026-11-24", "--at")
    assert instant("1900-01-01T00:00:00+08:00", "x").astimezone(ZONE).isoformat()[-6:] == OFFSET
