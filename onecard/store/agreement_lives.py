"""The life of agreements: draft → approved → in force → suspended → expired.

The YAML file is the text; approvals and suspensions are events in the ledger, bound to the
text's fingerprint, so that a changed field list waits for approval again. A stop (kill switch)
is per consumer or for all, and is looked at before anything leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from onecard.errors import PolicyError
from onecard.model.agreements import ALL, AgreementEvent, Life, State
from onecard.store import audit
from onecard.store.database import Connection, fetch_all
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
            approval = next((e for e in own if e.event == "approved"), None)
            changed = approval is not None and approval.fingerprint != text.fingerprint
            stopped = stops.get(ALL, stops.get(text.agreement.consumer))
            state = _state(text, own, today)
            found[text.agreement.id] = Life(state, approval, changed, stopped)
        return found


def ask(connection: Connection, texts: Sequence[Text]) -> Lives:
    """Ask where some agreements stand, by two statements for all of them.

    Args:
        connection: of the hub's database.
        texts: the agreements, each once.
    """
    events = send(
        connection,
        _Event,
        "SELECT id, event, version, fingerprint, actor, document, content, at, agreement"
        " FROM ledger.agreement_event WHERE agreement = ANY(%s) ORDER BY id DESC",
        ([text.agreement.id for text in texts],),
    )
    return Lives(texts, events, _ask_stops(connection, [t.agreement.consumer for t in texts]))


def life(connection: Connection, agreement: Agreement, today: date) -> Life:
    """Where the agreement stands on a day.

    Args:
        connection: of the hub's database.
        agreement: as it stands in its file.
        today: the hub's day.
    """
    return ask(connection, [Text.of(agreement)]).on(today)[agreement.id]


def _state(text: Text, events: Sequence[AgreementEvent], today: date) -> State:
    agreement = text.agreement
    if not agreement.served:
        return "not_served"
    if today > agreement.validity.last:
        return "expired"
    if events and events[0].event == "suspended":
        return "suspended"
    if not events or events[0].fingerprint != text.fingerprint:
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
        "draft": "has changed since its approval and must be approved again"
        if found.changed
        else "is not approved; see `onecard agreements approve`",
        "approved": f"is in force only from {agreement.validity.first}",
        "suspended": "is suspended",
        "expired": f"expired on {agreement.validity.last}",
        "in_force": "",
    }[found.state]
    msg = f"{agreement.id} {why}: nothing leaves"
    raise PolicyError(msg)


def approve(connection: Connection, agreement: Agreement, actor: str, document: str) -> None:
    """Record an approval of the agreement's present text (also after a suspension).

    Args:
        connection: of the hub's database; a transaction is made.
        agreement: as it stands in its file.
        actor: who approved.
        document: reference of the document of approval.

    Raises:
        PolicyError: not served, nobody or no document named, or other content was approved
            under the same version before.
    """
    if not agreement.served:
        msg = f"{agreement.id} is not served (mode {agreement.mode}): there is nothing to approve"
        raise PolicyError(msg)
    if not actor.strip() or not document.strip():
        msg = f"{agreement.id}: an approval names who approved, and by which document"
        raise PolicyError(msg)
    for event in _newest(connection, agreement.id):
        other = event.fingerprint != agreement.fingerprint
        if event.event == "approved" and event.version == agreement.version and other:
            msg = f"{agreement.id}: other content was approved as version {event.version}; raise it"
            raise PolicyError(msg)
    _record(connection, agreement, "approved", Act(actor, document))


def suspend(connection: Connection, agreement: Agreement, actor: str, reason: str) -> None:
    """Record a suspension; only a new approval ends it.

    Args:
        connection: of the hub's database; a transaction is made.
        agreement: as it stands in its file.
        actor: who suspended it.
        reason: why, or by which document.
    """
    _record(connection, agreement, "suspended", Act(actor, reason))


@dataclass(frozen=True, slots=True)
class Act:
    """Who acted, and by which document or for which reason."""

    actor: str
    document: str


def _record(
    connection: Connection, agreement: Agreement, event: Literal["approved", "suspended"], act: Act
) -> None:
    with connection.transaction():
        connection.execute(
            "INSERT INTO ledger.agreement_event"
            " (agreement, version, fingerprint, event, actor, document, content)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (
                agreement.id,
                agreement.version,
                agreement.fingerprint,
                event,
                act.actor,
                act.document,
                agreement.canonical_text,
            ),
        )
        body = {
            "version": agreement.version,
            "fingerprint": agreement.fingerprint,
            "document": act.document,
        }
        audit.append(connection, f"agreement.{event}", agreement.id, act.actor, body)


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


def _newest(connection: Connection, agreement: str) -> list[AgreementEvent]:
    """The agreement's events, newest first."""
    return fetch_all(
        connection,
        AgreementEvent,
        "SELECT id, event, version, fingerprint, actor, document, content, at"
        " FROM ledger.agreement_event WHERE agreement = %s ORDER BY id DESC",
        (agreement,),
    )


def events(connection: Connection, agreement: str) -> list[AgreementEvent]:
    """The agreement's life, oldest first."""
    return _newest(connection, agreement)[::-1]


@dataclass(frozen=True, slots=True)
class _Text:
    agreement: str
    content: Mapping[str, Any]


def ever_of(connection: Connection, consumer: str) -> dict[str, Mapping[str, Any]]:
    """All agreements that were ever approved for a consumer: the newest text of each, by id.

    Those whose file is gone or broken are among them.
    """
    found = fetch_all(
        connection,
        _Text,
        "SELECT DISTINCT ON (agreement) agreement, content FROM ledger.agreement_event"
        " WHERE content->>'consumer' = %s ORDER BY agreement, id DESC",
        (consumer,),
    )
    return {line.agreement: line.content for line in found}
