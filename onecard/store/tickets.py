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
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, LiteralString

from onecard.base.times import ZONE
from onecard.errors import ConfigError, UsageError, unknown
from onecard.model.tickets import (
    OUTCOMES,
    STATUSES,
    Answer,
    Event,
    NewTicket,
    Ticket,
    UnknownTicket,
    WrongState,
    clean,
)
from onecard.store import audit
from onecard.store.database import Connection, fetch_all, fetch_one, one_scalar

_FROM = {
    "acknowledged": ("open",),
    "answered": ("open", "acknowledged"),
    "closed": ("answered",),
}
"""From which states a ticket may come to each state."""

_TICKETS: LiteralString = (
    "SELECT t.id, agency, opened_for, opened_by, kind, dataset, field, rule, record_ref,"
    " key_epoch, suite, baseline, statement, opened_at, due_on, clock, status, outcome, answer,"
    " answered_at, closed_at, evidence, (SELECT max(transfer) FROM ledger.ticket_event e"
    " WHERE e.ticket = t.id AND e.event = 'seen') AS seen FROM ledger.ticket t"
)

_OPEN = (
    "INSERT INTO ledger.ticket (agency, opened_for, opened_by, kind, dataset, statement,"
    " opened_at, due_on, clock, field, rule, record_ref, key_epoch, suite, baseline) VALUES"
    " (%(agency)s, %(opened_for)s, %(opened_by)s, %(kind)s, %(dataset)s, %(statement)s,"
    " %(opened_at)s, %(due_on)s, %(clock)s, %(field)s, %(rule)s, %(record_ref)s, %(key_epoch)s,"
    " %(suite)s, %(baseline)s) RETURNING id"
)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of one ticket, for the audit log."""

    ticket: int
    event: str
    dataset: str
    actor: str

    def audit(self, connection: Connection, facts: Mapping[str, object]) -> None:
        """Write the entry; `facts` hold no free text."""
        kind, body = f"ticket.{self.event}", {"ticket": self.ticket, **facts}
        audit.append(connection, kind, self.dataset, self.actor, body)


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
        _note(connection, ticket, Event(new.opened_at, "opened", new.opened_by))
        facts = {
            "for": new.opened_for,
            "agency": new.agency,
            "kind": new.kind,
            "rule": new.rule,
            "due_on": new.due_on.isoformat(),
        }
        _Step(ticket, "opened", new.dataset, new.opened_by).audit(connection, facts)
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
        _ticket,
        _TICKETS + " WHERE agency = coalesce(%s, agency) AND status = coalesce(%s, status)"
        " ORDER BY status = 'closed', due_on, t.id",
        (agency, status),
    )


def get(connection: Connection, ticket_id: int) -> Ticket | None:
    """The ticket of that id, or None."""
    return fetch_one(connection, _ticket, _TICKETS + " WHERE t.id = %s", (ticket_id,))


def events(connection: Connection, ticket_id: int) -> list[Event]:
    """What happened to a ticket, oldest first."""
    return fetch_all(
        connection,
        _event,
        "SELECT at, event, actor, text, transfer, detail FROM ledger.ticket_event"
        " WHERE ticket = %s ORDER BY id",
        (ticket_id,),
    )


def acknowledge(connection: Connection, ticket_id: int, actor: str, at: datetime) -> None:
    """The agency has read the ticket.

    Args:
        connection: the transaction is opened here.
        ticket_id: of an open ticket.
        actor: who has read it.
        at: the hub's time.

    Raises:
        UnknownTicket: no such ticket.
        WrongState: it is not open.
    """
    with connection.transaction():
        found = _enter(connection, ticket_id, "acknowledged")
        connection.execute(
            "UPDATE ledger.ticket SET status = 'acknowledged' WHERE id = %s", (ticket_id,)
        )
        _note(connection, ticket_id, Event(at, "acknowledged", actor))
        _Step(ticket_id, "acknowledged", found.dataset, actor).audit(connection, {})


def answer(connection: Connection, ticket_id: int, actor: str, given: Answer, at: datetime) -> None:
    """The agency's answer: `corrected` at the source, `confirmed` as right, or `rejected`.

    Args:
        connection: the transaction is opened here.
        ticket_id: of a ticket that is open or acknowledged.
        actor: who answers.
        given: outcome and text.
        at: the hub's time.

    Raises:
        UnknownTicket: no such ticket.
        WrongState: it is answered or closed.
        ConfigError: no such outcome; it lists the known ones.
        RefusedText: the text is empty or holds personal data.
    """
    if given.outcome not in OUTCOMES:
        raise UsageError(unknown("outcome", given.outcome, OUTCOMES))
    said = clean("answer", given.text)
    with connection.transaction():
        found = _enter(connection, ticket_id, "answered")
        connection.execute(
            "UPDATE ledger.ticket SET status = 'answered', outcome = %s, answer = %s,"
            " answered_at = %s WHERE id = %s",
            (given.outcome, said, at, ticket_id),
        )
        happened = Event(at, "answered", actor, said, detail={"outcome": given.outcome})
        _note(connection, ticket_id, happened)
        facts = {"outcome": given.outcome, "late": found.overdue(at.astimezone(ZONE).date())}
        _Step(ticket_id, "answered", found.dataset, actor).audit(connection, facts)


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
        if found.status == "closed" or (found.seen is not None and found.seen >= transfer):
            return False
        _note(connection, ticket_id, Event(at, "seen", "hub", "", transfer, detail))
        _Step(ticket_id, "seen", found.dataset, "hub").audit(connection, {"transfer": transfer})
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
        connection.execute(
            "UPDATE ledger.ticket SET status = 'closed', closed_at = %s, evidence = %s"
            " WHERE id = %s",
            (at, json.dumps(kept), ticket_id),
        )
        said = "" if reason is None else str(kept["without_correction"])
        _note(connection, ticket_id, Event(at, "closed", actor, said))
        facts = {"seen": evidence.get("seen"), "without_correction": reason is not None}
        _Step(ticket_id, "closed", found.dataset, actor).audit(connection, facts)


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


def _ticket(**columns: Any) -> Ticket:  # noqa: ANN401 - a row by its columns
    return Ticket(**{name: _local(value) for name, value in columns.items()})


def _event(**columns: Any) -> Event:  # noqa: ANN401 - a row by its columns
    return Event(**{name: _local(value) for name, value in columns.items()})


def _local(value: Any) -> Any:  # noqa: ANN401 - a column of any type
    """Times as the hub shows them: in its own zone."""
    return value.astimezone(ZONE) if isinstance(value, datetime) else value
