"""Delivering into a table: looked at, upserted by key, the whole parcel in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    Connection,
    Engine,
    String,
    Table,
    and_,
    delete,
    insert,
    inspect,
    select,
)
from sqlalchemy.schema import CreateSchema

from connectors.sql import dialects, inbox_fit
from connectors.sql.dialects.base import Dialect
from connectors.sql.inbox_fit import Inbox
from connectors.sql.inbox_proof import KeyValues, Proof, Record
from connectors.sql.inbox_session import inbox_engine
from connectors.sql.inbox_tables import DELIVERY_SCHEMA, stored, tables
from onecard.base.connections import Connection as System
from onecard.base.times import ZONE
from onecard.errors import ConfigError, ProtocolError
from onecard.model.treated import TextShape
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

    Raises:
        ConfigError: the table would not keep what is sent; nothing was sent.
        ProtocolError: the table does not hold what was sent; nothing was kept.
    """
    with inbox_engine(system) as engine, engine.connect() as connection:
        inbox, deliveries = _looked_at(dialects.of(system), connection, (schema, name), parcel)
        connection.commit()
        with connection.begin() as transaction:
            sending = _Sending(inbox, parcel)
            deleted, rows = sending.drop(), sending.upsert()
            digest = sending.digest
            already = _already(connection, deliveries, parcel.delivery_id, digest)
            if already:
                transaction.rollback()
            else:
                told: dict[str, Any] = {"rows": rows, "digest": digest}
                if parcel.deletes is not None:
                    told["deletes"] = {"rows": deleted}
                sending.prove()
                _manifest(inbox, deliveries, parcel, told)
                parcel.leave(rows)  # right before the commit: until then nothing is there
    return Sent(rows, 1, int(already), digest, deleted)


@dataclass(frozen=True, slots=True)
class There:
    """What is known of an inbox before it is read back.

    Attributes:
        there: it has its table.
        blank_is_null: its database keeps '' as NULL.
    """

    there: bool
    blank_is_null: bool


def there(system: System, schema: str | None, name: str) -> There:
    """Whether the inbox has its table.

    Args:
        system: connection of the inbox.
        schema: of the table; None: the login's own.
        name: of the table.
    """
    dialect = dialects.of(system)
    with inbox_engine(system) as engine, engine.connect() as connection:
        found = dialect.look(connection, schema, name) is not None
        return There(found, dialect.blank_is_null(connection))


def _looked_at(
    dialect: Dialect, connection: Connection, place: tuple[str | None, str], parcel: Parcel
) -> tuple[Inbox, Table]:
    """The inbox and its table of deliveries; what is absent is made, what is there must fit.

    A login without the right to create works where it is all there.

    Args:
        dialect: of the inbox.
        connection: a session of it.
        place: schema and table.
        parcel: that is sent.
    """
    schema, name = place
    inbox, deliveries = tables(dialect, schema, name, parcel)
    _names_fit(connection, inbox)
    seen = [dialect.look(connection, schema, table.name) for table in (inbox, deliveries)]
    if None in seen:
        made = tables(dialect, schema, name, parcel, dialect.collation(connection))
        connection.commit()
        _create(dialect, connection.engine, schema, made[0])
        seen = [dialect.look(connection, schema, table.name) for table in made]
    found, log = seen
    if found is None or log is None:
        msg = f"the inbox {inbox.fullname} was made and is not there"
        raise ConfigError(msg)
    plain = TextShape(len(parcel.delivery_id), None, ascii=True, distinct=True)
    texts = {**parcel.texts, "delivery_id": plain}
    blank = dialect.blank_is_null(connection)
    looked = Inbox(dialect, connection, inbox, found, blank)
    inbox_fit.check(looked, parcel.schema, texts)
    agreement = TextShape(len(parcel.agreement), None, ascii=True, distinct=True)
    known = {"delivery_id": plain, "agreement": agreement, "digest": TextShape(64, 64, ascii=True)}
    told = Inbox(dialect, connection, deliveries, log, blank)
    inbox_fit.check(told, DELIVERY_SCHEMA, known)
    _alone(connection, inbox, deliveries, parcel.agreement)
    return looked, deliveries


def _names_fit(connection: Connection, inbox: Table) -> None:
    """Refuse a name that the database would cut or not take."""
    most = connection.dialect.max_identifier_length
    long = [n for n in (inbox.name, *inbox.columns.keys()) if len(n) > most]
    if long:
        msg = (
            f"the inbox {inbox.fullname}: {', '.join(long)}: names of this database have at most"
            f" {most} characters; nothing was sent"
        )
        raise ConfigError(msg)


def _create(dialect: Dialect, engine: Engine, schema: str | None, inbox: Table) -> None:
    """Make what is absent."""
    if schema and dialect.makes_schemas and not inspect(engine).has_schema(schema):
        with engine.begin() as connection:
            connection.execute(CreateSchema(schema, if_not_exists=True))
    inbox.metadata.create_all(engine)


def _alone(connection: Connection, inbox: Table, deliveries: Table, agreement: str) -> None:
    """Refuse a table with rows of another agreement: each would replace the other's."""
    some = connection.execute(select(inbox.c.delivery_id).limit(1)).scalar()
    wanted = deliveries.c.delivery_id == some
    other = some and connection.execute(select(deliveries.c.agreement).where(wanted)).scalar()
    if other and other != agreement:
        msg = (
            f"the inbox {inbox.fullname} holds rows of {other}; give each agreement a table of its"
            " own, or empty this one; nothing was sent"
        )
        raise ConfigError(msg)


class _Sending:
    """One parcel on its way into one table, in one transaction."""

    def __init__(self, inbox: Inbox, parcel: Parcel) -> None:
        self._dialect, self._connection = inbox.dialect, inbox.database
        self._inbox, self._parcel = inbox.wanted, parcel
        self._limits = inbox_fit.Limits(inbox, parcel.schema, parcel.texts)
        self._proof = Proof(inbox, parcel.schema, parcel.key)
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of what was sent so far."""
        return self._digest.hexdigest()

    def drop(self) -> int:
        """Delete the rows of the parcel's deletes; returns how many keys there were."""
        number = 0
        for records in self._records(self._parcel.deletes or iter(()), b"-"):
            gone = [self._key(record) for record in records]
            self._delete(gone)
            self._proof.dropped(gone)
            number += len(records)
        return number

    def upsert(self) -> int:
        """Delete rows of the same keys, insert the new ones; returns how many rows there were."""
        now = datetime.now(ZONE).replace(tzinfo=None, microsecond=0)
        remarks = {"delivery_id": self._parcel.delivery_id, "received_at": now}
        rows = 0
        for records in self._records(self._parcel.batches, b""):
            latest = {self._key(record): record for record in records}
            self._delete(list(latest))
            done = self._connection.execute(
                insert(self._inbox),
                [{**record, **remarks} for record in latest.values()],
                execution_options={"preserve_rowcount": True},
            )
            self._proof.stored(latest, done.rowcount)
            rows += len(records)
        return rows

    def prove(self) -> None:
        """Read some of what was sent back; raises as `Proof.whole`."""
        self._proof.whole()

    def _records(self, batches: Iterator[pa.RecordBatch], mark: bytes) -> Iterator[list[Record]]:
        """Rows as the database stores them, so many at a time."""
        for batch in batches:
            self._limits.check(batch)
            for start in range(0, batch.num_rows, AT_ONCE):
                part = stored(batch.slice(start, AT_ONCE), self._dialect)
                records: list[Record] = part.to_pylist()
                for record in records:  # one line a row: the same digest however they are batched
                    self._digest.update(mark + _line(record))
                yield records

    def _key(self, record: Record) -> KeyValues:
        return tuple(record[name] for name in self._parcel.key)

    def _delete(self, keys: list[KeyValues]) -> None:
        """Delete these keys and no others, also where the collation pads with blanks."""
        columns = [self._inbox.c[name] for name in self._parcel.key]
        texts = [i for i, c in enumerate(columns) if isinstance(c.type, String)]
        size = self._dialect.at_most // (2 * len(columns))
        for start in range(0, len(keys), size):
            some = keys[start : start + size]
            wanted = self._dialect.matches(columns, some)
            if self._limits.padded:
                written = [tuple(key[i] for i in texts) for key in some]
                exact = self._dialect.exact([columns[i] for i in texts], written)
                wanted = and_(wanted, exact)
            self._connection.execute(delete(self._inbox).where(wanted))


def _line(record: Record) -> bytes:
    return json.dumps(record, default=str, ensure_ascii=False).encode() + b"\n"


def _already(connection: Connection, deliveries: Table, delivery: str, digest: str) -> bool:
    found = connection.execute(
        select(deliveries.c.digest).where(deliveries.c.delivery_id == delivery)
    ).scalar_one_or_none()
    return bool(found == digest)


def _manifest(inbox: Inbox, deliveries: Table, parcel: Parcel, sent: dict[str, Any]) -> None:
    connection, digest = inbox.database, sent["digest"]
    manifest = parcel.sign({**parcel.manifest, "deliveryId": parcel.delivery_id, **sent})
    connection.execute(delete(deliveries).where(deliveries.c.delivery_id == parcel.delivery_id))
    done = connection.execute(
        insert(deliveries),
        {
            "delivery_id": parcel.delivery_id,
            "agreement": parcel.agreement,
            "rows": sent["rows"],
            "digest": digest,
            "manifest": json.dumps(manifest, ensure_ascii=False),
            "received_at": datetime.now(ZONE).replace(tzinfo=None, microsecond=0),
        },
        execution_options={"preserve_rowcount": True},
    )
    if inbox.dialect.counts:
        is_there = done.rowcount == 1
    else:
        is_there = _already(connection, deliveries, parcel.delivery_id, digest)
    if not is_there:
        msg = f"the manifest was not stored in {deliveries.fullname}; nothing was kept"
        raise ProtocolError(msg)
