"""Instants leave as Beijing time with +08:00, whatever their year, into every kind of inbox."""

from __future__ import annotations

import csv
import os
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql as psql
from sqlalchemy import create_engine, text

import connectors
from connectors.sql.arrow import zoned
from connectors.sql.options import SqlSource
from connectors.sql.url import engine_url
from onecard.base.sql_text import query
from onecard.base.times import OFFSET, ZONE, instant, iso, shown
from onecard.cli import output
from onecard.deliver import treatment
from onecard.deliver.outgoing import arrow_of
from onecard.deliver.scope_sql import ScopeSql
from onecard.errors import ConfigError
from onecard.ports.sink import Parcel
from onecard.ports.source import Column, ReadRequest
from onecard.ports.sql_side import CLOCK_TIME, registry_form
from quality.rows.parsing import parse
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


AT = Field(
    name="at",
    title="",
    native="at",
    type="timestamp",
    semantic="instant",
    level="L1",
    pii="NONE",
)
"""A time without more."""


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
    return treatment.treat(registry().select("at"), one, {"at": AT}, None)["at"]


def parcel() -> Parcel:
    table = arrow_of(registry().with_columns(at=treated("as_is")))
    delivery = f"f00-{os.urandom(6).hex()}"
    batches = iter(table.to_batches())
    return Parcel(delivery, "f00", table.schema, ("key",), batches, {}, free, marked)


@pytest.mark.case("time-1", "year, month, day and hour are those in Beijing")
def test_parts_of_an_instant_are_those_in_beijing() -> None:
    texts = list(INSTANTS)
    assert treated("year").to_list() == [t[:4] for t in texts]
    assert treated("month").to_list() == [t[:7] for t in texts]
    assert treated("day").to_list() == [t[:10] for t in texts]
    hours = [datetime.fromisoformat(t[:13] + ":00:00+08:00") for t in texts]
    assert treated("hour").to_list() == hours


@pytest.mark.case("time-1", "1900-01-01T00:00:00+08:00 leaves so, never at +08:05")
@pytest.mark.case("time-2", "an instant in the summer of 1988 leaves at +08:00, never at +09:00")
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


@pytest.mark.case("time-1", "1900-01-01T00:00:00+08:00 leaves so, never at +08:05")
@pytest.mark.case("time-2", "an instant in the summer of 1988 leaves at +08:00, never at +09:00")
def test_http_says_plus_eight(tmp_path: Path, postgres: str) -> None:
    with opened("rest-keyset", tmp_path, postgres) as system:
        connector = connectors.connector("rest")
        options = connector.sink_options.model_validate(system.sink)
        connector.send(system.connection, options, parcel())
        assert [row["at"].replace(".000000", "") for row in system.held()] == list(INSTANTS)


@pytest.mark.case("time-1", "1900-01-01T00:00:00+08:00 leaves so, never at +08:05")
@pytest.mark.case("time-2", "an instant in the summer of 1988 leaves at +08:00, never at +09:00")
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


@pytest.mark.case("time-1", "statistics by year, month, day or hour count by Beijing's calendar")
@pytest.mark.parametrize(
    ("kind", "how"),
    [
        *(("timestamp", how) for how in ("year", "month", "day", "hour")),
        *(("date", how) for how in ("year", "month", "day")),
    ],
)
def test_statistics_count_by_beijings_calendar(kind: str, how: str, postgres: str) -> None:
    catalogue_ = catalogue.load()
    agreement = catalogue_.agreement("f21-transport-bureau-ride-statistics")
    shared = SharedField.model_validate({"name": "at", "from": "deal_time", "treatment": how})
    contracts = dict(catalogue_.contracts)
    rides = contracts[agreement.dataset]
    fields = tuple(
        f.model_copy(update={"type": kind}) if f.name == "deal_time" else f for f in rides.fields
    )
    contracts[agreement.dataset] = rides.model_copy(update={"fields": fields})
    scope = ScopeSql(agreement, contracts, date(2026, 11, 24))
    times = ["2026-12-31 15:59:59+00", "2026-12-31 16:00:00+00", "2026-12-31 16:59:59+00"]
    if kind == "date":
        times = ["2026-11-30", "2026-12-01", "2026-12-01"]
    statement = query(
        "SELECT {cell}, count(*) FROM unnest({times}::{kind}[]) AS o(deal_time) GROUP BY 1 ORDER BY 1",
        cell=scope.expression(shared),
        times=psql.Literal(times),
        kind=psql.SQL("timestamptz" if kind == "timestamp" else "date"),
    )
    with psycopg.connect(postgres) as connection:
        connection.execute("SET TimeZone = 'America/Lima'")
        found = connection.execute(statement).fetchall()
    one_year = (kind, how) == ("date", "year")
    assert [n for _, n in found] == ([3] if one_year else [1, 2])
    if kind == "timestamp":
        assert found[-1][0] == datetime(2027, 1, 1, tzinfo=ZONE)


@pytest.mark.case("time-1", "clock times of sources before 1950 are read at +08:00, not at +08:05")
@pytest.mark.parametrize("variant", ["postgres", "mariadb"])
def test_old_clock_times_are_read_at_plus_eight(
    variant: str, tmp_path: Path, postgres: str
) -> None:
    clocks = {
        "1900-01-01 00:00:00": "1900-01-01T00:00:00+08:00",
        "1945-07-01 00:00:00": "1945-07-01T00:00:00+08:00",
        "1988-07-01 08:00:00": "1988-07-01T07:00:00+08:00",  # summer time, unambiguous
        "2026-11-24 02:00:00": "2026-11-24T02:00:00+08:00",
    }
    with opened(variant, tmp_path, postgres) as system:
        engine = create_engine(engine_url(system.connection))
        name = system.options["table"]
        kind = "timestamp" if variant == "postgres" else "datetime(6)"
        with engine.begin() as database:
            database.execute(text(f"CREATE TABLE {name} (at {kind})"))
            for clock in clocks:
                database.execute(text(f"INSERT INTO {name} VALUES (:at)"), {"at": clock})
        engine.dispose()
        for zone, wanted in (("Asia/Shanghai", list(clocks.values())), (OFFSET, list(clocks))):
            options = SqlSource(table=name, timezone=zone)
            request = ReadRequest("agency/dataset", (Column("at", "at"),), options)
            chunks = list(connectors.connector("sql").read(system.connection, request))
            found = [v for c in chunks for v in c.batch.column(0).to_pylist()]
            given = [datetime.fromisoformat(w) for w in wanted]
            assert found == [g if g.tzinfo else g.replace(tzinfo=ZONE) for g in given]


@pytest.mark.case("time-1", "one clock time that was twice does not change how others are read")
def test_a_time_that_was_twice_changes_no_other() -> None:
    naive = [datetime(1900, 1, 1), datetime(1988, 9, 11, 1, 30), datetime(1988, 7, 1, 8)]
    column = zoned(pa.array(naive, pa.timestamp("us")), "Asia/Shanghai")
    frame = pl.DataFrame({"at": pl.from_arrow(column)})
    found = frame.select(parse(AT, frame.schema["at"]).value)["at"].to_list()
    assert found[1] is None
    assert [found[0], found[2]] == [
        datetime(1900, 1, 1, tzinfo=ZONE),
        datetime(1988, 7, 1, 7, tzinfo=ZONE),
    ]


@pytest.mark.case("time-1", "a reconciliation inside PostgreSQL reads old clock times alike")
@pytest.mark.parametrize(
    ("zone", "wanted"), [("Asia/Shanghai", "07:00:00"), (OFFSET, "08:00:00"), ("UTC", "16:00:00")]
)
def test_a_reconciliation_reads_clock_times_alike(zone: str, wanted: str, postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute("SET TimeZone = 'Etc/GMT-8'")
        for clock, expected in (
            ("1900-01-01 00:00:00", "00:00:00"),
            ("1988-07-01 08:00:00", wanted),
        ):
            given = query("{c}::timestamp", c=psql.Literal(clock))
            form = registry_form(AT, given, CLOCK_TIME, zone)
            assert form is not None
            (found,) = connection.execute(query("SELECT {f}", f=form)).fetchone() or (None,)
            assert isinstance(found, datetime)
            early = expected if zone != "UTC" else "08:00:00"
            assert shown(found, "%H:%M:%S") == (early if clock.startswith("1900") else wanted)
