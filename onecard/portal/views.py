"""What each route answers. The guard has checked everything that stands in `Visit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import HTTPException
from fastapi.responses import FileResponse, Response

from onecard.model.call_lines import systems
from onecard.model.reaction import FEW, QUANTILES
from onecard.model.tickets import LONGEST_TEXT, OUTCOMES, Answer, Ticket
from onecard.portal import agreement_lines, call_lines, reaction_lines, reports, security
from onecard.portal.agreement_lines import AgreementLine
from onecard.portal.answers import back, hub, note, page
from onecard.portal.guard import Visit
from onecard.portal.problems import problem_list
from onecard.store import agreement_lives, holds, tickets
from onecard.store.database import Connection
from schemas.models.agreement import Agreement

T = TypeVar("T")
View = Callable[[Visit], Response]
WAITING = ("draft", "suspended")
"""States that an approval ends."""

LONGEST_DOCUMENT = 100


def behind(visit: Any, view: View) -> Callable[[Visit], Response]:  # noqa: ANN401 - FastAPI's Depends
    """The view as a route that gets what the guard found."""

    def route(found: Visit = visit) -> Response:
        return view(found)

    return route


def home(visit: Visit) -> Response:
    """My agencies, and what waits for me."""
    today = visit.site.settings.now().date()
    lines = []
    with hub(visit) as connection:
        held = holds.holds(connection, visit.catalogue)
        for agency in visit.visitor.agencies:
            waiting = [t for t in tickets.listed(connection, agency) if _unanswered(t)]
            lines.append(
                {
                    "id": agency,
                    "agency": visit.catalogue.agencies[agency],
                    "tickets": len(waiting),
                    "overdue": sum(t.overdue(today) for t in waiting),
                    "held": sum(agreement_lines.held_for(visit.catalogue, h, agency) for h in held),
                    "agreements": sum(
                        f.provider == agency and f.life.state in WAITING
                        for f in _lines(visit, connection, agency)
                    ),
                }
            )
        reaction = reaction_lines.shown(connection, visit)
        calls = call_lines.shown(connection, visit)
    return page(
        visit,
        "home",
        lines=lines,
        reaction=reaction,
        few=FEW,
        quantiles=QUANTILES,
        calls=calls,
        callers=systems(visit.catalogue),
    )


def report_list(visit: Visit) -> Response:
    """Files of the agency."""
    return page(visit, "reports", found=reports.listed(visit.site.settings.home, visit.agency))


def report_file(visit: Visit) -> Response:
    """One report file; workbooks, which name rows, are audited."""
    report = _there(visit.report)
    if report.kind == "problems":
        note(visit, "access.report", visit.agency, {"file": report.name})
    return FileResponse(
        report.path,
        media_type=report.media,
        filename=report.name,
        content_disposition_type="inline" if report.language else "attachment",
        headers={"Content-Security-Policy": security.REPORT_POLICY},
    )


def problems(visit: Visit) -> Response:
    """What waits for a person, and what the newest collects found."""
    contracts = visit.catalogue.datasets_of(visit.agency)
    with hub(visit) as connection:
        found = problem_list(connection, contracts, visit.site.rule_title)
        held = holds.holds(connection, visit.catalogue)
    mine = [h for h in held if agreement_lines.held_for(visit.catalogue, h, visit.agency)]
    return page(visit, "problems", datasets=found, held=mine)


def agreement_list(visit: Visit) -> Response:
    """What the agency gives and receives."""
    with hub(visit) as connection:
        found = _lines(visit, connection, visit.agency)
    parts = {
        "gives": [f for f in found if agreement_lines.gives(f.agreement, visit.agency)],
        "receives": [f for f in found if f.agreement.consumer == visit.agency],
    }
    return page(visit, "agreements", parts=parts)


def agreement(visit: Visit) -> Response:
    """One agreement in words; with a form where it waits for this agency's approval."""
    with hub(visit) as connection:
        line = _line(visit, connection, _there(visit.agreement))
        events = agreement_lives.events(connection, line.id)
    return page(
        visit,
        "agreement",
        line=line,
        fields=agreement_lines.fields(visit.catalogue, line.agreement),
        changes=agreement_lines.changes(visit.catalogue, line),
        events=events,
        waits=line.provider == visit.agency and line.life.state in WAITING,
        retention=line.agreement.retention.span.days,
        longest=LONGEST_DOCUMENT,
    )


def approve(visit: Visit) -> Response:
    """Approve the text that was on the page, as the agency that provides the data."""
    found = _there(visit.agreement)
    document = security.written(visit.form, "document", LONGEST_DOCUMENT)
    with hub(visit) as connection:
        line = _line(visit, connection, found)
        if line.provider != visit.agency:
            raise HTTPException(403, "provider")
        if visit.form.get("fingerprint") != found.fingerprint:
            raise HTTPException(409, "changed")
        if line.life.state not in WAITING:
            raise HTTPException(409, "not_waiting")
        agreement_lives.approve(connection, found, visit.visitor.name, document)
    return back(visit, "agreements", found.id)


def ticket_list(visit: Visit) -> Response:
    """Tickets to answer, and tickets that the agency raised."""
    with hub(visit) as connection:
        mine = tickets.listed(connection, visit.agency)
        everyone = tickets.listed(connection, None)
    raised = [t for t in everyone if t.opened_for == visit.agency]
    return page(visit, "tickets", parts={"to_answer": mine, "raised": raised})


def ticket(visit: Visit) -> Response:
    """One ticket and what happened to it; looking at it is audited."""
    found = _there(visit.ticket)
    note(visit, "access.ticket", found.dataset, {"ticket": found.id})
    with hub(visit) as connection:
        events = tickets.events(connection, found.id)
    return page(
        visit,
        "ticket",
        ticket=found,
        contract=visit.catalogue.contracts.get(found.dataset),
        events=events,
        rule_title=visit.site.rule_title(found.rule) if found.rule else "",
        answers=found.agency == visit.agency and _unanswered(found),
        outcomes=OUTCOMES,
        longest=LONGEST_TEXT,
    )


def acknowledge(visit: Visit) -> Response:
    """The agency has read the ticket."""
    found = _answerable(visit)
    with hub(visit) as connection:
        now = visit.site.settings.now()
        tickets.acknowledge(connection, found.id, visit.visitor.name, now)
    return back(visit, "tickets", str(found.id))


def answer(visit: Visit) -> Response:
    """The agency's answer."""
    found, outcome = _answerable(visit), visit.form.get("outcome", "")
    if outcome not in OUTCOMES:
        raise HTTPException(422, "outcome")
    text = security.written(visit.form, "text", LONGEST_TEXT)
    with hub(visit) as connection:
        now = visit.site.settings.now()
        tickets.answer(connection, found.id, visit.visitor.name, Answer(outcome, text), now)
    return back(visit, "tickets", str(found.id))


ROUTES: tuple[tuple[str, str, View], ...] = (
    ("GET", "/", home),
    ("GET", "/{agency}/reports", report_list),
    ("GET", "/{agency}/reports/{report}", report_file),
    ("GET", "/{agency}/problems", problems),
    ("GET", "/{agency}/agreements", agreement_list),
    ("GET", "/{agency}/agreements/{agreement}", agreement),
    ("POST", "/{agency}/agreements/{agreement}/approve", approve),
    ("GET", "/{agency}/tickets", ticket_list),
    ("GET", "/{agency}/tickets/{ticket}", ticket),
    ("POST", "/{agency}/tickets/{ticket}/acknowledge", acknowledge),
    ("POST", "/{agency}/tickets/{ticket}/answer", answer),
)


def _there(found: T | None) -> T:
    if found is None:
        raise HTTPException(404)
    return found


def _answerable(visit: Visit) -> Ticket:
    found = _there(visit.ticket)
    if found.agency != visit.agency:
        raise HTTPException(403, "answerer")
    return found


def _unanswered(found: Ticket) -> bool:
    return found.status in ("open", "acknowledged")


def _line(visit: Visit, connection: Connection, found: Agreement) -> AgreementLine:
    today = visit.site.settings.now().date()
    return agreement_lines.line(
        visit.catalogue, found, agreement_lives.life(connection, found, today)
    )


def _lines(visit: Visit, connection: Connection, agency: str) -> list[AgreementLine]:
    return [
        _line(visit, connection, found)
        for _, found in sorted(visit.catalogue.agreements.items())
        if agreement_lines.concerns(found, agency)
    ]
