"""Quarantine: rejected rows, encrypted, with their reasons, until fixed or expired.

A row is one record however often it is read again: its fingerprint is a keyed hash of dataset
and values. The payload is AES-256-GCM under the quarantine key; dataset and fingerprint are its
associated data, so that a payload cannot be moved to another record.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import sql

from onecard.errors import ConfigError, PolicyError
from onecard.hub.database import Connection, query
from onecard.keys import Key, KeyStore
from onecard.ports import Rejected

NONCE_BYTES = 12


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


def seal(dataset: str, origin: str, row: Rejected, key: Key) -> tuple[Any, ...]:
    """One rejected row as stored: fingerprint, origin, number, reasons, payload, key epoch."""
    text = json.dumps(row.values, ensure_ascii=False, sort_keys=True)
    known = text if row.values else f"{origin}#{row.number}"
    fingerprint = hmac.digest(
        key.secret, f"{dataset}|{known}".encode("utf-8", "surrogatepass"), "sha256"
    )
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(hashlib.sha256(key.secret).digest()).encrypt(
        nonce, text.encode("utf-8", "surrogatepass"), dataset.encode() + fingerprint
    )
    reasons = json.dumps([[r.field, r.rule] for r in row.reasons])
    return fingerprint, origin, row.number, reasons, nonce + sealed, key.epoch


def append(connection: Connection, table: sql.Identifier, rows: Iterable[tuple[Any, ...]]) -> None:
    """COPY sealed rows into a transfer's own table of rejected rows."""
    copy = query(
        "COPY {t} (fingerprint, origin, row_number, reasons, payload, key_epoch) FROM STDIN",
        t=table,
    )
    with connection.cursor() as cursor, cursor.copy(copy) as target:
        for row in rows:
            target.write_row(row)


def absorb(connection: Connection, table: sql.Identifier, dataset: str, transfer: int) -> None:
    """Move a transfer's rejected rows into the quarantine; a row seen before is seen again."""
    connection.execute(
        query(
            "INSERT INTO quarantine.record (dataset, fingerprint, origin, row_number, reasons,"
            " payload, key_epoch, first_transfer, last_transfer)"
            " SELECT DISTINCT ON (fingerprint) {dataset}, fingerprint, origin, row_number, reasons,"
            " payload, key_epoch, {transfer}, {transfer} FROM {t}"
            " ON CONFLICT (dataset, fingerprint) DO UPDATE SET last_seen = clock_timestamp(),"
            " last_transfer = excluded.last_transfer, reasons = excluded.reasons",
            dataset=sql.Literal(dataset),
            transfer=sql.Literal(transfer),
            t=table,
        )
    )


def records(
    connection: Connection, dataset: str | None = None, limit: int | None = None
) -> list[Record]:
    """Quarantined rows without values, oldest first."""
    rows = connection.execute(
        "SELECT id, dataset, origin, row_number, reasons, first_seen, last_seen"
        " FROM quarantine.record WHERE dataset = coalesce(%s, dataset) ORDER BY id LIMIT %s",
        (dataset, limit),
    ).fetchall()
    return [_record(row) for row in rows]


def reveal(
    connection: Connection, record: int, keys: KeyStore
) -> tuple[Record, dict[str, str | None]]:
    """One quarantined row with its values in clear, for masking or for repair.

    Raises:
        ConfigError: no such record.
        PolicyError: the key of its epoch is missing, or the payload was tampered with.
    """
    row = connection.execute(
        "SELECT id, dataset, origin, row_number, reasons, first_seen, last_seen, fingerprint,"
        " payload, key_epoch FROM quarantine.record WHERE id = %s",
        (record,),
    ).fetchone()
    if row is None:
        msg = f"no quarantined row {record}; see `onecard quarantine list`"
        raise ConfigError(msg)
    found = _record(row[:7])
    fingerprint, payload, epoch = bytes(row[7]), bytes(row[8]), str(row[9])  # type: ignore[call-overload]
    secret = hashlib.sha256(keys.quarantine_of(epoch).secret).digest()
    bound = found.dataset.encode() + fingerprint
    try:
        text = AESGCM(secret).decrypt(payload[:NONCE_BYTES], payload[NONCE_BYTES:], bound)
    except InvalidTag:
        msg = f"quarantined row {record} does not open: tampered with, or another key"
        raise PolicyError(msg) from None
    return found, json.loads(text.decode("utf-8", "surrogatepass"))


def opened(
    connection: Connection, dataset: str, keys: KeyStore
) -> Iterator[tuple[Record, dict[str, str | None]]]:
    """All of a dataset's quarantined rows with their values; raises like `reveal`."""
    for record in records(connection, dataset):
        yield reveal(connection, record.id, keys)


def _record(row: tuple[Any, ...]) -> Record:
    reasons = tuple((str(f), str(r)) for f, r in row[4])
    return Record(row[0], row[1], row[2], row[3], reasons, row[5], row[6])
