"""Reads the samples of types through the real connector and the real gate."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel
from sqlalchemy import Connection as Database
from sqlalchemy import create_engine, text

import connectors
from connectors.common.source_types import LOGICAL
from connectors.files.options import FilesSource
from connectors.soap.options import SoapSource
from connectors.sql.options import SqlSource
from connectors.sql.url import engine_url
from onecard.base.connections import Connection
from onecard.collect import drift_policy
from onecard.errors import SchemaMismatch
from onecard.ports.source import Reading, ReadRequest
from quality.rows.gate import compile_gate
from schemas.models.contract import Contract, LogicalType
from tests import soap_service
from tests.connectors.systems import conn
from tests.connectors.type_samples import Arrives, Sample
from tests.connectors.type_samples_files import Value, Written
from tests.connectors.type_samples_office import OfficeColumn
from tests.soap_service import Reply
from tests.workbooks import DbfColumn, SheetMade, dbf, xlsx

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
EAST = timezone(timedelta(hours=8))
SEMANTIC = {
    "string": "text",
    "date": "date",
    "timestamp": "instant",
    "integer": "sequence",
    "number": "money",
}
REASONS = frozenset({"type", "scale", "record.json", "record.xml"})
REASONS |= {"cell.rounded", "cell.formula", "cell.error", "cell.percent"}
"""Rules that a value of no column's type may break."""
Outcome = dict[LogicalType, Arrives]
"""Logical type → what came of each value; without those that were refused."""


def contract(kind: LogicalType, source: Mapping[str, Any] | None = None, **more: Any) -> Contract:
    """A contract of a key `k` and a field `v`."""
    fields: list[dict[str, Any]] = [
        {"name": "k", "type": "string", "semantic": "text", "required": True, "key_position": 1},
        {"name": "v", "type": kind, "semantic": SEMANTIC[kind], **more},
    ]
    if kind == "number":
        fields[1] |= {"precision": 38, "scale": 4}
    for item in fields:
        item |= {"title": item["name"], "native": item["name"], "level": "L1", "pii": "NONE"}
    return Contract.model_validate(
        {
            "id": "hrss/made",
            "version": "1.0.0",
            "title": "t",
            "description": "d",
            "status": "active",
            "freshness": "PT24H",
            "fields": fields,
            "source": source or {"connector": "sql", "connection": "made"},
        }
    )


def arrived(value: object) -> str | None:
    """A typed value as a person writes it: times at +08:00."""
    if isinstance(value, datetime):
        return value.astimezone(EAST).isoformat()
    return "NULL" if value is None else str(value)


def taken(reading: Reading, made: Contract) -> Arrives:
    """What came of each row's `v`, in the order of `k`."""
    gate, found = compile_gate(made), {}
    for chunk in reading:
        checked = gate.check(chunk, NOW)
        found |= dict(zip(checked.good["k"], map(arrived, checked.good["v"]), strict=True))
        for row in checked.rejected:
            key = row.values.get("k") or str(row.number)
            assert {r.rule for r in row.reasons} <= REASONS, row.reasons
            found[key] = None
    return tuple(found[k] for k in sorted(found, key=int))


def outcome(connection: Connection, connector: str, options: BaseModel) -> Outcome:
    """One source read as each logical type."""
    found: Outcome = {}
    for kind in LOGICAL:
        made = contract(kind)
        request = ReadRequest(made.id, drift_policy.columns(made), options)
        with suppress(SchemaMismatch):
            reading = connectors.connector(connector).read(connection, request)
            found[kind] = taken(reading, made)
    return found


@contextmanager
def table(connection: Connection, sample: Sample) -> Iterator[str]:
    """A table `t_…` with the sample's values in column `v`, numbered by `k`."""
    name = f"t_{os.urandom(5).hex()}"
    engine = create_engine(engine_url(connection))
    with engine.connect() as database:
        _made(database, name, sample)
    try:
        yield name
    finally:
        with engine.begin() as database:
            database.execute(text(f"DROP TABLE IF EXISTS {name}"))
            if engine.dialect.name == "postgresql":
                for statement in sample.before:
                    kind = statement.split()[2].replace("{t}", name)
                    database.execute(text(f"DROP TYPE {kind}"))
        engine.dispose()


def _made(database: Database, name: str, sample: Sample) -> None:
    if database.dialect.name == "mysql":
        database.execute(text("SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+08:00'"))
    for statement in sample.before:
        database.exec_driver_sql(statement.replace("{t}", name))
    declared = sample.declared.replace("{t}", name)
    database.exec_driver_sql(f"CREATE TABLE {name} (k varchar(9), v {declared})")
    for number, literal in enumerate(sample.written, start=1):
        database.exec_driver_sql(f"INSERT INTO {name} VALUES ('{number}', {literal})")
    database.commit()


def of_table(connection: Connection, sample: Sample, **options: Any) -> Outcome:
    """A sample, written in a table of a real database and read as each logical type."""
    with table(connection, sample) as name:
        return outcome(connection, "sql", SqlSource(table=name, **options))


def of_parquet(folder: Path, sample: Written) -> Outcome:
    """A column of Parquet as its writer left it, read as each logical type."""
    keys = pa.array([str(n + 1) for n in range(len(sample.column))])
    pq.write_table(
        pa.table({"k": keys, "v": sample.column}), folder / "rows.parquet", **sample.options
    )
    layout = {"kind": "parquet", **({"timezone": sample.zone} if sample.zone else {})}
    return outcome(*_file(folder, "rows.parquet", layout))


def of_lines(folder: Path, kind: str, values: Sequence[Value]) -> Outcome:
    """Values of a CSV, of JSON Lines or of one JSON document, read as each logical type."""
    rows = [f'{{"k": "{n}", "v": {v.written}}}' for n, v in enumerate(values, start=1)]
    content = {
        "csv": "k,v\n" + "".join(f"{n},{v.written}\n" for n, v in enumerate(values, start=1)),
        "jsonl": "\n".join(rows) + "\n",
        "json": '{"rows": [' + ",".join(rows) + "]}",
    }[kind]
    (folder / f"rows.{kind}").write_text(content, encoding="utf-8")
    layout = {"kind": kind, **({"records": "rows"} if kind == "json" else {})}
    return outcome(*_file(folder, f"rows.{kind}", layout))


def of_service(values: Sequence[Value]) -> Outcome:
    """Values of an answer of a web service, read as each logical type."""
    items = "".join(
        f'<row><k>{n}</k><v xsi:type="{v.name.partition(",")[0]}"'
        + (f">{v.written}</v>" if v.written else ' xsi:nil="true"/>')
        + "</row>"
        for n, v in enumerate(values, start=1)
    )
    body = f'<queryRowsResponse xmlns="{soap_service.READERS}"><rows>{items}</rows>'
    with soap_service.service() as service:
        service.instead = Reply(soap_service.envelope(f"{body}</queryRowsResponse>"))
        there = conn(conn_type="http", host="127.0.0.1", port=service.server_address[1])
        return outcome(there, "soap", SoapSource.model_validate(soap_service.OPTIONS))


def of_office(folder: Path, kind: str, sample: OfficeColumn) -> Outcome:
    """A column of a workbook or of a DBF table, read as each logical type."""
    if kind == "excel":
        rows = [[str(n), cell] for n, cell in enumerate(sample.cells, start=1)]
        data = xlsx(SheetMade([["k", "v"], *rows]))
    else:
        assert sample.field is not None
        cells = [(str(n).encode(), cell) for n, cell in enumerate(sample.cells, start=1)]
        data = dbf([DbfColumn("k", "C", 9), sample.field], cells, version=0x30)
    (folder / f"rows.{kind}").write_bytes(data)
    return outcome(*_file(folder, f"rows.{kind}", {"kind": kind}))


def of_marked(folder: Path, kind: str, values: Sequence[Value]) -> Outcome:
    """Values of an XML document or of lines of fixed widths, read as each logical type."""
    numbered = list(enumerate(values, start=1))
    if kind == "xml":
        rows = "".join(f"<r><k>{n}</k>{v.written}</r>" for n, v in numbered)
        text, more = f"<d>{rows}</d>", {"record": "/d/r"}
    else:
        text = "".join(f"{n:<9}{v.written:<30}\n" for n, v in numbered)
        more = {"columns": [{"name": "k", "width": 9}, {"name": "v", "width": 30}]}  # type: ignore[dict-item]
    (folder / f"rows.{kind}").write_text(text, encoding="utf-8")
    return outcome(*_file(folder, f"rows.{kind}", {"kind": kind, **more}))


def _file(folder: Path, name: str, layout: dict[str, Any]) -> tuple[Connection, str, BaseModel]:
    here = conn(conn_type="fs", extra={"path": str(folder)})
    options = {"directory": ".", "pattern": name, "format": layout}
    return here, "files", FilesSource.model_validate(options)


def same(kind: str, one: Arrives, other: Arrives) -> bool:
    """Whether the same arrived; numbers are the same whatever zeros stand behind them."""
    if kind != "number" or one == other:
        return one == other
    return [None if v is None else Decimal(v) for v in one] == [
        None if v is None else Decimal(v) for v in other
    ]
