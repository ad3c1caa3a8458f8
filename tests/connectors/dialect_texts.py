"""Writes tests/data/dialects: what each dialect asks and says, for people to review.

`python -m tests.connectors.dialect_texts` writes; tests/connectors/test_dialect_texts.py compares.
A change there is a change of what an agency's server is asked: read it with the maker's manual.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy.schema import CreateTable

import connectors
from connectors.common import source_types
from connectors.sql import dialects
from connectors.sql.dialects import bounds
from connectors.sql.inbox_tables import tables
from connectors.sql.options import SqlSink
from onecard.model.source_types import DeclaredColumn
from onecard.ports.sink import Parcel
from onecard.ports.source import Column
from tests.connectors import standin
from tests.connectors.standin import Rows
from tests.connectors.systems import free, marked

FOLDER = Path(__file__).parents[1] / "data" / "dialects"
NAMES = ("kingbase", "opengauss", "mysql", "oceanbase", "tidb", "oracle", "dm", "mssql")
MOMENT = datetime(2026, 11, 1, 8, 0, 0, 127456, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("level", pa.int64()),
        ("name", pa.string()),
        ("amount", pa.decimal128(16, 2)),
        ("born", pa.date32()),
        ("at", pa.timestamp("us", "+08:00")),
        ("share", pa.float64()),
        ("yes", pa.bool_()),
    ]
)
"""Of an inbox with a key of two columns, one of whose names is a word of some databases' own."""
KEY = ("id", "level")
SENT: list[dict[str, Any]] = [
    {
        "id": f"k{n}",
        "level": n,
        "name": "张三" if n else None,
        "amount": Decimal("12.50"),
        "born": date(1988, 7, 1),
        "at": datetime(2026, 11, 1, 0, 2, 3, 456789, tzinfo=UTC),
        "share": 0.5,
        "yes": True,
    }
    for n in range(2)
]


def parcel(delivery: str = "f00-1", rows: list[dict[str, Any]] | None = None) -> Parcel:
    """A delivery of two rows, and one key that is to go."""
    batches = pa.Table.from_pylist(SENT if rows is None else rows, schema=SCHEMA).to_batches()
    gone = pa.table({"id": ["gone"], "level": [9]}).to_batches()
    return Parcel(delivery, "f00", SCHEMA, KEY, iter(batches), {}, free, marked, deletes=iter(gone))


def columns(name: str) -> Iterator[str]:
    """How a column of each type is asked for, and its bound."""
    dialect = dialects.called(name)
    engine = dialect.engine(standin.connection(name))
    for kind in source_types.known(dialect.types).values():
        if not kind.accepts:
            continue
        there = DeclaredColumn("v", kind.name, kind)
        asked = dialect.selected(Column("v", "v", type="string"), there)
        yield f"-- {kind.name}: {asked.compile(dialect=engine.dialect)}"
        bound = bounds.literal(kind, dialect.bounds, None, MOMENT)
        if bound is not None:
            yield f"--   v >= {bound}"
    engine.dispose()


def text(name: str) -> str:
    """Everything that is reviewed of a dialect."""
    dialect = dialects.called(name)
    lines = [f"-- {dialect.title}: a reading", *dialect.session, *dialect.snapshot]
    names = [dialect.quoted(n) for n in KEY]
    lines += [f"-- partition 3 of 4: {dialect.remainder(names, 4) or 'no hash,'} = 3"]
    lines += ["-- columns", *columns(name)]
    lines += ["-- an inbox", *dialect.strict]
    known = inbox(name) if name in standin.CATALOGUES else {}
    with standin.served(name, **known) as server:
        engine = dialect.engine(standin.connection(name))
        if known:
            engine.connect().close()  # it learns what its server is
        for table in tables(dialect, None, "card_status", parcel()):
            lines += [str(CreateTable(table).compile(dialect=engine.dialect)).strip()]
        engine.dispose()
        if known:
            connector = connectors.connector("sql")
            connector.send(standin.connection(name), SqlSink(table="card_status"), parcel())
            lines += ["-- a delivery", *delivery(server)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def delivery(server: standin.Server) -> Iterator[str]:
    """What was said to the inbox itself."""
    for statement in server.statements:
        if "card_status" in statement.lower() or "onecard_delivery" in statement.lower():
            yield statement


def inbox(name: str) -> dict[str, Any]:
    """What a stand-in answers of an inbox that fits, and of what was sent into it."""
    found = [tuple(row.values()) for row in SENT]
    local = datetime(2026, 11, 1, 8, 2, 3, 456789)
    held = [tuple(local if isinstance(v, datetime) else v for v in row) for row in found]
    return {
        **_CATALOGUES[name],
        r"SELECT count\(\*\)": (["n"], [[0]]),
        r"SELECT .*digest.*FROM .*onecard_delivery": _digest,
        r"SELECT .*amount.*FROM .*card_status": (SCHEMA.names, held),
    }


def _digest(server: standin.Server) -> tuple[list[str], Rows]:
    """The digest of the delivery that was written last."""
    written = [p for s, p in server.asked if "INSERT" in s and "onecard_delivery" in s]
    values = [
        v
        for one in written
        for v in (one.values() if isinstance(one, dict) else one)
        if isinstance(v, str) and len(v) == 64
    ]
    return ["digest"], [[v] for v in values[-1:]]


_ORACLE: dict[str, standin.Answer] = {
    "all_tab_cols": (
        [
            "column_name",
            "data_type",
            "data_length",
            "char_length",
            "data_precision",
            "data_scale",
            "nullable",
            "default_length",
            "virtual_column",
            "char_used",
        ],
        [
            ["ID", "VARCHAR2", 760, 190, None, None, "Y", None, "NO", "C"],
            ["LEVEL", "NUMBER", 22, 0, 19, 0, "Y", None, "NO", None],
            ["NAME", "CLOB", 4000, 0, None, None, "Y", None, "NO", None],
            ["AMOUNT", "NUMBER", 22, 0, 16, 2, "Y", None, "NO", None],
            ["BORN", "DATE", 7, 0, None, None, "Y", None, "NO", None],
            ["AT", "TIMESTAMP(6)", 11, 0, None, 6, "Y", None, "NO", None],
            ["SHARE", "BINARY_DOUBLE", 8, 0, None, None, "Y", None, "NO", None],
            ["YES", "NUMBER", 22, 0, None, 0, "Y", None, "NO", None],
            ["DELIVERY_ID", "VARCHAR2", 760, 190, None, None, "Y", None, "NO", "C"],
            ["AGREEMENT", "VARCHAR2", 760, 190, None, None, "Y", None, "NO", "C"],
            ["ROWS", "NUMBER", 22, 0, 19, 0, "Y", None, "NO", None],
            ["DIGEST", "VARCHAR2", 760, 190, None, None, "Y", None, "NO", "C"],
            ["MANIFEST", "CLOB", 4000, 0, None, None, "Y", None, "NO", None],
            ["RECEIVED_AT", "DATE", 7, 0, None, None, "Y", None, "NO", None],
        ],
    ),
    "all_ind_columns": (
        ["index_name", "column_name"],
        [["A", "ID"], ["A", "LEVEL"], ["B", "DELIVERY_ID"]],
    ),
    "all_triggers": (["trigger_name"], []),
    "all_constraints": (["table_name"], []),
    "all_views": (["n"], [[0]]),
    "'' IS NULL": (["n"], [[1]]),
}
_CATALOGUES: dict[str, dict[str, standin.Answer]] = {
    "oracle": _ORACLE,
    "dm": {**_ORACLE, r"'a' AS VARCHAR": (["cases", "blanks"], [[0, 1]])},
    "mssql": {
        "FROM sys.objects": (["type"], [["U "]]),
        "sys.index_columns": (
            ["index_id", "name"],
            [[1, "id"], [1, "level"], [2, "delivery_id"]],
        ),
        "sys.triggers": (["name"], []),
        "sys.foreign_keys": (["name"], []),
        "sys.columns": standin.catalogue(
            "mssql",
            {
                name: {"kind": kind, "collation_name": None, **more}
                for name, kind, more in (
                    ("id", "nvarchar", {"max_length": 380, "collation_name": "X_BIN2"}),
                    ("level", "bigint", {}),
                    ("name", "nvarchar", {"max_length": -1, "collation_name": "X_BIN2"}),
                    ("amount", "decimal", {"precision": 16, "scale": 2}),
                    ("born", "date", {}),
                    ("at", "datetime2", {"scale": 6}),
                    ("share", "float", {}),
                    ("yes", "bit", {}),
                    ("delivery_id", "nvarchar", {"max_length": 380, "collation_name": "X_BIN2"}),
                    ("agreement", "nvarchar", {"max_length": 380, "collation_name": "X_BIN2"}),
                    ("rows", "bigint", {}),
                    ("digest", "nvarchar", {"max_length": 380, "collation_name": "X_BIN2"}),
                    ("manifest", "nvarchar", {"max_length": -1, "collation_name": "X_BIN2"}),
                    ("received_at", "datetime2", {"scale": 0}),
                )
            },
        ),
    },
}


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (FOLDER / f"{name}.sql").write_text(text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
