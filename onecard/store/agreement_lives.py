"""The life of agreements: draft → approved → in force → suspended → expired.

The YAML file is the text; approvals and suspensions are events in the ledger, bound to the
text's fingerprint, so that a changed field list waits for approval again. A stop (kill switch)
is per consumer or for all, and is looked at before anything leaves. Where a text asks for two
people, `onecard.model.approvals` says which approval counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import LiteralString

from onecard.errors import PolicyError
from onecard.model import approvals
from onecard.model.agreements import ALL, AgreementEvent, Life, LifeEvent, State
from onecard.model.approvals import ApprovalChanged, SamePerson
from onecard.store import audit, locks
from onecard.store.agreement_events import Act, newest_first, record
from onecard.store.database import Connection
from onecard.store.together import Sent, send
from schemas.models.agreement import Agreement


@dataclass(frozen=True, slots=True)
class Text:
    """An agreement and its fingerprint.

    Attributes:
        agreement: as it stands in its file.
        fingerprint: of its content.
    """

    agreement: Agreement
    fingerprint: str = field(repr=False)

    @classmethod
    def of(cls, agreement: Agreement) -> Text:
        """An agreement with its fingerprint, computed now."""
        return cls(agreement, agreement.fingerprint)


@dataclass(frozen=True, slots=True)
class _Event(AgreementEvent):
    """A line of some agreement's life."""

    agreement: str


@dataclass(frozen=True, slots=True)
class _Stop:
    """The newest act about a scope."""

    scope: str
    stopped: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Lives:
    """What was asked of some agreements' lives (`ask`); read it when the answers are there."""

    _texts: Sequence[Text]
    _events: Sent[_Event]
    _stops: Sent[_Stop]

    def on(self, today: date) -> dict[str, Life]:
        """Where they stand on a day, by id; to be read once.

        Args:
            today: the hub's day.
        """
        events = self._events.all()
        stops = {stop.scope: stop.reason for stop in self._stops.all() if stop.stopped}
        found = {}
        for text in self._texts:
            own = [event for event in events if event.agreement == text.agreement.id]
            stopped = stops.get(ALL, stops.get(text.agreement.consumer))
            found[text.agreement.id] = _life(text, own, stopped, today)
        return found


_EVENTS: LiteralString = (
    "SELECT id, event, version, fingerprint, actor, document, content, at, agreement"
    " FROM ledger.agreement_event WHERE agreement = ANY(%s) ORDER BY id DESC"
)
_ACTS: LiteralString = (
    "SELECT id, event, version, fingerprint, actor, document, at, agreement,"
    " jsonb_build_object('approvers', coalesce(content -> 'approvers', '1')) AS content"
    " FROM ledger.agreement_event WHERE agreement = ANY(%s) ORDER BY id DESC"
)
"""Of a text only what `onecard.model.approvals` reads of it."""


def ask(connection: Connection, texts: Sequence[Text], *, contents: bool = True) -> Lives:
    """Ask where some agreements stand, by two statements for all of them.

    Args:
        connection: of the hub's database.
        texts: the agreements, each once.
        contents: whether approved texts are read; else of each only how many people it asks for.
    """
    ids = [text.agreement.id for text in texts]
    events = send(connection, _Event, _EVENTS if contents else _ACTS, (ids,))
    return Lives(texts, events, _ask_stops(connection, [t.agreement.consumer for t in texts]))


def life(connection: Connection, agreement: Agreement, today: date) -> Life:
    """Where the agreement stands on a day.

    Args:
        connection: of the hub's database.
        agreement: as it stands in its file.
        today: the hub's day.
    """
    return ask(connection, [Text.of(agreement)]).on(today)[agreement.id]


def _life(text: Text, events: Sequence[AgreementEvent], stopped: str | None, today: date) -> Life:
    found = approvals.standing(events)
    approval = found.approval
    return Life(
        _state(text, found.newest, today),
        approval,
        approval is not None and approval.fingerprint != text.fingerprint,
        stopped,
        found.waiting(text.fingerprint),
        found.approvers(text.agreement),
    )


def _state(text: Text, newest: AgreementEvent | None, today: date) -> State:
    agreement = text.agreement
    if not agreement.served:
        return "not_served"
    if today > agreement.validity.last:
        return "expired"
    if newest is not None and newest.event == "suspended":
        return "suspended"
    if newest is None or newest.fingerprint != text.fingerprint:
        return "draft"
    return "in_force" if today >= agreement.validity.first else "approved"


def permit(connection: Connection, agreement: Agreement, today: date) -> Life:
    """Refuse unless rows may be delivered right now.

    Args:
        connection: of the hub's database.
        agreement: as it stands in its file.
        today: the hub's day.

    Raises:
        PolicyError: not approved in this text, suspended, stopped, outside its validity, or one
            under which single persons are asked for.
    """
    if agreement.asked:
        msg = f"{agreement.id} answers calls (mode {agreement.mode}): nothing is delivered under it"
        raise PolicyError(msg)
    found = life(connection, agreement, today)
    if found.stopped is not None:
        msg = f"{agreement.id}: deliveries to {agreement.consumer} are stopped: nothing leaves"
        raise PolicyError(msg)
    if found.state == "in_force":
        return found
    why = {
        "not_served": f"is not served (mode {agreement.mode})",
        "draft": _unapproved(found),
        "approved": f"is in force only from {agreement.validity.first}",
        "suspended": "is suspended",
        "expired": f"expired on {agreement.validity.last}",
        "in_force": "",
    }[found.state]
    msg = f"{agreement.id} {why}: nothing leaves"
    raise PolicyError(msg)


def _unapproved(found: Life) -> str:
    if found.first is not None:
        return "is approved by one person, and needs the approval of a second one"
    if found.changed:
        return "has changed since its approval and must be approved again"
    return "is not approved; see `onecard agreements approve`"


def approve(
    connection: Connection,
    agreement: Agreement,
    actor: str,
    document: str,
    seen: int | None = None,
) -> None:
    """Record an approval of the agreement's present text (also after a suspension).

    Where two people must approve it, the first one's approval only waits for the second one's.

    Args:
        connection: of the hub's database; a transaction is made.
        agreement: as it stands in its file.
        actor: who approved.
        document: reference of the document of approval.
        seen: the first approval that the person has seen waiting, 0: none; None: not asked.

    Raises:
        SamePerson: who gave the first approval cannot give the second.
        ApprovalChanged: another first approval waits than was seen.
        PolicyError: not served, nobody or no document named, or other content was approved
            under the same version before.
    """
    if not agreement.served:
        msg = f"{agreement.id} is not served (mode {agreement.mode}): there is nothing to approve"
        raise PolicyError(msg)
    if not actor.strip() or not document.strip():
        msg = f"{agreement.id}: an approval names who approved, and by which document"
        raise PolicyError(msg)
    with connection.transaction():
        locks.hold_in_transaction(connection, locks.Kind.APPROVAL, agreement.id)
        known = newest_first(connection, agreement.id)
        _refuse_other_content(agreement, known)
        found = approvals.standing(known)
        first = _first(agreement, found, seen)
        if found.approvers(agreement) < 2:
            record(connection, agreement, "approved", Act(actor, document))
            return
        if first is not None and approvals.same_person(first.actor, actor):
            msg = f"{agreement.id}: {first.actor} gave the first approval; the second is another's"
            raise SamePerson(msg)
        event: LifeEvent = "endorsed" if first is None else "approved"
        record(connection, agreement, event, Act(actor, document))


def withdraw(
    connection: Connection, agreement: Agreement, act: Act, seen: int | None = None
) -> None:
    """Take back the first of two approvals of the agreement's present text.

    Args:
        connection: of the hub's database; a transaction is made.
        agreement: as it stands in its file.
        act: who takes it back, and why.
        seen: the first approval that the person has seen waiting; None: not asked.

    Raises:
        ApprovalChanged: another first approval waits than was seen.
        PolicyError: none waits, or nobody or no reason is named.
    """
    if not act.actor.strip() or not act.document.strip():
        msg = f"{agreement.id}: a withdrawal names who withdraws the approval, and why"
        raise PolicyError(msg)
    with connection.transaction():
        locks.hold_in_transaction(connection, locks.Kind.APPROVAL, agreement.id)
        found = approvals.standing(newest_first(connection, agreement.id))
        if _first(agreement, found, seen) is None:
            msg = f"{agreement.id}: no first approval of this text waits for a second one"
            raise PolicyError(msg)
        record(connection, agreement, "withdrawn", act)


def _first(
    agreement: Agreement, found: approvals.Standing, seen: int | None
) -> AgreementEvent | None:
    """The first approval that waits, as the person has seen it."""
    first = found.waiting(agreement.fingerprint)
    if seen is not None and seen != (first.id if first else 0):
        msg = f"{agreement.id}: its approvals have changed meanwhile; look at them again"
        raise ApprovalChanged(msg)
    return first


def _refuse_other_content(agreement: Agreement, events: Sequence[AgreementEvent]) -> None:
    for event in events:
        other = event.fingerprint != agreement.fingerprint
        if event.event == "approved" and event.version == agreement.version and other:
            msg = f"{agreement.id}: other content was approved as version {event.version}; raise it"
            raise PolicyError(msg)


def suspend(connection: Connection, agreement: Agreement, actor: str, reason: str) -> None:
    """Record a suspension; only a new approval ends it.

    Args:
        connection: of the hub's database; a transaction is made.
        agreement: as it stands in its file.
        actor: who suspended it.
        reason: why, or by which document.
    """
    record(connection, agreement, "suspended", Act(actor, reason))


def set_stop(connection: Connection, scope: str, actor: str, reason: str, *, stopped: bool) -> None:
    """Stop (or start again) all deliveries to a consumer, or with `ALL` to everybody.

    Args:
        connection: of the hub's database; a transaction is made.
        scope: the consumer, or `ALL`.
        actor: who stopped them.
        reason: why.
        stopped: False starts them again.
    """
    with connection.transaction():
        connection.execute(
            "INSERT INTO ledger.stop_event (scope, stopped, actor, reason) VALUES (%s, %s, %s, %s)",
            (scope, stopped, actor, reason),
        )
        kind = "deliveries.stopped" if stopped else "deliveries.started"
        audit.append(connection, kind, scope, actor, {"reason": reason})


def stopped(connection: Connection, consumer: str) -> str | None:
    """Why deliveries to the consumer are stopped, or None."""
    return next((s.reason for s in _ask_stops(connection, [consumer]).all() if s.stopped), None)


def _ask_stops(connection: Connection, consumers: Sequence[str]) -> Sent[_Stop]:
    """Ask for the newest act about each of some consumers, and about all."""
    return send(
        connection,
        _Stop,
        "SELECT DISTINCT ON (scope) scope, stopped, reason FROM ledger.stop_event"
        " WHERE scope = ANY(%s) ORDER BY scope, id DESC",
        ([*consumers, ALL],),
    )


def events(connection: Connection, agreement: str) -> list[AgreementEvent]:
    """The agreement's life, oldest first."""
    return newest_first(connection, agreement)[::-1]
