"""Quarantine: rejected rows, encrypted, with their reasons, until fixed or expired.

A row is one record however often it is read again (`onecard.store.sealing`). It was last seen at
its transfer's time by the hub's clock, and lives for `Settings.quarantine_days` after that; `purge`
then drops its payload.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from onecard.crypto import suites
from onecard.crypto.keys import Key, KeyStore
from onecard.errors import ConfigError, UsageError
from onecard.store.database import Connection, fetch_all, fetch_one, scalars
from onecard.store.sealing import held_fingerprint
from schemas.models.agreement import Agreement

_COLUMNS: LiteralString = (
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


def released(
    connection: Connection, agreement: Agreement, key_texts: Iterable[str], key: Key
) -> set[str]:
    """Those of some rows, by their dataset keys, that a person let pass under an agreement.

    Args:
        connection: of the hub's database.
        agreement: under which they would leave.
        key_texts: the rows' dataset keys.
        key: the quarantine key.
    """
    prints = {held_fingerprint(agreement, text, key): text for text in key_texts}
    found = scalars(
        connection,
        bytes,
        "SELECT fingerprint FROM quarantine.record WHERE agreement = %s AND status = 'released'"
        " AND fingerprint = ANY(%s)",
        (agreement.id, list(prints)),
    )
    return {prints[fingerprint] for fingerprint in found}


def records(
    connection: Connection, dataset: str | None = None, limit: int | None = None
) -> list[Record]:
    """Quarantined rows that are held, without values, oldest first.

    Args:
        connection: of the hub's database.
        dataset: whose rows; None: of all.
        limit: at most so many; None: all.
    """
    return fetch_all(
        connection,
        _record,
        "SELECT "
        + _COLUMNS
        + " FROM quarantine.record WHERE dataset = coalesce(%s, dataset) AND status = 'held'"
        " ORDER BY id LIMIT %s",
        (dataset, limit),
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """A record and what is sealed of it; `payload` is None when it was purged or resolved."""

    record: Record
    fingerprint: bytes
    payload: bytes | None
    key_epoch: str
    suite: str


def reveal(
    connection: Connection, record: int, keys: KeyStore
) -> tuple[Record, dict[str, str | None]]:
    """One quarantined row with its values in clear, for masking or for repair.

    Args:
        connection: of the hub's database.
        record: its id.
        keys: hold the quarantine key of its epoch.

    Raises:
        ConfigError: no such record, or its payload is purged.
        PolicyError: the key of its epoch is missing, or the payload was tampered with.
    """
    kept = fetch_one(
        connection,
        _kept,
        "SELECT "
        + _COLUMNS
        + ", fingerprint, payload, key_epoch, suite FROM quarantine.record WHERE id = %s",
        (record,),
    )
    if kept is None:
        msg = f"no quarantined row {record}; see `onecard quarantine list`"
        raise UsageError(msg)
    if kept.payload is None:
        msg = f"quarantined row {record} is {kept.record.status}; its values are gone"
        raise ConfigError(msg)
    text = suites.suite(kept.suite).unseal(
        keys.quarantine_of(kept.key_epoch).secret,
        kept.payload,
        kept.record.dataset.encode() + kept.fingerprint,
    )
    return kept.record, json.loads(text.decode("utf-8", "surrogatepass"))


def opened(
    connection: Connection, dataset: str, keys: KeyStore
) -> Iterator[tuple[Record, dict[str, str | None]]]:
    """All of a dataset's held rows with their values; raises like `reveal`.

    Args:
        connection: of the hub's database.
        dataset: whose rows.
        keys: hold the quarantine keys.
    """
    for record in records(connection, dataset):
        yield reveal(connection, record.id, keys)


def resolve(connection: Connection, record: int, status: str, actor: str) -> None:
    """End a record; its payload goes.

    Args:
        connection: of the hub's database.
        record: its id.
        status: `released`, `replayed` or `purged`.
        actor: who ended it.
    """
    connection.execute(
        "UPDATE quarantine.record SET status = %s, payload = NULL, resolved_by = %s,"
        " resolved_at = clock_timestamp() WHERE id = %s",
        (status, actor, record),
    )


def purge(connection: Connection, now: datetime, actor: str) -> int:
    """Drop the payloads of all records whose time has come; returns how many.

    Args:
        connection: of the hub's database.
        now: the hub's time.
        actor: who asks.
    """
    done = connection.execute(
        "UPDATE quarantine.record SET status = 'purged', payload = NULL, resolved_by = %s,"
        " resolved_at = clock_timestamp() WHERE status = 'held' AND expires_at <= %s",
        (actor, now),
    )
    return done.rowcount


def _record(*, reasons: list[tuple[str, str]], **columns: Any) -> Record:  # noqa: ANN401
    """A row by its columns."""
    return Record(reasons=tuple((str(field), str(rule)) for field, rule in reasons), **columns)


def _kept(**columns: Any) -> _Kept:  # noqa: ANN401 - a row by its columns
    """A row by its columns, those of the payload among them."""
    sealed = {n: columns.pop(n) for n in ("fingerprint", "payload", "key_epoch", "suite")}
    return _Kept(_record(**columns), **sealed)
