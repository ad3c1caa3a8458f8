"""Tables of an inbox, with types that keep every value exactly as it was sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from connectors.common.wire_text import as_text
from onecard.base.times import OFFSET
from onecard.ports.sink import Parcel

DELIVERIES = "onecard_delivery"
KEY_LENGTH = 190
"""Characters of a text column in a key: MariaDB indexes at most 767 bytes of utf8mb4."""
MARIADB: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
"""Transactions, and keys that differ when they differ: the usual collation holds 𠮷 and 𠮶, or a
and A, for equal."""


def tables(schema: str | None, name: str, parcel: Parcel) -> tuple[Table, Table]:
    """The inbox of a parcel, and the table of all deliveries beside it.

    Args:
        schema: of both tables; None: the login's own.
        name: of the inbox's table.
        parcel: schema and key.
    """
    metadata = MetaData(schema=schema)
    columns: list[Column[Any]] = [
        Column(
            f.name,
            _kind(f.type, keyed=f.name in parcel.key),
            primary_key=f.name in parcel.key,
            autoincrement=False,
        )
        for f in parcel.schema
    ]
    extra: list[Column[Any]] = [
        Column("delivery_id", String(KEY_LENGTH)),
        Column("received_at", DateTime()),
    ]
    inbox = Table(name, metadata, *columns, *extra, **MARIADB)
    deliveries = Table(
        DELIVERIES,
        metadata,
        Column("delivery_id", String(KEY_LENGTH), primary_key=True),
        Column("agreement", String(KEY_LENGTH)),
        Column("rows", BigInteger()),
        Column("digest", String(64)),
        Column("manifest", _long()),
        Column("received_at", DateTime()),
        **MARIADB,
    )
    return inbox, deliveries


def stored(batch: pa.RecordBatch, dialect: str) -> pa.RecordBatch:
    """A batch, its columns as the database stores them.

    Where its times have no zone, they are Asia/Shanghai local times; SQLite knows no exact
    decimals, so they are text there.
    """
    if dialect == "postgresql":
        return batch
    columns = [_stored(column, dialect) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _stored(column: pa.Array, dialect: str) -> pa.Array:
    if pa.types.is_timestamp(column.type) and column.type.tz:
        return pc.local_timestamp(column.cast(pa.timestamp("us", OFFSET)))
    if pa.types.is_decimal(column.type) and dialect == "sqlite":
        return as_text(column)
    return column


_TYPES: tuple[tuple[Callable[[pa.DataType], bool], type[TypeEngine[Any]]], ...] = (
    (pa.types.is_integer, BigInteger),
    (pa.types.is_floating, Double),
    (pa.types.is_boolean, Boolean),
    (pa.types.is_date, Date),
)


def _kind(kind: pa.DataType, *, keyed: bool) -> TypeEngine[Any]:
    if pa.types.is_decimal(kind):
        return Numeric(kind.precision, kind.scale).with_variant(String(), "sqlite")
    if pa.types.is_timestamp(kind):
        return DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql")
    for test, found in _TYPES:
        if test(kind):
            return found()
    return String(KEY_LENGTH) if keyed else _long()


def _long() -> TypeEngine[Any]:
    """Text of any length: MariaDB's TEXT ends at 64 KB."""
    return Text().with_variant(mysql.LONGTEXT(), "mysql")
