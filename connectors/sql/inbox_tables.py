"""Tables of an inbox, with types that keep every value exactly as it was sent."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from sqlalchemy import Column, MetaData, Table

from connectors.sql.dialects.base import Dialect
from connectors.sql.options import DELIVERIES
from onecard.ports.sink import Parcel

REMARKS = ("delivery_id", "received_at")
"""Columns of an inbox beside the agreement's: the hub's own remarks on a row."""
DELIVERY_SCHEMA = pa.schema(
    [
        ("delivery_id", pa.string()),
        ("agreement", pa.string()),
        ("rows", pa.int64()),
        ("digest", pa.string()),
        ("manifest", pa.string()),
    ]
)
"""What is written of each delivery, beside when it came."""


def tables(
    dialect: Dialect, schema: str | None, name: str, parcel: Parcel, collation: str = ""
) -> tuple[Table, Table]:
    """The inbox of a parcel, and the table of all deliveries beside it.

    Args:
        dialect: of their database.
        schema: of both tables; None: the login's own.
        name: of the inbox's table.
        parcel: schema and key.
        collation: of new tables, where the dialect says one (`Dialect.collation`).
    """
    shape = dialect.shape(collation)
    short, number = (dialect.column_type(kind, keyed=True) for kind in (pa.string(), pa.int64()))
    long = dialect.column_type(pa.string(), keyed=False)
    metadata = MetaData(schema=schema)
    columns: list[Column[Any]] = [
        Column(
            f.name,
            dialect.column_type(f.type, keyed=f.name in parcel.key),
            primary_key=f.name in parcel.key,
            autoincrement=False,
        )
        for f in parcel.schema
    ]
    own, came = REMARKS
    extra: list[Column[Any]] = [Column(own, short), Column(came, dialect.remark())]
    inbox = Table(name, metadata, *columns, *extra, **shape)
    deliveries = Table(
        DELIVERIES,
        metadata,
        Column("delivery_id", short, primary_key=True),
        Column("agreement", short),
        Column("rows", number),
        Column("digest", short),
        Column("manifest", long),
        Column("received_at", dialect.remark()),
        **shape,
    )
    return inbox, deliveries


def stored(batch: pa.RecordBatch, dialect: Dialect) -> pa.RecordBatch:
    """A batch, its columns as the database stores them.

    Args:
        batch: as it leaves.
        dialect: of the inbox.
    """
    return dialect.stored(batch)
