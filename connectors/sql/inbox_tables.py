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
    Connection,
    Date,
    DateTime,
    Double,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from connectors.common.wire_text import as_text
from connectors.sql.options import DELIVERIES
from onecard.base.times import OFFSET
from onecard.ports.sink import Parcel

REMARKS = ("delivery_id", "received_at")
"""Columns of an inbox beside the agreement's: the hub's own remarks on a row."""
KEY_LENGTH = 190
"""Characters of a text column in a key: MariaDB indexes at most 767 bytes of utf8mb4."""
EXACT = ("utf8mb4_nopad_bin", "utf8mb4_0900_bin")
"""Of MariaDB and of MySQL: keys differ when they differ. The usual collation holds 𠮷 and 𠮶, or a
and A, for equal; `utf8mb4_bin` still pads the shorter with blanks, so that `A` equals `A `."""
PADDING = "utf8mb4_bin"
"""Of servers older than those: a key with a blank at its end is refused there (`inbox_fit`)."""
_EXACT = text(
    "SELECT COLLATION_NAME FROM information_schema.COLLATIONS"
    " WHERE COLLATION_NAME IN (:mariadb, :mysql)"
)
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


def exact_collation(database: Connection) -> str:
    """The collation with which a MariaDB or MySQL tells every key from every other."""
    if database.dialect.name != "mysql":
        return PADDING
    mariadb, mysql_ = EXACT
    found = database.execute(_EXACT, {"mariadb": mariadb, "mysql": mysql_})
    return str(found.scalar() or PADDING)


def tables(
    schema: str | None, name: str, parcel: Parcel, collation: str = PADDING
) -> tuple[Table, Table]:
    """The inbox of a parcel, and the table of all deliveries beside it.

    Args:
        schema: of both tables; None: the login's own.
        name: of the inbox's table.
        parcel: schema and key.
        collation: of new tables in MariaDB or MySQL (`exact_collation`).
    """
    shape: dict[str, Any] = {
        "mysql_engine": "InnoDB",
        "mysql_charset": "utf8mb4",
        "mysql_collate": collation,
    }
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
    own, came = REMARKS
    extra: list[Column[Any]] = [Column(own, String(KEY_LENGTH)), Column(came, DateTime())]
    inbox = Table(name, metadata, *columns, *extra, **shape)
    deliveries = Table(
        DELIVERIES,
        metadata,
        Column("delivery_id", String(KEY_LENGTH), primary_key=True),
        Column("agreement", String(KEY_LENGTH)),
        Column("rows", BigInteger()),
        Column("digest", String(64)),
        Column("manifest", _long()),
        Column("received_at", DateTime()),
        **shape,
    )
    return inbox, deliveries


def stored(batch: pa.RecordBatch, dialect: str) -> pa.RecordBatch:
    """A batch, its columns as the database stores them.

    Where its times have no zone, they are Beijing time; SQLite knows no exact decimals, so they
    are text there.
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
