"""What people in charge of tickets are to be told: written with what happened, sent afterwards.

A notice stands in the database from the moment on which its cause does. Whoever sends takes one
that nobody else is sending, notes each receiver as soon as that one was told, and ends it when all
were: a mail server that is down keeps a notice waiting and holds up nothing else. Nothing is
locked in the database, and no transaction is open, while a mail leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, LiteralString

from onecard.model.tickets import WAITING, EventKind, Status
from onecard.store import locks
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
_DEADLINES: LiteralString = (
    "INSERT INTO ledger.ticket_notice (ticket, kind, due_on, made_at)"
    " SELECT id, CASE WHEN due_on < %(today)s THEN 'overdue' ELSE 'due_soon' END, due_on, %(at)s"
    " FROM ledger.ticket WHERE status = ANY(%(waiting)s) AND due_on <= %(soon)s"
    " ORDER BY due_on, id ON CONFLICT DO NOTHING"
)
_UNSENT: LiteralString = (
    "SELECT n.id, n.kind, n.made_at, n.due_on, t.id AS ticket, t.agency, t.opened_for,"
    " t.opened_by, t.owner, t.dataset, t.status, t.due_on AS due_now"
    " FROM ledger.ticket_notice n JOIN ledger.ticket t ON t.id = n.ticket"
    " WHERE n.id = %s AND n.done_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that people are told of a ticket.

    Attributes:
        due_on: of the ticket, when it was written.
        owner: of the ticket, as it stands now.
        status: of the ticket now.
        due_now: of the ticket now.
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
    status: Status
    due_now: date


def queue(connection: Connection, ticket: int, kind: NoticeKind, at: datetime, event: int) -> None:
    """Write a notice, in the transaction of its cause; once of each cause.

    Args:
        connection: of the hub's database.
        ticket: its id.
        kind: what has happened.
        at: the hub's time.
        event: of the ticket.
    """
    values = {"ticket": ticket, "kind": kind, "event": event, "at": at}
    connection.execute(_QUEUE, values)


def queue_deadlines(connection: Connection, today: date, soon: date, at: datetime) -> None:
    """Write notices of deadlines that come soon or are over, once for each ticket and due day.

    Args:
        connection: of the hub's database.
        today: a deadline before it is over.
        soon: the last deadline that comes soon.
        at: the hub's time.
    """
    values = {"today": today, "soon": soon, "at": at, "waiting": list(WAITING)}
    connection.execute(_DEADLINES, values)


def waiting(connection: Connection) -> list[int]:
    """Notices that wait; those that failed before come last."""
    statement: LiteralString = (
        "SELECT id FROM ledger.ticket_notice WHERE done_at IS NULL ORDER BY tries, id"
    )
    return scalars(connection, int, statement)


@contextmanager
def held(connection: Connection, notice: int) -> Iterator[Notice | None]:
    """A notice that nobody else sends while the block runs; None: somebody does, or has.

    Args:
        connection: in autocommit; its session holds the lock.
        notice: its id.
    """
    if not locks.hold_if_free(connection, locks.Kind.NOTICE, notice):
        yield None
        return
    try:
        yield fetch_one(connection, Notice, _UNSENT, (notice,))
    finally:
        locks.let_go(connection, locks.Kind.NOTICE, notice)


def receivers(connection: Connection, notice: int) -> frozenset[str]:
    """Who was told of a notice already.

    Args:
        connection: of the hub's database.
        notice: its id.
    """
    statement: LiteralString = "SELECT receiver FROM ledger.ticket_told WHERE notice = %s"
    return frozenset(scalars(connection, str, statement, (notice,)))


def note_receiver(connection: Connection, notice: int, name: str, at: datetime) -> None:
    """Remember that somebody was told of a notice.

    Args:
        connection: in autocommit: it stands at once.
        notice: its id.
        name: of the receiver.
        at: the hub's time.
    """
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
    """Telling somebody of a notice has failed: it waits, behind those that were not tried yet.

    Args:
        connection: of the hub's database.
        notice: its id.
    """
    statement: LiteralString = "UPDATE ledger.ticket_notice SET tries = tries + 1 WHERE id = %s"
    connection.execute(statement, (notice,))
