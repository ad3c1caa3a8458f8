"""Incidents, `ledger.incident`: a rule blocked after something had left (PR-28; PIPL 57)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from onecard.store.audit_queries import ACTS
from onecard.store.database import Connection, fetch_all, fetch_one, scalar

CLOSED = "incident.closed"
"""Kind of the entry of the audit log that says who has closed one, and why."""
_SHOWN: LiteralString = (
    "SELECT id, agreement, transfer, rule, delivered_rows, opened_at, status = 'closed' AS ended"
    " FROM ledger.incident"
)
# Bodies of other kinds need not be JSON (`audit_body`): the kind is looked at before one is read.
_CLOSING: LiteralString = (
    "SELECT seq, actor, at FROM ledger.audit WHERE "
    + ACTS
    + " AND kind = %(closed)s AND subject = %(agreement)s AND at >= %(since)s"
    " AND CASE WHEN kind = %(closed)s THEN (body::jsonb ->> 'incident')::bigint = %(incident)s END"
    " ORDER BY seq DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident; `delivered_rows` had left when the rule blocked."""

    id: int
    agreement: str
    transfer: int
    rule: str
    delivered_rows: int
    opened_at: datetime
    ended: bool = False


@dataclass(frozen=True, slots=True)
class IncidentClosing:
    """Who has closed an incident, and when; the reason stands in entry `seq` of the audit log."""

    seq: int
    actor: str
    at: datetime


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
        _SHOWN + " WHERE status = 'open' ORDER BY id",
    )


def get(connection: Connection, number: int) -> Incident | None:
    """The incident of that id, open or ended."""
    return fetch_one(connection, Incident, _SHOWN + " WHERE id = %s", (number,))


def page(connection: Connection, *, ended: bool | None, before: int, limit: int) -> list[Incident]:
    """Incidents, the newest first.

    Args:
        connection: of the hub's database.
        ended: those that have ended, or those that have not; None: all.
        before: only those with a lower id; 0: from the newest on.
        limit: at most so many.
    """
    return fetch_all(
        connection,
        Incident,
        _SHOWN + " WHERE (%(ended)s::bool IS NULL OR (status = 'closed') = %(ended)s)"
        " AND (%(before)s = 0 OR id < %(before)s) ORDER BY id DESC LIMIT %(limit)s",
        {"ended": ended, "before": before, "limit": limit},
    )


def closing(connection: Connection, found: Incident) -> IncidentClosing | None:
    """Who has closed an incident; None: nobody has."""
    return fetch_one(
        connection,
        IncidentClosing,
        _CLOSING,
        {
            "closed": CLOSED,
            "agreement": found.agreement,
            "since": found.opened_at,
            "incident": found.id,
        },
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
