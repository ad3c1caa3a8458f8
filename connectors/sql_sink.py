"""Delivering into a table: upsert by key, the whole parcel in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    DateTime,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    create_engine,
    delete,
    insert,
    select,
    tuple_,
)
from sqlalchemy.types import TypeEngine

from connectors.sql_url import engine_url
from connectors.wire_text import ZONE
from onecard.connections import Connection as System
from onecard.ports import Parcel, Sent

DELIVERIES = "onecard_delivery"
KEY_LENGTH = 190
"""Characters of a text column in a key: MariaDB indexes at most 767 bytes of utf8mb4."""


def send(system: System, schema: str | None, name: str, parcel: Parcel) -> Sent:
    """Upsert all rows and write the manifest; the same delivery with the same rows is a no-op."""
    engine = create_engine(engine_url(system))
    try:
        if schema:
            with engine.begin() as connection:
                connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        inbox, deliveries = _tables(schema, name, parcel)
        inbox.metadata.create_all(engine)
        with engine.begin() as connection:
            rows, digest = _upsert(connection, inbox, parcel)
            already = _already(connection, deliveries, parcel.delivery_id, digest)
            if already:
                connection.rollback()
            else:
                _manifest(connection, deliveries, parcel, (rows, digest))
    finally:
        engine.dispose()
    return Sent(rows, 1, int(already), digest)


def _tables(schema: str | None, name: str, parcel: Parcel) -> tuple[Table, Table]:
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
    inbox = Table(name, metadata, *columns, *extra)
    deliveries = Table(
        DELIVERIES,
        metadata,
        Column("delivery_id", String(KEY_LENGTH), primary_key=True),
        Column("agreement", String(KEY_LENGTH)),
        Column("rows", BigInteger()),
        Column("digest", String(64)),
        Column("manifest", Text()),
        Column("received_at", DateTime()),
    )
    return inbox, deliveries


def _kind(kind: pa.DataType, *, keyed: bool) -> TypeEngine[Any]:
    if pa.types.is_decimal(kind):
        return Numeric(kind.precision, kind.scale)
    if pa.types.is_integer(kind):
        return BigInteger()
    if pa.types.is_date(kind):
        return Date()
    if pa.types.is_timestamp(kind):
        return DateTime(timezone=True)
    return String(KEY_LENGTH) if keyed else Text()


def _upsert(connection: Connection, inbox: Table, parcel: Parcel) -> tuple[int, str]:
    """Delete rows of the same keys, insert the new ones; returns (rows, SHA-256 of the rows)."""
    digest, rows = hashlib.sha256(), 0
    now = datetime.now(UTC).replace(tzinfo=None)
    keys = tuple_(*(inbox.c[name] for name in parcel.key))
    for batch in _small(parcel.batches):
        records = _local(batch, connection.dialect.name).to_pylist()
        digest.update(json.dumps(records, default=str, ensure_ascii=False).encode())
        latest = {tuple(r[name] for name in parcel.key): r for r in records}
        connection.execute(delete(inbox).where(keys.in_(list(latest))))
        connection.execute(
            insert(inbox),
            [{**r, "delivery_id": parcel.delivery_id, "received_at": now} for r in latest.values()],
        )
        rows += len(records)
    return rows, digest.hexdigest()


def _local(batch: pa.RecordBatch, dialect: str) -> pa.RecordBatch:
    """Where the database's times have no zone, they are written as Asia/Shanghai local times."""
    if dialect == "postgresql":
        return batch
    columns = [
        pc.local_timestamp(c.cast(pa.timestamp("us", ZONE))) if pa.types.is_timestamp(c.type) else c
        for c in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _small(batches: Iterator[pa.RecordBatch], size: int = 500) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, size):
            yield batch.slice(start, size)


def _already(connection: Connection, deliveries: Table, delivery: str, digest: str) -> bool:
    found = connection.execute(
        select(deliveries.c.digest).where(deliveries.c.delivery_id == delivery)
    ).scalar_one_or_none()
    return bool(found == digest)


def _manifest(
    connection: Connection, deliveries: Table, parcel: Parcel, sent: tuple[int, str]
) -> None:
    connection.execute(delete(deliveries).where(deliveries.c.delivery_id == parcel.delivery_id))
    connection.execute(
        insert(deliveries),
        {
            "delivery_id": parcel.delivery_id,
            "agreement": parcel.agreement,
            "rows": sent[0],
            "digest": sent[1],
            "manifest": json.dumps(dict(parcel.manifest), ensure_ascii=False),
            "received_at": datetime.now(UTC).replace(tzinfo=None),
        },
    )
