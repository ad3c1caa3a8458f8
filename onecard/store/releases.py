"""Releases in the ledger: who vouched for what a transfer was held for, when, and why.

A release of a collect names the failed expectations that were on record then; one of a delivery
names none. The reason is a person's own text: it stands here, in the audit log and in the receipt,
and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from onecard.store.database import Connection, fetch_all, scalar

DELIVERY = ""
"""What stands for a finding where a delivery is released."""


@dataclass(frozen=True, slots=True)
class Release:
    """One finding of one transfer that a person vouches for."""

    finding: str
    by: str
    at: datetime
    reason: str


def record(
    connection: Connection, transfer: int, findings: Iterable[str], by: str, reason: str
) -> list[str]:
    """Record a release; returns the findings that nobody had released before.

    Args:
        connection: of the hub's database.
        transfer: that is held.
        findings: names of its failed expectations, or `DELIVERY`.
        by: who vouches.
        reason: that person's own words.
    """
    return [
        finding
        for finding in findings
        if connection.execute(
            "INSERT INTO ledger.release (transfer, finding, actor, reason)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (transfer, finding, by, reason),
        ).rowcount
    ]


def of(connection: Connection, transfer: int) -> list[Release]:
    """Everything that was released of a transfer."""
    return fetch_all(
        connection,
        Release,
        'SELECT finding, actor AS "by", at, reason FROM ledger.release WHERE transfer = %s'
        " ORDER BY at, finding",
        (transfer,),
    )


def delivery_before(connection: Connection, agreement: str, transfer: int) -> bool:
    """Whether the agreement's transfer before this one was held and is released.

    One that failed in between has sent nothing: the release still stands.

    Args:
        connection: of the hub's database.
        agreement: its id.
        transfer: this one.
    """
    found = scalar(
        connection,
        bool,
        "SELECT EXISTS (SELECT FROM ledger.release r WHERE r.transfer = t.id)"
        " FROM ledger.transfer t WHERE subject = %s AND direction = 'deliver' AND id < %s"
        " AND status IN ('held', 'confirmed') ORDER BY id DESC LIMIT 1",
        (agreement, transfer),
    )
    return found is True
