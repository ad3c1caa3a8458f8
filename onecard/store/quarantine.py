"""Quarantine: rejected rows, encrypted, with their reasons, until fixed or expired.

A row is one record however often it is read again (`onecard.store.sealing`). It was last seen at
its transfer's time by the hub's clock, and lives for `Settings.quarantine_days` after that; `purge`
then drops its payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, LiteralString

from onecard.crypto.keys import Key, KeyStore
from onecard.errors import ConfigError, PolicyError, UsageError
from onecard.store.database import Connection, fetch_all, fetch_one, one_scalar, scalars
from onecard.store.sealing import SealedValues, held_fingerprint
from schemas.models.agreement import Agreement

_COLUMNS: LiteralString = (
    "id, dataset, origin, row_number, reasons, first_seen, last_seen, agreement, status,"
    " expires_at, last_transfer, coalesce(ended_by, 0) AS ended_by"
)


@dataclass(frozen=True, slots=True)
class Record:
    """One quarantined row without its values.

    Attributes:
        status: `held` while it waits; `released` or `replayed` by a person; `mended`, `superseded`
            or `gone` by a collect (`onecard.store.quarantine_ends`); `purged` when its time to live
            was over before any of it.
        last_transfer: that rejected it last.
        ended_by: the collect that ended it; 0: none.
    """

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
    last_transfer: int = 0
    ended_by: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which quarantined rows: those that meet everything that is set.

    Attributes:
        rule: broken by the row.
        field: of that rule, or of any.
        since: seen last at this moment or later.
        transfer: that rejected it last.
        ended: also rows that wait no more.
    """

    dataset: str | None = None
    rule: str | None = None
    field: str | None = None
    since: datetime | None = None
    transfer: int | None = None
    ended: bool = False


_KEPT: LiteralString = (
    "SELECT " + _COLUMNS + ", fingerprint, payload, key_epoch, suite FROM quarantine.record"
)
_WANTED: LiteralString = (
    " FROM quarantine.record WHERE dataset = coalesce(%(dataset)s, dataset)"
    " AND (%(ended)s OR status = 'held')"
    " AND last_transfer = coalesce(%(transfer)s, last_transfer)"
    " AND last_seen >= coalesce(%(since)s, last_seen)"
    " AND ((%(rule)s::text IS NULL AND %(field)s::text IS NULL) OR EXISTS (SELECT FROM"
    " jsonb_array_elements(reasons) x WHERE x->>1 = coalesce(%(rule)s, x->>1)"
    " AND x->>0 = coalesce(%(field)s, x->>0)))"
)


def wanted(connection: Connection, which: Wanted, limit: int | None = None) -> list[Record]:
    """Quarantined rows without values, newest first.

    Args:
        connection: of the hub's database.
        which: they are.
        limit: at most so many; None: all.
    """
    return fetch_all(
        connection,
        _record,
        "SELECT " + _COLUMNS + _WANTED + " ORDER BY last_seen DESC, id DESC LIMIT %(limit)s",
        {**asdict(which), "limit": limit},
    )


def broken_rules(connection: Connection) -> list[str]:
    """Names of all rules that any quarantined row has broken."""
    return scalars(
        connection,
        str,
        "SELECT DISTINCT reason ->> 1 FROM quarantine.record,"
        " LATERAL jsonb_array_elements(reasons) AS reason ORDER BY 1",
    )


def number(connection: Connection, which: Wanted) -> int:
    """How many quarantined rows those are."""
    return one_scalar(connection, int, "SELECT count(*)" + _WANTED, asdict(which))


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
        "SELECT fingerprint FROM quarantine.record WHERE dataset = %s AND fingerprint = ANY(%s)"
        " AND agreement = %s AND status = 'released'",
        (agreement.dataset, list(prints), agreement.id),
    )
    return {prints[fingerprint] for fingerprint in found}


def records(connection: Connection, dataset: str | None = None) -> list[Record]:
    """Quarantined rows that are held, without values, oldest first.

    Args:
        connection: of the hub's database.
        dataset: whose rows; None: of all.
    """
    return fetch_all(
        connection,
        _record,
        "SELECT "
        + _COLUMNS
        + " FROM quarantine.record WHERE dataset = coalesce(%s, dataset) AND status = 'held'"
        " ORDER BY id",
        (dataset,),
    )


_AT_ONCE = 1000
"""Rows whose values are opened together."""


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
    kept = fetch_one(connection, _kept, _KEPT + " WHERE id = %s", (record,))
    if kept is None:
        msg = f"no quarantined row {record}; see `onecard quarantine list`"
        raise UsageError(msg)
    if kept.payload is None:
        msg = f"quarantined row {record} is {kept.record.status}; its values are gone"
        raise ConfigError(msg)
    return kept.record, _unsealed(kept, keys.quarantine_of(kept.key_epoch))


def _unsealed(kept: _Kept, key: Key) -> dict[str, str | None]:
    """The values by field of a row that has its payload."""
    sealed = SealedValues(kept.fingerprint, kept.payload or b"", kept.key_epoch, kept.suite)
    return sealed.opened(kept.record.dataset, key)


def revealed(
    connection: Connection, records: Sequence[int], keys: KeyStore
) -> list[tuple[Record, dict[str, str | None]]]:
    """Some quarantined rows with their values in clear, newest first; without those purged.

    Each key that they need is looked up once, now.

    Args:
        connection: of the hub's database.
        records: their ids.
        keys: hold the quarantine keys.

    Raises:
        PolicyError: the key of their epoch is gone.
    """
    kept = _with_payload(connection, records)
    known = {epoch: keys.quarantine_of(epoch) for epoch in {line.key_epoch for line in kept}}
    return [(line.record, _unsealed(line, known[line.key_epoch])) for line in kept]


def revealed_under(
    connection: Connection, records: Sequence[int], known: Mapping[str, Key]
) -> Iterator[tuple[Record, dict[str, str | None]]]:
    """As `revealed`, however many there are; without those that none of some keys opens.

    Args:
        connection: of the hub's database.
        records: their ids.
        known: quarantine keys by their epochs.
    """
    for start in range(0, len(records), _AT_ONCE):
        for line in _with_payload(connection, records[start : start + _AT_ONCE]):
            values = None
            with suppress(PolicyError):  # it was tampered with
                values = _unsealed(line, known[line.key_epoch]) if line.key_epoch in known else None
            if values is not None:
                yield line.record, values


def each_revealed(
    connection: Connection, records: Sequence[int], keys: KeyStore
) -> Iterator[tuple[Record, dict[str, str | None]]]:
    """As `revealed`, however many there are; by rising ids, as `records` has them.

    Args:
        connection: of the hub's database.
        records: their ids, rising.
        keys: hold the quarantine keys.

    Raises:
        PolicyError: the key of their epoch is gone.
    """
    for start in range(0, len(records), _AT_ONCE):
        found = revealed(connection, records[start : start + _AT_ONCE], keys)
        yield from reversed(found)


def _with_payload(connection: Connection, records: Sequence[int]) -> list[_Kept]:
    statement = _KEPT + " WHERE id = ANY(%s) AND payload IS NOT NULL ORDER BY id DESC"
    return fetch_all(connection, _kept, statement, (list(records),))


def reasons(connection: Connection, record: int) -> tuple[tuple[str, str], ...]:
    """Field and rule of each reason for which a row was rejected; empty where there is no row."""
    found = fetch_one(
        connection,
        _record,
        "SELECT " + _COLUMNS + " FROM quarantine.record WHERE id = %s",
        (record,),
    )
    return () if found is None else found.reasons


def opened(
    connection: Connection, dataset: str, keys: KeyStore
) -> Iterator[tuple[Record, dict[str, str | None]]]:
    """All of a dataset's held rows with their values, oldest first; raises like `revealed`.

    Args:
        connection: of the hub's database.
        dataset: whose rows.
        keys: hold the quarantine keys.
    """
    held = [record.id for record in records(connection, dataset)]
    yield from each_revealed(connection, held, keys)


def opened_all(
    connection: Connection, dataset: str, keys: KeyStore
) -> Iterator[tuple[Record, dict[str, str | None]]]:
    """As `opened`, and those that have ended and whose values are still there.

    Args:
        connection: of the hub's database.
        dataset: whose rows.
        keys: hold the quarantine keys.
    """
    found = scalars(
        connection,
        int,
        "SELECT id FROM quarantine.record WHERE dataset = %s AND payload IS NOT NULL ORDER BY id",
        (dataset,),
    )
    yield from each_revealed(connection, found, keys)


def resolve(connection: Connection, record: int, status: str, actor: str) -> None:
    """End a record; its payload goes.

    Problems of its dataset are locked first, as by a collect that publishes: it ends rows after it
    has counted others, and would else wait for this row while this waits for the problems.

    Args:
        connection: in the caller's transaction.
        record: its id.
        status: `released`, `replayed` or `purged`.
        actor: who ended it.
    """
    connection.execute(
        "SELECT FROM ledger.problem WHERE dataset ="
        " (SELECT dataset FROM quarantine.record WHERE id = %s) ORDER BY id FOR UPDATE",
        (record,),
    )
    connection.execute(
        "UPDATE quarantine.record SET status = %s, payload = NULL, resolved_by = %s,"
        " resolved_at = clock_timestamp() WHERE id = %s",
        (status, actor, record),
    )


def purge(connection: Connection, now: datetime, actor: str) -> int:
    """Drop the payloads of all records whose time has come; returns how many.

    What had ended before stays ended as it had; what still waited is `purged`, and not right.

    Args:
        connection: of the hub's database.
        now: the hub's time.
        actor: who asks.
    """
    done = connection.execute(
        "UPDATE quarantine.record SET payload = NULL, resolved_by = %s,"
        " status = CASE status WHEN 'held' THEN 'purged' ELSE status END,"
        " resolved_at = coalesce(resolved_at, clock_timestamp())"
        " WHERE payload IS NOT NULL AND expires_at <= %s",
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
