"""Tickets of the correction loop (异议与校核): opened, acknowledged, answered, seen, closed.

    open → acknowledged → answered → closed       (answering needs no acknowledgement)

Whoever opens a ticket challenges a record or a rule's finding; the providing agency answers it;
the hub notes when a collect has seen the correction; closing needs that, or a reason. Every step
is an event that cannot be changed and an entry of the audit log, in one transaction. Free text
with an ID number, a mobile, a card, a passport or a plate in it is refused; the audit log holds
no free text at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from onecard.base.timespan import ZONE
from onecard.errors import ConfigError, unknown
from onecard.model.tickets import (
    KINDS,
    OUTCOMES,
    STATUSES,
    Event,
    NewTicket,
    RefusedText,
    Ticket,
    UnknownTicket,
    WrongState,
    clean,
)
from onecard.store import audit
from onecard.store.database import Connection

__all__ = [
    "KINDS",
    "OUTCOMES",
    "STATUSES",
    "Event",
    "NewTicket",
    "RefusedText",
    "Ticket",
    "UnknownTicket",
    "WrongState",
    "acknowledge",
    "answer",
    "close",
    "events",
    "get",
    "listed",
    "open_ticket",
    "saw",
]

_FROM = {
    "acknowledged": ("open",),
    "answered": ("open", "acknowledged"),
    "closed": ("answered",),
}
"""From which states a ticket may come to each state."""

_TICKETS = (
    "SELECT t.id, agency, opened_for, opened_by, kind, dataset, field, rule, record_ref,"
    " key_epoch, suite, baseline, statement, opened_at, due_on, clock, status, outcome, answer,"
    " answered_at, closed_at, evidence, (SELECT max(transfer) FROM ledger.ticket_event e"
    " WHERE e.ticket = t.id AND e.event = 'seen') AS seen FROM ledger.ticket t"
)


def open_ticket(connection: Connection, new: NewTicket) -> int:
    """Write a ticket, its first event and its audit entry; returns its id.

    Raises:
        RefusedText: the statement is empty or holds personal data.
        ConfigError: a record without its reference, or a finding without its rule.
    """
    if (new.kind == "record") != (new.record_ref is not None) or not (new.record_ref or new.rule):
        msg = "ticket: a challenge of a record has record_ref, one of a finding has rule"
        raise ConfigError(msg)
    statement = clean("statement", new.statement)
    values = {name: getattr(new, name) for name in NewTicket.__slots__}
    values |= {"statement": statement, "baseline": json.dumps(dict(new.baseline))}
    columns = ", ".join(values)
    places = ", ".join(f"%({name})s" for name in values)
    insert = f"INSERT INTO ledger.ticket ({columns}) VALUES ({places}) RETURNING id"  # noqa: S608
    with connection.transaction():
        row = connection.execute(insert.encode(), values).fetchone()
        ticket = int(str(row[0])) if row else 0
        _note(connection, ticket, Event(new.opened_at, "opened", new.opened_by))
        facts = {
            "for": new.opened_for,
            "agency": new.agency,
            "kind": new.kind,
            "rule": new.rule,
            "due_on": new.due_on.isoformat(),
        }
        _audit(connection, ("opened", new.dataset, new.opened_by), ticket, facts)
    return ticket


def listed(connection: Connection, agency: str | None, status: str | None = None) -> list[Ticket]:
    """Tickets that an agency must answer, or all; those due first come first.

    Raises:
        ConfigError: no such status; it lists the known ones.
    """
    if status is not None and status not in STATUSES:
        raise ConfigError(unknown("status", status, STATUSES))
    rows = connection.execute(
        (
            _TICKETS + " WHERE agency = coalesce(%s, agency) AND status = coalesce(%s, status)"
            " ORDER BY status = 'closed', due_on, t.id"
        ).encode(),
        (agency, status),
    ).fetchall()
    return [_ticket(row) for row in rows]


def get(connection: Connection, ticket_id: int) -> Ticket | None:
    """The ticket of that id, or None."""
    row = connection.execute((_TICKETS + " WHERE t.id = %s").encode(), (ticket_id,)).fetchone()
    return _ticket(row) if row else None


def events(connection: Connection, ticket_id: int) -> list[Event]:
    """What happened to a ticket, oldest first."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT at, event, actor, text, transfer, detail FROM ledger.ticket_event"
        " WHERE ticket = %s ORDER BY id",
        (ticket_id,),
    ).fetchall()
    return [Event(*map(_local, row)) for row in rows]


def acknowledge(connection: Connection, ticket_id: int, actor: str, at: datetime) -> None:
    """The agency has read the ticket.

    Raises:
        UnknownTicket: no such ticket.
        WrongState: it is not open.
    """
    with connection.transaction():
        found = _enter(connection, ticket_id, "acknowledged")
        _set(connection, ticket_id, {"status": "acknowledged"})
        _note(connection, ticket_id, Event(at, "acknowledged", actor))
        _audit(connection, ("acknowledged", found.dataset, actor), ticket_id, {})


def answer(  # noqa: PLR0913, PLR0917 - what an answer is made of
    connection: Connection, ticket_id: int, actor: str, outcome: str, text: str, at: datetime
) -> None:
    """The agency's answer: `corrected` at the source, `confirmed` as right, or `rejected`.

    Raises:
        UnknownTicket: no such ticket.
        WrongState: it is answered or closed.
        ConfigError: no such outcome; it lists the known ones.
        RefusedText: the text is empty or holds personal data.
    """
    if outcome not in OUTCOMES:
        raise ConfigError(unknown("outcome", outcome, OUTCOMES))
    said = clean("answer", text)
    with connection.transaction():
        found = _enter(connection, ticket_id, "answered")
        values = {"status": "answered", "outcome": outcome, "answer": said, "answered_at": at}
        _set(connection, ticket_id, values)
        happened = Event(at, "answered", actor, said, detail={"outcome": outcome})
        _note(connection, ticket_id, happened)
        facts = {"outcome": outcome, "late": found.overdue(at.astimezone(ZONE).date())}
        _audit(connection, ("answered", found.dataset, actor), ticket_id, facts)


def saw(
    connection: Connection, ticket_id: int, transfer: int, detail: Mapping[str, Any], at: datetime
) -> bool:
    """Note that a collect has seen the correction, once per transfer; False when known already."""
    with connection.transaction():
        found = _found(connection, ticket_id)
        if found.status == "closed" or (found.seen is not None and found.seen >= transfer):
            return False
        _note(connection, ticket_id, Event(at, "seen", "hub", "", transfer, detail))
        _audit(connection, ("seen", found.dataset, "hub"), ticket_id, {"transfer": transfer})
    return True


def close(
    connection: Connection, ticket_id: int, actor: str, evidence: Mapping[str, Any], at: datetime
) -> None:
    """End a ticket.

    Args:
        connection: the transaction is opened here.
        ticket_id: of an answered ticket.
        actor: who closes it.
        evidence: `{"seen": <transfer>}`, a transfer that saw the correction, or
            `{"without_correction": "<reason>"}`.
        at: the hub's time.

    Raises:
        UnknownTicket: no such ticket.
        WrongState: not answered, or that transfer saw no correction.
        ConfigError: the evidence is neither of the two.
        RefusedText: the reason is empty or holds personal data.
    """
    if len(evidence) != 1 or not set(evidence) <= {"seen", "without_correction"}:
        msg = "evidence: give either seen (a transfer) or without_correction (the reason)"
        raise ConfigError(msg)
    reason = evidence.get("without_correction")
    kept = dict(evidence) if reason is None else {"without_correction": clean("reason", reason)}
    with connection.transaction():
        found = _enter(connection, ticket_id, "closed")
        seen = [e for e in events(connection, ticket_id) if e.event == "seen"]
        if reason is None:
            kept |= _detail(ticket_id, seen, evidence["seen"])
        values = {"status": "closed", "closed_at": at, "evidence": json.dumps(kept)}
        _set(connection, ticket_id, values)
        said = "" if reason is None else str(kept["without_correction"])
        _note(connection, ticket_id, Event(at, "closed", actor, said))
        facts = {"seen": evidence.get("seen"), "without_correction": reason is not None}
        _audit(connection, ("closed", found.dataset, actor), ticket_id, facts)


def _detail(ticket: int, seen: list[Event], transfer: object) -> dict[str, Any]:
    for event in seen:
        if event.transfer == transfer:
            return dict(event.detail)
    known = ", ".join(str(event.transfer) for event in seen) or "none"
    msg = f"ticket {ticket}: no collect {transfer!r} saw a correction; those that did: {known}"
    raise WrongState(msg)


def _found(connection: Connection, ticket_id: int) -> Ticket:
    """The ticket, locked until the transaction ends."""
    connection.execute("SELECT FROM ledger.ticket WHERE id = %s FOR UPDATE", (ticket_id,))
    found = get(connection, ticket_id)
    if found is None:
        msg = f"no ticket {ticket_id}; see `onecard challenge list`"
        raise UnknownTicket(msg)
    return found


def _enter(connection: Connection, ticket_id: int, status: str) -> Ticket:
    """The ticket, locked, when it may come to that state."""
    found = _found(connection, ticket_id)
    if found.status not in _FROM[status]:
        msg = (
            f"ticket {ticket_id} is {found.status}; only one that is"
            f" {' or '.join(_FROM[status])} can be {status}"
        )
        raise WrongState(msg)
    return found


def _set(connection: Connection, ticket_id: int, values: Mapping[str, Any]) -> None:
    assignments = ", ".join(f"{name} = %s" for name in values)
    statement = f"UPDATE ledger.ticket SET {assignments} WHERE id = %s"  # noqa: S608
    connection.execute(statement.encode(), [*values.values(), ticket_id])


def _note(connection: Connection, ticket: int, happened: Event) -> None:
    connection.execute(
        "INSERT INTO ledger.ticket_event (ticket, at, event, actor, text, transfer, detail)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            ticket,
            happened.at,
            happened.event,
            happened.actor,
            happened.text,
            happened.transfer,
            json.dumps(dict(happened.detail)),
        ),
    )


def _audit(
    connection: Connection, what: tuple[str, str, str], ticket: int, facts: Mapping[str, object]
) -> None:
    event, dataset, actor = what
    audit.append(connection, f"ticket.{event}", dataset, actor, {"ticket": ticket, **facts})


def _ticket(row: tuple[Any, ...]) -> Ticket:
    plain: list[Any] = [_local(value) for value in row]
    return Ticket(*plain)


def _local(value: Any) -> Any:  # noqa: ANN401 - a column of any type
    """Times as the hub shows them: in its own zone."""
    return value.astimezone(ZONE) if isinstance(value, datetime) else value
