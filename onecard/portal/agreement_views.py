"""What the routes of agreements answer. The guard has checked everything that stands in `Visit`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi import HTTPException
from fastapi.responses import Response

from onecard.model import approvals
from onecard.model.agreements import AgreementEvent
from onecard.portal import agreement_lines, agreement_reading, agreement_states, security
from onecard.portal.agreement_lines import AgreementLine
from onecard.portal.answers import back, hub, page
from onecard.portal.guard import Visit
from onecard.portal.objects import there
from onecard.portal.today import WAITING
from onecard.portal.typed import id_of
from onecard.store import agreement_lives
from onecard.store.agreement_events import Act
from onecard.store.database import Connection
from schemas.models.agreement import Agreement

LONGEST_DOCUMENT = 100
LONGEST_REASON = 500
FILE = 0
"""Stands for the text of the file among those that were approved."""


def agreement_list(visit: Visit) -> Response:
    """What the agency gives and receives."""
    with hub(visit) as connection:
        concerned = [
            a
            for a in visit.catalogue.agreements.values()
            if agreement_lines.concerns(a, visit.agency)
        ]
        found = agreement_states.lines(connection, visit, concerned)
    parts = {
        "gives": [f for f in found if agreement_lines.gives(f.agreement, visit.agency)],
        "receives": [f for f in found if f.agreement.consumer == visit.agency],
    }
    return page(visit, "agreements", parts=parts)


def agreement(visit: Visit) -> Response:
    """One agreement in words, beside the approved text where it differs; with what can be done."""
    with hub(visit) as connection:
        line = _line(visit, connection, there(visit.agreement))
        events = agreement_lives.events(connection, line.id)
    life, text = line.life, _content(line.agreement)
    approved = life.approval.content if life.approval else None
    mine = line.provider == visit.agency
    waits = mine and life.state in WAITING
    return page(
        visit,
        "agreement",
        line=line,
        fields=agreement_lines.fields(visit.catalogue, line.agreement),
        weights=agreement_reading.weighing(visit, approved, text) if waits or life.changed else (),
        parts=agreement_reading.reading(visit, approved or text, text),
        events=events,
        texts=_approved(events),
        file=FILE,
        waits=waits,
        hindrance=_hindrance(visit, line),
        withdraws=mine and life.first is not None,
        retention=line.agreement.retention.span.days,
        longest=LONGEST_DOCUMENT,
        longest_reason=LONGEST_REASON,
    )


def _hindrance(visit: Visit, line: AgreementLine) -> str:
    """Why the visitor cannot approve what waits; empty: nothing is in the way."""
    life = line.life
    if life.approvers > 1 and visit.visitor.engineer:
        return "own_people"
    if life.first is not None and approvals.same_person(life.first.actor, visit.visitor.name):
        return "same_person"
    return ""


def approve(visit: Visit) -> Response:
    """Approve the text that was on the page, as the agency that provides the data."""
    found = there(visit.agreement)
    document = security.written(visit.form, "document", LONGEST_DOCUMENT)
    with hub(visit) as connection:
        line = _provided(visit, connection, found)
        if line.life.state not in WAITING:
            raise HTTPException(409, "not_waiting")
        if hindrance := _hindrance(visit, line):
            raise HTTPException(403, hindrance)
        seen = _seen(visit) if line.life.approvers > 1 else None
        agreement_lives.approve(connection, found, visit.visitor.name, document, seen)
    return back(visit, "agreements", found.id)


def withdraw(visit: Visit) -> Response:
    """Take back the first of two approvals, which was on the page."""
    found = there(visit.agreement)
    reason = security.written(visit.form, "reason", LONGEST_REASON)
    with hub(visit) as connection:
        line = _provided(visit, connection, found)
        if line.life.first is None:
            raise HTTPException(409, "approval_changed")
        act = Act(visit.visitor.name, reason)
        agreement_lives.withdraw(connection, found, act, _seen(visit))
    return back(visit, "agreements", found.id)


def compare(visit: Visit) -> Response:
    """Two texts side by side: any that were approved, and that of the file."""
    found, asked = there(visit.agreement), visit.request.query_params
    with hub(visit) as connection:
        line = _line(visit, connection, found)
        texts = _approved(agreement_lives.events(connection, found.id))
    newest = str(texts[0].id if texts else FILE)
    old = _chosen(texts, found, asked.get("old", newest))
    new = _chosen(texts, found, asked.get("new", str(FILE)))
    return page(
        visit,
        "agreement_compare",
        line=line,
        texts=texts,
        file=FILE,
        old=old,
        new=new,
        weights=agreement_reading.weighing(visit, old[1], new[1]),
        parts=agreement_reading.reading(visit, old[1], new[1]),
    )


def _provided(visit: Visit, connection: Connection, found: Agreement) -> AgreementLine:
    """The agreement as the page showed it, which the page's agency provides.

    Raises:
        HTTPException: 403: another provides it; 409: its text is another one by now.
    """
    line = _line(visit, connection, found)
    if line.provider != visit.agency:
        raise HTTPException(403, "provider")
    if visit.form.get("fingerprint") != found.fingerprint:
        raise HTTPException(409, "changed")
    return line


def _seen(visit: Visit) -> int:
    """The first approval that the page showed; 0: none.

    Raises:
        HTTPException: 422: the form does not say.
    """
    number = id_of(visit.form.get("first", ""))
    if number is None:
        raise HTTPException(422, "version")
    return number


def _approved(events: Sequence[AgreementEvent]) -> list[AgreementEvent]:
    """Approved texts, the newest first."""
    return [event for event in reversed(events) if event.event == "approved"]


def _chosen(
    texts: Sequence[AgreementEvent], found: Agreement, asked: str
) -> tuple[int, dict[str, Any]]:
    """Number and content of the text that an address asks for.

    Raises:
        HTTPException: 404: it was never approved for this agreement.
    """
    number = id_of(asked)
    if number == FILE:
        return FILE, _content(found)
    for event in texts:
        if event.id == number:
            return event.id, dict(event.content)
    raise HTTPException(404)


def _content(found: Agreement) -> dict[str, Any]:
    """The text of the file, as the ledger keeps texts."""
    content: dict[str, Any] = json.loads(found.canonical_text)
    return content


def _line(visit: Visit, connection: Connection, found: Agreement) -> AgreementLine:
    return agreement_states.lines(connection, visit, [found])[0]
