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
    event,
    insert,
    inspect,
    select,
    tuple_,
)
from sqlalchemy.schema import CreateSchema

from connectors.sql.inbox_tables import stored, tables
from connectors.sql.url import engine_url
from onecard.base.connections import Connection as System
from onecard.base.timeouts import BoundedConnection
from onecard.ports.sink import Parcel, Sent

AT_ONCE = 500
"""Rows of one statement."""


def send(system: System, schema: str | None, name: str, parcel: Parcel) -> Sent:
    """Drop and upsert rows and write the manifest; the same delivery again is a no-op.

    Args:
        system: connection of the inbox.
        schema: of the table; None: the login's own.
        name: of the table.
        parcel: delivery id, schema, key, rows and deletes as Arrow batches.
    """
    engine = create_engine(engine_url(system))
    if engine.dialect.name == "postgresql":
        event.listen(engine, "do_connect", _patient)
    try:
        inbox, deliveries = tables(schema, name, parcel)
        _create(engine, schema, inbox)
        with engine.connect() as connection, connection.begin() as transaction:
            found = hashlib.sha256()
            deleted = _drop(connection, inbox, parcel, found)
            rows = _upsert(connection, inbox, parcel, found)
            digest = found.hexdigest()
            already = _already(connection, deliveries, parcel.delivery_id, digest)
            if already:
                transaction.rollback()
            else:
                told = {} if parcel.deletes is None else {"deletes": {"rows": deleted}}
                _manifest(connection, deliveries, parcel, {"rows": rows, "digest": digest, **told})
                parcel.leave()  # right before the commit: until then the receiver has nothing
    finally:
        engine.dispose()
    return Sent(rows, 1, int(already), digest, deleted)


def there(system: System, schema: str | None, name: str) -> bool:
    """Whether the inbox has its table.

    Args:
        system: connection of the inbox.
        schema: of the table; None: the login's own.
        name: of the table.
    """
    engine = create_engine(engine_url(system))
    try:
        return inspect(engine).has_table(name, schema=schema)
    finally:
        engine.dispose()


def _patient(
    _dialect: object, _record: object, arguments: list[Any], named: dict[str, Any]
) -> BoundedConnection:
    """SQLAlchemy's sessions give up on a silent server, too; MariaDB's driver does by itself."""
    return BoundedConnection.connect(*arguments, **named)


def _create(engine: Engine, schema: str | None, inbox: Table) -> None:
    """Make what is absent; a login without the right to create works where it is all there."""
    if schema and engine.dialect.name != "sqlite" and not inspect(engine).has_schema(schema):
        with engine.begin() as connection:
            connection.execute(CreateSchema(schema, if_not_exists=True))
    inbox.metadata.create_all(engine)


def _drop(connection: Connection, inbox: Table, parcel: Parcel, digest: Any) -> int:  # noqa: ANN401 - hashlib's
    """Delete the rows of the parcel's deletes; returns how many keys there were."""
    keys, number = tuple_(*(inbox.c[name] for name in parcel.key)), 0
    for batch in _small(parcel.deletes or iter(())):
        records: list[dict[str, Any]] = stored(batch, connection.dialect.name).to_pylist()
        for record in records:
            digest.update(b"-" + _line(record))
        gone = [tuple(record[name] for name in parcel.key) for record in records]
        connection.execute(delete(inbox).where(keys.in_(gone)))
        number += len(records)
    return number


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, default=str, ensure_ascii=False).encode() + b"\n"


def _upsert(connection: Connection, inbox: Table, parcel: Parcel, digest: Any) -> int:  # noqa: ANN401 - hashlib's
    """Delete rows of the same keys, insert the new ones; returns how many rows there were."""
    rows = 0
    now = datetime.now(UTC).replace(tzinfo=None)
    keys = tuple_(*(inbox.c[name] for name in parcel.key))
    for batch in _small(parcel.batches):
        records: list[dict[str, Any]] = stored(batch, connection.dialect.name).to_pylist()
        for record in records:  # one line a row: the same digest however the rows are batched
            digest.update(_line(record))
        latest = {tuple(r[name] for name in parcel.key): r for r in records}
        connection.execute(delete(inbox).where(keys.in_(list(latest))))
        connection.execute(
            insert(inbox),
            [{**r, "delivery_id": parcel.delivery_id, "received_at": now} for r in latest.values()],
        )
        rows += len(records)
    return rows


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
    connection: Connection, deliveries: Table, parcel: Parcel, sent: dict[str, Any]
) -> None:
    manifest = parcel.sign({**parcel.manifest, "deliveryId": parcel.delivery_id, **sent})
    connection.execute(delete(deliveries).where(deliveries.c.delivery_id == parcel.delivery_id))
    connection.execute(
        insert(deliveries),
        {
            "delivery_id": parcel.delivery_id,
            "agreement": parcel.agreement,
            "rows": sent["rows"],
            "digest": sent["digest"],
            "manifest": json.dumps(manifest, ensure_ascii=False),
            "received_at": datetime.now(UTC).replace(tzinfo=None),
        },
    )
