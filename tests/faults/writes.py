"""Writes of the hub, each as a function that a limited process can run."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from connectors.files.folder import private_file
from connectors.files.folders import opened
from connectors.sql.connector import SqlConnector
from connectors.sql.options import SqlSink
from onecard.base import files
from onecard.crypto import keys
from onecard.crypto.audit_format import AuditCheckpoint, anchor
from onecard.operations import alarms
from onecard.ports.sink import Parcel
from quality.reports import workbook
from tests.connectors import systems

DAY = date(2026, 11, 1)


def init_keys(home: Path) -> None:
    keys.create(home / "keys.json", ["hrss"], "2026", DAY)


def rotate_keys(home: Path) -> None:
    keys.rotate(home / "keys.json", "signing", "2027", timedelta(days=1), DAY)


def note_alarms(home: Path) -> None:
    with alarms._state(home) as known:
        known["email:a:b"] = {"late|hrss/card_master": {"kind": "late" * 400}}


def write_page(home: Path) -> None:
    files.write(home / "reports" / "page.html", "<p>" * 1_000)


def write_workbook(home: Path) -> None:
    workbook.write(home / "reports" / "list.xlsx", "list", ["a"], [["b"]] * 50)


def write_anchor(home: Path) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC).isoformat()
    anchor(home / "audit", AuditCheckpoint(7, b"r" * 32, at, "international", "2026", b"s" * 64))


def write_temporary(_: Path) -> None:
    with private_file() as file, file.open("wb") as stream:
        stream.write(b"x" * 10_000)


def write_local(home: Path) -> None:
    at = systems.conn(conn_type="fs", extra={"path": str(home)})
    with opened(at) as folder:
        folder.write("inbox/a01/d1.parquet", home / "source", systems.free)


def write_draft(home: Path) -> None:
    at = systems.conn(conn_type="fs", extra={"path": str(home)})
    with opened(at) as folder, folder.draft("inbox/a01") as draft:
        draft.write_bytes((home / "source").read_bytes())
        folder.write("inbox/a01/d1.parquet", draft, systems.free)


def write_sftp(home: Path) -> None:
    """The server runs in the same process, under the same limit."""
    with systems.sftp(home) as at, opened(at) as folder:
        folder.write("inbox/a01/d1.parquet", home / "source", systems.free)


def fill_table(home: Path) -> None:
    schema = pa.schema([("key", pa.string()), ("name", pa.string())])
    table = pa.table([[f"k{i}" for i in range(500)], ["n" * 100] * 500], schema=schema)
    batches = iter(table.to_batches(max_chunksize=100))
    manifest = json.loads("{}")
    parcel = Parcel("d-1", "a01", schema, ("key",), batches, manifest, systems.free, systems.marked)
    at = systems.conn(conn_type="sqlite", host=str(home / "inbox.sqlite"))
    SqlConnector().send(at, SqlSink(table="inbox"), parcel)
