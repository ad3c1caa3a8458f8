"""Releases in the ledger: who vouched for what a transfer was held for, when, and why.

A release of a collect names the failed expectations that were on record then; one of a delivery
names none. The reason is a person's own text: it stands here, in the audit log and in the receipt,
and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from onecard.store.database import Connection

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
    """Record a release; returns the findings that nobody had released before."""
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
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT finding, actor, at, reason FROM ledger.release WHERE transfer = %s"
        " ORDER BY at, finding",
        (transfer,),
    ).fetchall()
    return [Release(*row) for row in rows]


def failed(connection: Connection, transfer: int) -> list[str]:
    """Names of the critical expectations that the last audit of a transfer found failed."""
    rows = connection.execute(
        "SELECT name FROM ledger.finding WHERE transfer = %s AND severity = 'critical'"
        " AND NOT passed ORDER BY name",
        (transfer,),
    ).fetchall()
    return [str(row[0]) for row in rows]


def delivery_before(connection: Connection, agreement: str, transfer: int) -> bool:
    """Whether the agreement's transfer before this one was held and is released."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM ledger.release r WHERE r.transfer = t.id)"
        " FROM ledger.transfer t WHERE subject = %s AND direction = 'deliver' AND id < %s"
        " ORDER BY id DESC LIMIT 1",
        (agreement, transfer),
    ).fetchone()
    return bool(row and row[0])
