"""Tickets as a desk looks at them: how many wait for an agency, which of them first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Literal

from psycopg import sql

from onecard.base.sql_text import query
from onecard.model.tickets import Ticket
from onecard.store.database import Connection, fetch_all
from onecard.store.tickets import TICKETS, made
from onecard.store.together import Sent, send

Role = Literal["agency", "opened_for"]
"""What an agency has to do with a ticket, by the column that names it."""


@dataclass(frozen=True, slots=True)
class WaitingTickets:
    """Tickets that an agency must answer: how many, how many late, and the next deadline."""

    agency: str
    tickets: int
    overdue: int
    next_due: date | None


def waiting(connection: Connection, agencies: Collection[str], today: date) -> Sent[WaitingTickets]:
    """By agency, what waits for its answer; agencies without any are left out.

    Args:
        connection: of the hub's database.
        agencies: providers.
        today: the hub's day.
    """
    return send(
        connection,
        WaitingTickets,
        "SELECT agency, count(*) AS tickets, count(*) FILTER (WHERE due_on < %(today)s) AS overdue,"
        " min(due_on) FILTER (WHERE due_on >= %(today)s) AS next_due FROM ledger.ticket"
        " WHERE agency = ANY(%(agencies)s) AND status IN ('open', 'acknowledged')"
        " GROUP BY agency ORDER BY agency",
        {"agencies": sorted(agencies), "today": today},
    )


def urgent(connection: Connection, agencies: Collection[str], limit: int) -> Sent[Ticket]:
    """Tickets that wait for an answer, those due first.

    Args:
        connection: of the hub's database.
        agencies: that must answer.
        limit: at most so many.
    """
    return send(
        connection,
        made,
        TICKETS + " WHERE t.id IN (SELECT f.id FROM unnest(%(agencies)s::text[]) a (agency)"
        " CROSS JOIN LATERAL (SELECT w.id, w.due_on FROM ledger.ticket w"
        " WHERE w.agency = a.agency AND w.status IN ('open', 'acknowledged')"
        " ORDER BY w.due_on, w.id LIMIT %(limit)s) f ORDER BY f.due_on, f.id LIMIT %(limit)s)"
        " ORDER BY due_on, t.id",
        {"agencies": sorted(agencies), "limit": limit},
    )


def page(connection: Connection, agency: str, role: Role, after: int, limit: int) -> list[Ticket]:
    """Tickets of an agency, those due first come first, closed ones last.

    Args:
        connection: of the hub's database.
        agency: its id.
        role: `agency`: it must answer them; `opened_for`: it has raised them.
        after: only those that come behind this one, which is such a ticket; 0: from the first on.
        limit: at most so many.
    """
    statement = query(  # which ones, before their events are looked up
        TICKETS + " WHERE t.id IN (SELECT w.id FROM ledger.ticket w WHERE w.{role} = %(agency)s"
        " AND (%(after)s = 0 OR (w.status = 'closed', w.due_on, w.id)"
        " > (SELECT a.status = 'closed', a.due_on, a.id"
        " FROM ledger.ticket a WHERE a.id = %(after)s AND a.{role} = %(agency)s))"
        " ORDER BY w.status = 'closed', w.due_on, w.id LIMIT %(limit)s)"
        " ORDER BY status = 'closed', due_on, t.id",
        role=sql.Identifier(role),
    )
    values = {"agency": agency, "after": after, "limit": limit}
    return fetch_all(connection, made, statement, values)
