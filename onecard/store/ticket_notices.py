"""What people in charge of tickets are to be told: written with what happened, sent afterwards.

A notice stands in the database from the moment on which its cause does. Whoever sends takes one
that nobody else is sending, notes each receiver as soon as that one was told, and ends it when all
were: a mail server that is down keeps a notice waiting and holds up nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, LiteralString

from onecard.model.tickets import EventKind
from onecard.store.database import Connection, fetch_one, scalars

NoticeKind = Literal[
    "opened", "handed_over", "answered", "closed", "reopened", "due_soon", "overdue"
]
OF_EVENTS: Mapping[EventKind, NoticeKind] = {
    "opened": "opened",
    "handed_over": "handed_over",
    "answered": "answered",
    "closed": "closed",
    "reopened": "reopened",
}
"""Events of a ticket that somebody is told of; of the others nobody is."""

_QUEUE: LiteralString = (
    "INSERT INTO ledger.ticket_notice (ticket, kind, event, due_on, made_at)"
    " SELECT id, %(kind)s, %(event)s, due_on, %(at)s FROM ledger.ticket WHERE id = %(ticket)s"
    " ON CONFLICT DO NOTHING"
)
_NEXT: LiteralString = (
    "SELECT n.id, n.kind, n.made_at, n.due_on, t.id AS ticket, t.agency, t.opened_for,"
    " t.opened_by, t.owner, t.dataset FROM ledger.ticket_notice n"
    " JOIN ledger.ticket t ON t.id = n.ticket"
    " WHERE n.done_at IS NULL AND NOT n.id = ANY(%s) ORDER BY n.tries, n.id LIMIT 1"
    " FOR UPDATE OF n SKIP LOCKED"
)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that people are told of a ticket.

    Attributes:
        due_on: of the ticket, when it was written.
        owner: of the ticket, as it stands now.
    """

    id: int
    kind: NoticeKind
    made_at: datetime
    due_on: date
    ticket: int
    agency: str
    opened_for: str
    opened_by: str
    owner: str
    dataset: str


def queue(
    connection: Connection, ticket: int, kind: NoticeKind, at: datetime, event: int = 0
) -> None:
    """Write a notice, in the transaction of its cause; once of each cause.

    Args:
        connection: of the hub's database.
        ticket: its id.
        kind: what has happened.
        at: the hub's time.
        event: of the ticket; 0: a deadline, of which there is one notice for each due day.
    """
    values = {"ticket": ticket, "kind": kind, "event": event, "at": at}
    connection.execute(_QUEUE, values)


def following(connection: Connection, seen: Collection[int]) -> Notice | None:
    """The next notice that waits and that nobody else is sending; it is held by the transaction.

    Those that failed before come last: an address that is refused for ever holds up no other.

    Args:
        connection: in a transaction.
        seen: notices that were looked at already.
    """
    return fetch_one(connection, Notice, _NEXT, (list(seen),))


def receivers(connection: Connection, notice: int) -> frozenset[str]:
    """Who was told of a notice already.

    Args:
        connection: of the hub's database.
        notice: its id.
    """
    statement: LiteralString = "SELECT receiver FROM ledger.ticket_told WHERE notice = %s"
    return frozenset(scalars(connection, str, statement, (notice,)))


def note_receivers(
    connection: Connection, notice: int, names: Collection[str], at: datetime
) -> None:
    """Remember who was told of a notice.

    Args:
        connection: of the hub's database.
        notice: its id.
        names: of receivers.
        at: the hub's time.
    """
    for name in sorted(names):
        connection.execute(
            "INSERT INTO ledger.ticket_told (notice, receiver, told_at) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (notice, name, at),
        )


def end(connection: Connection, notice: int, at: datetime) -> None:
    """Everybody was told of a notice, or nobody is to be told.

    Args:
        connection: of the hub's database.
        notice: its id.
        at: the hub's time.
    """
    connection.execute("UPDATE ledger.ticket_notice SET done_at = %s WHERE id = %s", (at, notice))


def put_off(connection: Connection, notice: int) -> None:
    """Somebody could not be told of a notice: it waits, behind those that were not tried yet.

    Args:
        connection: of the hub's database.
        notice: its id.
    """
    statement: LiteralString = "UPDATE ledger.ticket_notice SET tries = tries + 1 WHERE id = %s"
    connection.execute(statement, (notice,))
