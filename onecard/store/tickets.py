"""Tickets of the correction loop (异议与校核): opened, acknowledged, answered, seen, closed.

    open → acknowledged → answered → closed       (answering needs no acknowledgement)
    answered or closed → open                     (reopened by whoever challenged, with a reason)

Until it is closed, both agencies may comment. What the people in charge are told of an event is
written beside it (`onecard.store.ticket_notices`).

Whoever opens a ticket challenges a record or a rule's finding; the providing agency answers it;
the hub notes when a collect has seen the correction; closing needs that, or a reason. Every step
is an event that cannot be changed and an entry of the audit log, in one transaction. Free text
with an ID number, a mobile, a card, a passport or a plate in it is refused; the audit log holds
no free text at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, LiteralString

from onecard.base.times import ZONE
from onecard.base.workdays import Due
from onecard.errors import ConfigError, UsageError, unknown
from onecard.model.tickets import (
    OUTCOMES,
    STATUSES,
    WAITING,
    Acting,
    Answer,
    Event,
    NewTicket,
    Ticket,
    TicketChanged,
    UnknownTicket,
    WrongState,
    clean,
)
from onecard.store.database import Connection, fetch_all, fetch_one, one_scalar
from onecard.store.ticket_events import Step, note

_TIMES = ("opened_at", "answered_at", "closed_at")
_FROM = {
    "acknowledged": ("open",),
    "answered": WAITING,
    "closed": ("answered",),
    "handed over": WAITING,
    "commented": (*WAITING, "answered"),
    "reopened": ("answered", "closed"),
}
"""From which states a ticket may come to each state."""

TICKETS: LiteralString = (
    "SELECT t.id, agency, opened_for, opened_by, kind, dataset, field, rule, record_ref,"
    " key_epoch, suite, baseline, statement, opened_at, due_on, clock, status, outcome, answer,"
    " answered_at, closed_at, evidence, owner, shown_key, n.seen, n.version"
    " FROM ledger.ticket t CROSS JOIN LATERAL (SELECT coalesce(max(id), 0) AS version,"
    " max(transfer) FILTER (WHERE event = 'seen' AND id > coalesce((SELECT max(r.id)"
    " FROM ledger.ticket_event r WHERE r.ticket = t.id AND r.event = 'reopened'), 0)) AS seen"
    " FROM ledger.ticket_event WHERE ticket = t.id) n"
)

_OPEN = (
    "INSERT INTO ledger.ticket (agency, opened_for, opened_by, kind, dataset, statement,"
    " opened_at, due_on, clock, field, rule, record_ref, key_epoch, suite, baseline,"
    " shown_key) VALUES"
    " (%(agency)s, %(opened_for)s, %(opened_by)s, %(kind)s, %(dataset)s, %(statement)s,"
    " %(opened_at)s, %(due_on)s, %(clock)s, %(field)s, %(rule)s, %(record_ref)s, %(key_epoch)s,"
    " %(suite)s, %(baseline)s, %(shown_key)s) RETURNING id"
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
    statement, baseline = clean("statement", new.statement), json.dumps(dict(new.baseline))
    values = {**asdict(new), "statement": statement, "baseline": baseline}
    with connection.transaction():
        ticket = one_scalar(connection, int, _OPEN, values)
        note(connection, ticket, Event(new.opened_at, "opened", new.opened_by))
        facts = {
            "for": new.opened_for,
            "agency": new.agency,
            "kind": new.kind,
            "rule": new.rule,
            "due_on": new.due_on.isoformat(),
        }
        Step(ticket, "opened", new.dataset, new.opened_by).audit(connection, facts)
    return ticket


def listed(connection: Connection, agency: str | None, status: str | None = None) -> list[Ticket]:
    """Tickets that an agency must answer, or all; those due first come first.

    Args:
        connection: of the hub's database.
        agency: the provider; None: all of them.
        status: only those of this status; None: of any.

    Raises:
        ConfigError: no such status; it lists the known ones.
    """
    if status is not None and status not in STATUSES:
        raise UsageError(unknown("status", status, STATUSES))
    return fetch_all(
        connection,
        made,
        TICKETS + " WHERE agency = coalesce(%s, agency) AND status = coalesce(%s, status)"
        " ORDER BY status = 'closed', due_on, t.id",
        (agency, status),
    )


def get(connection: Connection, ticket_id: int) -> Ticket | None:
    """The ticket of that id, or None."""
    return fetch_one(connection, made, TICKETS + " WHERE t.id = %s", (ticket_id,))


def events(connection: Connection, ticket_id: int) -> list[Event]:
    """What happened to a ticket, oldest first."""
    return fetch_all(
        connection,
        _event,
        "SELECT at, event, actor, text, transfer, detail FROM ledger.ticket_event"
        " WHERE ticket = %s ORDER BY id",
        (ticket_id,),
    )


def acknowledge(connection: Connection, ticket_id: int, acting: Acting) -> None:
    """The agency has read the ticket; who has is its owner, where it has none.

    Args:
        connection: the transaction is opened here.
        ticket_id: of an open ticket.
        acting: who has read it, and when.

    Raises:
        UnknownTicket: no such ticket.
        WrongState: it is not open.
        TicketChanged: somebody has acted on it since it was read.
    """
    with connection.transaction():
        found = _enter(connection, ticket_id, "acknowledged", acting)
        connection.execute(
            "UPDATE ledger.ticket SET status = 'acknowledged',"
            " owner = CASE owner WHEN '' THEN %s ELSE owner END WHERE id = %s",
            (acting.actor, ticket_id),
        )
        note(connection, ticket_id, Event(acting.at, "acknowledged", acting.actor))
        Step(ticket_id, "acknowledged", found.dataset, acting.actor).audit(connection, {})


def hand_over(connection: Connection, ticket_id: int, owner: str, acting: Acting) -> None:
    """Somebody else of the agency works on the ticket from now on.

    Args:
        connection: the transaction is opened here.
        ticket_id: of a ticket that waits for its answer.
        owner: who; a user's name, fit to be kept.
        acting: who hands it over, and when.

    Raises:
        UnknownTicket: no such ticket.
        WrongState: it is answered or closed.
        TicketChanged: as `acknowledge`.
    """
    with connection.transaction():
        found = _enter(connection, ticket_id, "handed over", acting)
        connection.execute("UPDATE ledger.ticket SET owner = %s WHERE id = %s", (owner, ticket_id))
        note(connection, ticket_id, Event(acting.at, "handed_over", acting.actor, owner))
        Step(ticket_id, "handed_over", found.dataset, acting.actor).audit(connection, {})


def comment(connection: Connection, ticket_id: int, text: str, acting: Acting) -> None:
    """Somebody of either agency says something about a ticket that is not closed.

    Args:
        connection: the transaction is opened here.
        ticket_id: of the ticket.
        text: what is said.
        acting: who says it, and when.

    Raises:
        UnknownTicket: no such ticket.
        WrongState: it is closed.
        TicketChanged: as `acknowledge`.
        RefusedText: the text is empty or holds personal data.
    """
    said = clean("comment", text)
    with connection.transaction():
        found = _enter(connection, ticket_id, "commented", acting)
        note(connection, ticket_id, Event(acting.at, "commented", acting.actor, said))
        Step(ticket_id, "commented", found.dataset, acting.actor).audit(connection, {})


def reopen(connection: Connection, ticket_id: int, reason: str, due: Due, acting: Acting) -> None:
    """A ticket that was answered or closed waits for an answer once more.

    Args:
        connection: the transaction is opened here.
        ticket_id: of the ticket.
        reason: why the answer does not do.
        due: the last day to answer on.
        acting: who challenges once more, and when.

    Raises:
        UnknownTicket: no such ticket.
        WrongState: it still waits for its answer.
        TicketChanged: as `acknowledge`.
        RefusedText: the reason is empty or holds personal data.
    """
    said = clean("reason", reason)
    with connection.transaction():
        found = _enter(connection, ticket_id, "reopened", acting)
        connection.execute(
            "UPDATE ledger.ticket SET status = 'open', outcome = '', answer = '',"
            " answered_at = NULL, closed_at = NULL, evidence = '{}', due_on = %s, clock = %s"
            " WHERE id = %s",
            (due.day, due.clock, ticket_id),
        )
        note(connection, ticket_id, Event(acting.at, "reopened", acting.actor, said))
        facts = {"due_on": due.day.isoformat()}
        Step(ticket_id, "reopened", found.dataset, acting.actor).audit(connection, facts)


def answer(connection: Connection, ticket_id: int, given: Answer, acting: Acting) -> None:
    """The agency's answer: `corrected` at the source, `confirmed` as right, or `rejected`.

    Args:
        connection: the transaction is opened here.
        ticket_id: of a ticket that is open or acknowledged.
        given: outcome and text.
        acting: who answers, and when.

    Raises:
        UnknownTicket: no such ticket.
        WrongState: it is answered or closed.
        TicketChanged: as `acknowledge`.
        ConfigError: no such outcome; it lists the known ones.
        RefusedText: the text is empty or holds personal data.
    """
    if given.outcome not in OUTCOMES:
        raise UsageError(unknown("outcome", given.outcome, OUTCOMES))
    said = clean("answer", given.text)
    with connection.transaction():
        found = _enter(connection, ticket_id, "answered", acting)
        at, actor = acting.at, acting.actor
        connection.execute(
            "UPDATE ledger.ticket SET status = 'answered', outcome = %s, answer = %s,"
            " answered_at = %s WHERE id = %s",
            (given.outcome, said, at, ticket_id),
        )
        happened = Event(at, "answered", actor, said, detail={"outcome": given.outcome})
        note(connection, ticket_id, happened)
        facts = {"outcome": given.outcome, "late": found.overdue(at.astimezone(ZONE).date())}
        Step(ticket_id, "answered", found.dataset, actor).audit(connection, facts)


def saw(
    connection: Connection, ticket_id: int, transfer: int, detail: Mapping[str, Any], at: datetime
) -> bool:
    """Note that a collect has seen the correction, once per transfer; False when known already.

    Args:
        connection: the transaction is opened here.
        ticket_id: of the ticket.
        transfer: the collect.
        detail: numbers of what it saw.
        at: the hub's time.
    """
    with connection.transaction():
        found = _found(connection, ticket_id)
        told = [e.transfer or 0 for e in events(connection, ticket_id) if e.event == "seen"]
        if found.status == "closed" or max(told, default=0) >= transfer:
            return False
        note(connection, ticket_id, Event(at, "seen", "hub", "", transfer, detail))
        Step(ticket_id, "seen", found.dataset, "hub").audit(connection, {"transfer": transfer})
    return True


def close(
    connection: Connection, ticket_id: int, evidence: Mapping[str, Any], acting: Acting
) -> None:
    """End a ticket.

    Args:
        connection: the transaction is opened here.
        ticket_id: of an answered ticket.
        evidence: `{"seen": <transfer>}`, a transfer that saw the correction, or
            `{"without_correction": "<reason>"}`.
        acting: who closes it, and when.

    Raises:
        UnknownTicket: no such ticket.
        WrongState: not answered, or that transfer saw no correction.
        TicketChanged: as `acknowledge`.
        ConfigError: the evidence is neither of the two.
        RefusedText: the reason is empty or holds personal data.
    """
    if len(evidence) != 1 or not set(evidence) <= {"seen", "without_correction"}:
        msg = "evidence: give either seen (a transfer) or without_correction (the reason)"
        raise ConfigError(msg)
    reason = evidence.get("without_correction")
    kept = dict(evidence) if reason is None else {"without_correction": clean("reason", reason)}
    with connection.transaction():
        found = _enter(connection, ticket_id, "closed", acting)
        at, actor = acting.at, acting.actor
        if reason is None:
            kept |= _detail(ticket_id, _seen(connection, ticket_id), evidence["seen"])
        connection.execute(
            "UPDATE ledger.ticket SET status = 'closed', closed_at = %s, evidence = %s"
            " WHERE id = %s",
            (at, json.dumps(kept), ticket_id),
        )
        said = "" if reason is None else str(kept["without_correction"])
        note(connection, ticket_id, Event(at, "closed", actor, said))
        facts = {"seen": evidence.get("seen"), "without_correction": reason is not None}
        Step(ticket_id, "closed", found.dataset, actor).audit(connection, facts)


def _seen(connection: Connection, ticket_id: int) -> list[Event]:
    """Collects that saw a correction since the ticket was opened, or was opened again."""
    found: list[Event] = []
    for event in events(connection, ticket_id):
        if event.event == "reopened":
            found = []
        elif event.event == "seen":
            found.append(event)
    return found


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


def _enter(connection: Connection, ticket_id: int, status: str, acting: Acting) -> Ticket:
    """The ticket, locked, when it may come to that state and is as it was read."""
    found = _found(connection, ticket_id)
    if acting.version is not None and acting.version != found.version:
        msg = f"ticket {ticket_id}: somebody has acted on it meanwhile; read it again"
        raise TicketChanged(msg)
    if found.status not in _FROM[status]:
        msg = (
            f"ticket {ticket_id} is {found.status}; only one that is"
            f" {' or '.join(_FROM[status])} can be {status}"
        )
        raise WrongState(msg)
    return found


def made(**columns: Any) -> Ticket:  # noqa: ANN401 - a row by its columns
    """The ticket of a row of `TICKETS`."""
    return Ticket(**{**columns, **{name: _local(columns[name]) for name in _TIMES}})


def _event(**columns: Any) -> Event:  # noqa: ANN401 - a row by its columns
    return Event(**{name: _local(value) for name, value in columns.items()})


def _local(value: Any) -> Any:  # noqa: ANN401 - a column of any type
    """Times as the hub shows them: in its own zone."""
    return value.astimezone(ZONE) if isinstance(value, datetime) else value
