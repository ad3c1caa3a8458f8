"""Delivering into a table: upsert by key, the whole parcel in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    Connection,
    Engine,
    Table,
    create_engine,
    delete,
    insert,
    inspect,
    select,
    tuple_,
)
from sqlalchemy.schema import CreateSchema

from connectors.sql_inbox import stored, tables
from connectors.sql_url import engine_url
from onecard.connections import Connection as System
from onecard.ports import Parcel, Sent

AT_ONCE = 500
"""Rows of one statement."""


def send(system: System, schema: str | None, name: str, parcel: Parcel) -> Sent:
    """Upsert all rows and write the manifest; the same delivery with the same rows is a no-op."""
    engine = create_engine(engine_url(system))
    try:
        inbox, deliveries = tables(schema, name, parcel)
        _create(engine, schema, inbox)
        with engine.connect() as connection, connection.begin() as transaction:
            rows, digest = _upsert(connection, inbox, parcel)
            already = _already(connection, deliveries, parcel.delivery_id, digest)
            if already:
                transaction.rollback()
            else:
                _manifest(connection, deliveries, parcel, (rows, digest))
                parcel.leave()  # right before the commit: until then the receiver has nothing
    finally:
        engine.dispose()
    return Sent(rows, 1, int(already), digest)


def there(system: System, schema: str | None, name: str) -> bool:
    """Whether the inbox has its table."""
    engine = create_engine(engine_url(system))
    try:
        return inspect(engine).has_table(name, schema=schema)
    finally:
        engine.dispose()


def _create(engine: Engine, schema: str | None, inbox: Table) -> None:
    """Make what is absent; a login without the right to create works where it is all there."""
    if schema and engine.dialect.name != "sqlite" and not inspect(engine).has_schema(schema):
        with engine.begin() as connection:
            connection.execute(CreateSchema(schema, if_not_exists=True))
    inbox.metadata.create_all(engine)


def _upsert(connection: Connection, inbox: Table, parcel: Parcel) -> tuple[int, str]:
    """Delete rows of the same keys, insert the new ones; returns (rows, SHA-256 of the rows)."""
    digest, rows = hashlib.sha256(), 0
    now = datetime.now(UTC).replace(tzinfo=None)
    keys = tuple_(*(inbox.c[name] for name in parcel.key))
    for batch in _small(parcel.batches):
        records: list[dict[str, Any]] = stored(batch, connection.dialect.name).to_pylist()
        for record in records:  # one line a row: the same digest however the rows are batched
            digest.update(json.dumps(record, default=str, ensure_ascii=False).encode() + b"\n")
        latest = {tuple(r[name] for name in parcel.key): r for r in records}
        connection.execute(delete(inbox).where(keys.in_(list(latest))))
        connection.execute(
            insert(inbox),
            [{**r, "delivery_id": parcel.delivery_id, "received_at": now} for r in latest.values()],
        )
        rows += len(records)
    return rows, digest.hexdigest()


def _small(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, AT_ONCE):
            yield batch.slice(start, AT_ONCE)


def _already(connection: Connection, deliveries: Table, delivery: str, digest: str) -> bool:
    found = connection.execute(
        select(deliveries.c.digest).where(deliveries.c.delivery_id == delivery)
    ).scalar_one_or_none()
    return bool(found == digest)


def _manifest(
    connection: Connection, deliveries: Table, parcel: Parcel, sent: tuple[int, str]
) -> None:
    rows, digest = sent
    manifest = parcel.sign(
        {**parcel.manifest, "deliveryId": parcel.delivery_id, "rows": rows, "digest": digest}
    )
    connection.execute(delete(deliveries).where(deliveries.c.delivery_id == parcel.delivery_id))
    connection.execute(
        insert(deliveries),
        {
            "delivery_id": parcel.delivery_id,
            "agreement": parcel.agreement,
            "rows": rows,
            "digest": digest,
            "manifest": json.dumps(manifest, ensure_ascii=False),
            "received_at": datetime.now(UTC).replace(tzinfo=None),
        },
    )
