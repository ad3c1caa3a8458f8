"""Incidents, `ledger.incident`: a rule blocked after something had left (PR-28; PIPL 57)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from onecard.store.database import Connection, fetch_all, scalar


@dataclass(frozen=True, slots=True)
class Incident:
    """One open incident; `delivered_rows` had left when the rule blocked."""

    id: int
    agreement: str
    transfer: int
    rule: str
    delivered_rows: int
    opened_at: datetime


def open_incident(
    connection: Connection, agreement: str, transfer: int, rule: str, delivered_rows: int
) -> None:
    """Open an incident.

    Args:
        connection: of the hub's database.
        agreement: whose delivery was blocked.
        transfer: the delivery.
        rule: that blocked it.
        delivered_rows: rows of the agreement that had left already.
    """
    connection.execute(
        "INSERT INTO ledger.incident (agreement, transfer, rule, delivered_rows)"
        " VALUES (%s, %s, %s, %s)",
        (agreement, transfer, rule, delivered_rows),
    )


def open_ones(connection: Connection) -> list[Incident]:
    """Open incidents, oldest first."""
    return fetch_all(
        connection,
        Incident,
        "SELECT id, agreement, transfer, rule, delivered_rows, opened_at FROM ledger.incident"
        " WHERE status = 'open' ORDER BY id",
    )


def close(connection: Connection, incident: int) -> str | None:
    """Close an incident; returns its agreement, or None when no open one has that id."""
    return scalar(
        connection,
        str,
        "UPDATE ledger.incident SET status = 'closed' WHERE id = %s AND status = 'open'"
        " RETURNING agreement",
        (incident,),
    )
