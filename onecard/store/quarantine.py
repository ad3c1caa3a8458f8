"""Quarantine: rejected rows, encrypted, with their reasons, until fixed or expired.

A row is one record however often it is read again: its fingerprint is a keyed hash of dataset
and values. The payload is sealed by the suite (AES-256-GCM or SM4-GCM) under the quarantine key;
dataset and fingerprint are its associated data, so that a payload cannot be moved to another
record. It was last seen at its transfer's time by the hub's clock, and lives for
`Settings.quarantine_days` after that; `purge` then drops its payload.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import sql

from onecard.crypto import suites
from onecard.crypto.keys import Key, KeyStore
from onecard.crypto.suites import Suite
from onecard.errors import ConfigError
from onecard.ports.row_gate import Rejected
from onecard.store.database import Connection, query
from schemas.models.agreement import Agreement

_COLUMNS = (
    "id, dataset, origin, row_number, reasons, first_seen, last_seen, agreement, status, expires_at"
)


@dataclass(frozen=True, slots=True)
class Record:
    """One quarantined row without its values."""

    id: int
    dataset: str
    origin: str
    row_number: int
    reasons: tuple[tuple[str, str], ...]
    first_seen: datetime
    last_seen: datetime
    agreement: str | None = None
    status: str = "held"
    expires_at: datetime | None = None


def seal(dataset: str, origin: str, row: Rejected, by: tuple[Key, Suite]) -> tuple[Any, ...]:
    """One rejected row as stored: fingerprint, origin, number, reasons, payload, epoch, suite."""
    return _sealed((dataset, _identity(dataset, origin, row)), origin, row, by)


def fingerprint(dataset: str, origin: str, row: Rejected, key: Key) -> bytes:
    """By which a rejected row of a source is known again; that of `seal`."""
    return _fingerprint(_identity(dataset, origin, row), key)


def _identity(dataset: str, origin: str, row: Rejected) -> str:
    """Its values; of a record that could not be split, its place."""
    known = _text(row) if row.values else f"{origin}#{row.number}"
    return f"{dataset}|{known}"


def seal_held(
    agreement: Agreement, key_text: str, row: Rejected, by: tuple[Key, Suite]
) -> tuple[Any, ...]:
    """A row that the privacy gate kept back from a delivery, as `hold` stores it.

    Args:
        agreement: under which it would have left.
        key_text: the row's dataset key; a row is one record per agreement.
        row: as it would have left, and why it did not.
        by: quarantine key and suite.
    """
    place = (agreement.dataset, _known(agreement, key_text))
    return _sealed(place, f"delivery {agreement.id}", row, by)


def _sealed(
    place: tuple[str, str], origin: str, row: Rejected, by: tuple[Key, Suite]
) -> tuple[Any, ...]:
    (dataset, known), (key, suite) = place, by
    fingerprint = _fingerprint(known, key)
    reasons = json.dumps([[r.field, r.rule] for r in row.reasons])
    content = _text(row).encode("utf-8", "surrogatepass")
    payload = suite.seal(key.secret, content, dataset.encode() + fingerprint)
    return fingerprint, origin, row.number, reasons, payload, key.epoch, suite.name


def _text(row: Rejected) -> str:
    return json.dumps(row.values, ensure_ascii=False, sort_keys=True)


def _known(agreement: Agreement, key_text: str) -> str:
    return f"{agreement.id}|{key_text}"


def _fingerprint(known: str, key: Key) -> bytes:
    return hmac.digest(key.secret, known.encode("utf-8", "surrogatepass"), "sha256")


def released(
    connection: Connection, agreement: Agreement, key_texts: Iterable[str], key: Key
) -> set[str]:
    """Those of some rows, by their dataset keys, that a person let pass under an agreement."""
    prints = {_fingerprint(_known(agreement, text), key): text for text in key_texts}
    rows = connection.execute(
        "SELECT fingerprint FROM quarantine.record WHERE agreement = %s AND status = 'released'"
        " AND fingerprint = ANY(%s)",
        (agreement.id, list(prints)),
    ).fetchall()
    return {prints[bytes(row[0])] for row in rows if isinstance(row[0], bytes)}


def hold(
    connection: Connection,
    agreement: Agreement,
    transfer: int,
    rows: Iterable[tuple[Any, ...]],
    keep: timedelta,
) -> None:
    """Keep rows that the privacy gate found fault with, until a person decides, or for `keep`."""
    statement = (
        "INSERT INTO quarantine.record (dataset, agreement, first_transfer, last_transfer,"
        " first_seen, last_seen, expires_at, fingerprint, origin, row_number, reasons, payload,"
        " key_epoch, suite) SELECT %s, %s, id, id, hub_time, hub_time, hub_time + %s, %s, %s, %s,"
        " %s::jsonb, %s, %s, %s FROM ledger.transfer WHERE id = %s"
        " ON CONFLICT (dataset, fingerprint) DO UPDATE SET last_seen = excluded.last_seen,"
        " last_transfer = excluded.last_transfer, reasons = excluded.reasons,"
        " payload = excluded.payload, status = 'held', expires_at = excluded.expires_at"
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            statement, [(agreement.dataset, agreement.id, keep, *row, transfer) for row in rows]
        )


def append(connection: Connection, table: sql.Identifier, rows: Iterable[tuple[Any, ...]]) -> None:
    """COPY sealed rows into a transfer's own table of rejected rows."""
    copy = query(
        "COPY {t} (fingerprint, origin, row_number, reasons, payload, key_epoch, suite) FROM STDIN",
        t=table,
    )
    with connection.cursor() as cursor, cursor.copy(copy) as target:
        for row in rows:
            target.write_row(row)


def absorb(
    connection: Connection, table: sql.Identifier, dataset: str, transfer: int, keep: timedelta
) -> None:
    """Move a transfer's rejected rows into the quarantine; a row seen before is seen again.

    Args:
        connection: in the transaction that publishes.
        table: the transfer's own table of rejected rows.
        dataset: whose rows they are.
        transfer: that saw them.
        keep: how long they are kept after this.
    """
    connection.execute(
        query(
            "INSERT INTO quarantine.record (dataset, fingerprint, origin, row_number, reasons,"
            " payload, key_epoch, suite, first_transfer, last_transfer, first_seen, last_seen,"
            " expires_at)"
            " SELECT DISTINCT ON (fingerprint) {dataset}, fingerprint, origin, row_number, reasons,"
            " payload, key_epoch, suite, id, id, hub_time, hub_time, hub_time + {keep}"
            " FROM {t}, ledger.transfer WHERE id = {transfer}"
            " ON CONFLICT (dataset, fingerprint) DO UPDATE SET last_seen = excluded.last_seen,"
            " last_transfer = excluded.last_transfer, reasons = excluded.reasons,"
            " payload = excluded.payload, key_epoch = excluded.key_epoch, suite = excluded.suite,"
            " expires_at = excluded.expires_at, status = 'held'",
            dataset=sql.Literal(dataset),
            keep=sql.Literal(keep),
            transfer=sql.Literal(transfer),
            t=table,
        )
    )


def records(
    connection: Connection, dataset: str | None = None, limit: int | None = None
) -> list[Record]:
    """Quarantined rows that are held, without values, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM quarantine.record"  # noqa: S608 - our own column names
        " WHERE dataset = coalesce(%s, dataset) AND status = 'held' ORDER BY id LIMIT %s".encode(),
        (dataset, limit),
    ).fetchall()
    return [_record(row) for row in rows]


def reveal(
    connection: Connection, record: int, keys: KeyStore
) -> tuple[Record, dict[str, str | None]]:
    """One quarantined row with its values in clear, for masking or for repair.

    Raises:
        ConfigError: no such record, or its payload is purged.
        PolicyError: the key of its epoch is missing, or the payload was tampered with.
    """
    statement = f"SELECT {_COLUMNS}, fingerprint, payload, key_epoch, suite"
    statement += " FROM quarantine.record WHERE id = %s"
    row: tuple[Any, ...] | None = connection.execute(statement.encode(), (record,)).fetchone()
    if row is None:
        msg = f"no quarantined row {record}; see `onecard quarantine list`"
        raise ConfigError(msg)
    if row[11] is None:
        msg = f"quarantined row {record} is {row[8]}; its values are gone"
        raise ConfigError(msg)
    found = _record(row[:10])
    fingerprint, payload, epoch, suite = row[10:]
    text = suites.suite(suite).unseal(
        keys.quarantine_of(epoch).secret,
        bytes(payload),
        found.dataset.encode() + bytes(fingerprint),
    )
    return found, json.loads(text.decode("utf-8", "surrogatepass"))


def opened(
    connection: Connection, dataset: str, keys: KeyStore
) -> Iterator[tuple[Record, dict[str, str | None]]]:
    """All of a dataset's held rows with their values; raises like `reveal`."""
    for record in records(connection, dataset):
        yield reveal(connection, record.id, keys)


def resolve(connection: Connection, record: int, status: str, actor: str) -> None:
    """End a record (`released`, `replayed`, `purged`); its payload goes."""
    connection.execute(
        "UPDATE quarantine.record SET status = %s, payload = NULL, resolved_by = %s,"
        " resolved_at = clock_timestamp() WHERE id = %s",
        (status, actor, record),
    )


def purge(connection: Connection, now: datetime, actor: str) -> int:
    """Drop the payloads of all records whose time has come; returns how many."""
    done = connection.execute(
        "UPDATE quarantine.record SET status = 'purged', payload = NULL, resolved_by = %s,"
        " resolved_at = clock_timestamp() WHERE status = 'held' AND expires_at <= %s",
        (actor, now),
    )
    return done.rowcount


def _record(row: tuple[Any, ...]) -> Record:
    reasons = tuple((str(f), str(r)) for f, r in row[4])
    plain: tuple[Any, ...] = (*row[:4], reasons, *row[5:])
    return Record(*plain)
