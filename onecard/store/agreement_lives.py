"""The life of agreements: draft → approved → in force → suspended → expired.

The YAML file is the text; approvals and suspensions are events in the ledger, bound to the
text's fingerprint, so that a changed field list waits for approval again. A stop (kill switch)
is per consumer or for all, and is looked at before anything leaves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from onecard.errors import PolicyError
from onecard.model.agreements import ALL, AgreementEvent, Life, State
from onecard.store import audit
from onecard.store.database import Connection
from schemas.models.agreement import Agreement


def life(connection: Connection, agreement: Agreement, today: date) -> Life:
    """Where the agreement stands on a day."""
    found = _newest(connection, agreement.id)
    approval = next((e for e in found if e.event == "approved"), None)
    changed = approval is not None and approval.fingerprint != agreement.fingerprint
    state = _state(agreement, found, today)
    return Life(state, approval, changed, stopped(connection, agreement.consumer))


def _state(agreement: Agreement, events: list[AgreementEvent], today: date) -> State:
    if not agreement.served:
        return "not_served"
    if today > agreement.validity.last:
        return "expired"
    if events and events[0].event == "suspended":
        return "suspended"
    if not events or events[0].fingerprint != agreement.fingerprint:
        return "draft"
    return "in_force" if today >= agreement.validity.first else "approved"


def permit(connection: Connection, agreement: Agreement, today: date) -> Life:
    """Refuse unless rows may leave right now.

    Raises:
        PolicyError: not approved in this text, suspended, stopped, or outside its validity.
    """
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
    _record(connection, agreement, "approved", (actor, document))


def suspend(connection: Connection, agreement: Agreement, actor: str, reason: str) -> None:
    """Record a suspension; only a new approval ends it."""
    _record(connection, agreement, "suspended", (actor, reason))


def _record(connection: Connection, agreement: Agreement, event: str, by: tuple[str, str]) -> None:
    actor, document = by
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
                actor,
                document,
                agreement.canonical_text,
            ),
        )
        body = {
            "version": agreement.version,
            "fingerprint": agreement.fingerprint,
            "document": document,
        }
        audit.append(connection, f"agreement.{event}", agreement.id, actor, body)


def set_stop(connection: Connection, scope: str, actor: str, reason: str, *, stopped: bool) -> None:
    """Stop (or start again) all deliveries to a consumer, or with `ALL` to everybody."""
    with connection.transaction():
        connection.execute(
            "INSERT INTO ledger.stop_event (scope, stopped, actor, reason) VALUES (%s, %s, %s, %s)",
            (scope, stopped, actor, reason),
        )
        kind = "deliveries.stopped" if stopped else "deliveries.started"
        audit.append(connection, kind, scope, actor, {"reason": reason})


def stopped(connection: Connection, consumer: str) -> str | None:
    """Why deliveries to the consumer are stopped, or None."""
    row = connection.execute(
        "SELECT reason FROM (SELECT DISTINCT ON (scope) scope, stopped, reason"
        " FROM ledger.stop_event WHERE scope IN (%s, %s) ORDER BY scope, id DESC) newest"
        " WHERE stopped LIMIT 1",
        (consumer, ALL),
    ).fetchone()
    return str(row[0]) if row else None


def _newest(connection: Connection, agreement: str) -> list[AgreementEvent]:
    """The agreement's events, newest first."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT id, event, version, fingerprint, actor, document, content, at"
        " FROM ledger.agreement_event WHERE agreement = %s ORDER BY id DESC",
        (agreement,),
    ).fetchall()
    plain: list[tuple[Any, ...]] = [(*row[:6], _content(row[6]), row[7]) for row in rows]
    return [AgreementEvent(*row) for row in plain]


def events(connection: Connection, agreement: str) -> list[AgreementEvent]:
    """The agreement's life, oldest first."""
    return _newest(connection, agreement)[::-1]


def _content(found: object) -> Mapping[str, Any]:
    return dict(found) if isinstance(found, Mapping) else dict(json.loads(str(found)))
