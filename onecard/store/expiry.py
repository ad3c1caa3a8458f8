"""Drops what is older than `onecard.store.retention` says.

What is kept for years goes with a receipt: which tables and months, how many rows, up to which day,
signed by the hub. It stands in the audit log (`records.expired`), so that a third party finds it
there and proves it by the hub's public key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import sql

from onecard.base.sql_text import query
from onecard.crypto.audit_format import canonical_json
from onecard.crypto.signing import Signer
from onecard.store import audit, months, retention
from onecard.store.audit_queries import ACTS
from onecard.store.database import Connection, fetch_all, one_scalar
from onecard.store.retention import Retention

KIND = "records.expired"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Expired:
    """What was dropped.

    Attributes:
        rows: how many, by table; of tables by the month all of a month.
        months: names of the months' tables that were dropped.
        before: everything of before this day.
    """

    rows: Mapping[str, int]
    months: tuple[str, ...]
    before: date


def expire(connection: Connection, now: datetime) -> Expired:
    """Drop what is kept for years and older than that (ADR 0012).

    The month of today three years ago stays, as part of it is younger. Waits for look-ups and
    deliveries that use the tables at this moment, and they wait for it.

    Args:
        connection: of the hub's database; in autocommit each table is done for itself.
        now: the hub's time.
    """
    oldest, rows, gone = retention.oldest_month(now.date()), dict[str, int](), list[str]()
    for entry in retention.timed(with_receipt=True):
        dropped, parts = _dropped(connection, entry, now)
        gone += parts
        if dropped:
            rows[entry.name] = dropped
    return Expired(rows, tuple(gone), oldest)


def tidy(connection: Connection, now: datetime) -> None:
    """Drop what is kept for a short while only; nobody gets a receipt of it.

    Args:
        connection: of the hub's database.
        now: the hub's time.
    """
    for entry in retention.timed(with_receipt=False):
        _dropped(connection, entry, now)


def issue(
    connection: Connection, expired: Expired, signer: Signer, told: Mapping[str, Any]
) -> None:
    """Write the receipt of what was dropped, in the transaction that drops it.

    Args:
        connection: in that transaction.
        expired: what was dropped.
        signer: of the hub.
        told: `actor`, and `at`, the hub's time.

    Raises:
        PolicyError: no signing key; then nothing is dropped.
    """
    content = {
        "format": FORMAT,
        "at": told["at"].isoformat(),
        "before": expired.before.isoformat(),
        "keptYears": retention.YEARS,
        "months": list(expired.months),
        "rows": dict(expired.rows),
    }
    value = signer.sign(canonical_json(content).encode()).hex()
    signature = {"suite": signer.suite, "epoch": signer.epoch, "value": value}
    body = {**content, "signature": signature}
    audit.append(connection, KIND, "retention", told["actor"], body)


@dataclass(frozen=True, slots=True)
class ExpiryReceipt:
    """A receipt as it stands in the audit log.

    Attributes:
        seq: number of its entry.
        body: canonical JSON, signature and all.
    """

    seq: int
    at: datetime
    body: str

    def holds(self, signer: Signer) -> bool:
        """Whether its signature is right.

        Args:
            signer: knows the hub's public keys.
        """
        content = json.loads(self.body)
        signed = content.pop("signature")
        message, value = canonical_json(content).encode(), bytes.fromhex(signed["value"])
        return signer.verify(signed["suite"], signed["epoch"], message, value)


def receipts(connection: Connection, limit: int) -> list[ExpiryReceipt]:
    """The newest receipts of what was dropped, the newest first.

    Args:
        connection: of the hub's database.
        limit: at most so many.
    """
    return fetch_all(
        connection,
        ExpiryReceipt,
        "SELECT seq, at, body FROM ledger.audit WHERE " + ACTS + " AND kind = %s"
        " ORDER BY seq DESC LIMIT %s",
        (KIND, limit),
    )


def _dropped(connection: Connection, entry: Retention, now: datetime) -> tuple[int, list[str]]:
    """Drop from one table; how many rows, and which months."""
    age = entry.age
    assert age is not None  # noqa: S101 - `timed` gives no others
    schema, _, name = entry.name.partition(".")
    table, limit = sql.Identifier(schema, name), retention.limit(age, now)
    where = query("{told_by} < {limit}", told_by=sql.SQL(age.told_by), limit=sql.Literal(limit))
    if not age.by_month:
        done = connection.execute(query("DELETE FROM {t} WHERE {old}", t=table, old=where))
        return done.rowcount, []
    counted = query("SELECT count(*) FROM {t} WHERE {old}", t=table, old=where)
    number = one_scalar(connection, int, counted)
    return number, months.expire(connection, name, retention.oldest_month(now.date()))
