"""What each route answers. The guard has checked everything that stands in `Seen`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from fastapi import HTTPException
from fastapi.responses import FileResponse, RedirectResponse, Response

from onecard.model.tickets import LONGEST_TEXT
from onecard.portal import flows, pages, reports, security
from onecard.portal.flows import Flow
from onecard.portal.guard import Seen
from onecard.portal.problems import problem_list
from onecard.store import agreement_lives, audit, database, holds, tickets
from onecard.store.database import Connection
from onecard.store.tickets import OUTCOMES, Ticket
from schemas.models.agreement import Agreement

T = TypeVar("T")
View = Callable[[Seen], Response]
WAITING = ("draft", "suspended")
"""States that an approval ends."""

LONGEST_DOCUMENT = 100


def behind(seen: Any, view: View) -> Callable[[Seen], Response]:  # noqa: ANN401 - FastAPI's Depends
    """The view as a route that gets what the guard found."""

    def route(found: Seen = seen) -> Response:
        return view(found)

    return route


def home(seen: Seen) -> Response:
    """My agencies, and what waits for me."""
    today = seen.site.settings.now().date()
    lines = []
    with _hub(seen) as connection:
        held = holds.holds(connection, seen.catalogue)
        for agency in seen.visitor.agencies:
            waiting = [t for t in tickets.listed(connection, agency) if _unanswered(t)]
            lines.append(
                {
                    "id": agency,
                    "agency": seen.catalogue.agencies[agency],
                    "tickets": len(waiting),
                    "overdue": sum(t.overdue(today) for t in waiting),
                    "held": sum(flows.held_for(seen.catalogue, h, agency) for h in held),
                    "agreements": sum(
                        f.provider == agency and f.life.state in WAITING
                        for f in _flows(seen, connection, agency)
                    ),
                }
            )
    return _page(seen, "home", lines=lines)


def report_list(seen: Seen) -> Response:
    """Files of the agency."""
    return _page(seen, "reports", found=reports.listed(seen.site.settings.home, seen.agency))


def report_file(seen: Seen) -> Response:
    """One report file; workbooks, which name rows, are audited."""
    report = _there(seen.report)
    if report.kind == "problems":
        _audit(seen, "access.report", seen.agency, {"file": report.name})
    return FileResponse(
        report.path,
        media_type=report.media,
        filename=report.name,
        content_disposition_type="inline" if report.language else "attachment",
        headers={"Content-Security-Policy": security.REPORT_POLICY},
    )


def problems(seen: Seen) -> Response:
    """What waits for a person, and what the newest collects found."""
    contracts = seen.catalogue.datasets_of(seen.agency)
    with _hub(seen) as connection:
        found = problem_list(connection, contracts, seen.site.rule_title)
        held = holds.holds(connection, seen.catalogue)
    mine = [h for h in held if flows.held_for(seen.catalogue, h, seen.agency)]
    return _page(seen, "problems", datasets=found, held=mine)


def agreement_list(seen: Seen) -> Response:
    """What the agency gives and receives."""
    with _hub(seen) as connection:
        found = _flows(seen, connection, seen.agency)
    parts = {
        "gives": [f for f in found if flows.gives(f.agreement, seen.agency)],
        "receives": [f for f in found if f.agreement.consumer == seen.agency],
    }
    return _page(seen, "agreements", parts=parts)


def agreement(seen: Seen) -> Response:
    """One agreement in words; with a form where it waits for this agency's approval."""
    with _hub(seen) as connection:
        flow = _flow(seen, connection, _there(seen.agreement))
        events = agreement_lives.events(connection, flow.id)
    return _page(
        seen,
        "agreement",
        flow=flow,
        fields=flows.fields(seen.catalogue, flow.agreement),
        changes=flows.changes(seen.catalogue, flow),
        events=events,
        waits=flow.provider == seen.agency and flow.life.state in WAITING,
        retention=flow.agreement.retention.span.days,
        longest=LONGEST_DOCUMENT,
    )


def approve(seen: Seen) -> Response:
    """Approve the text that was on the page, as the agency that provides the data."""
    found = _there(seen.agreement)
    document = security.written(seen.form, "document", LONGEST_DOCUMENT)
    with _hub(seen) as connection:
        flow = _flow(seen, connection, found)
        if flow.provider != seen.agency:
            raise HTTPException(403, "provider")
        if seen.form.get("fingerprint") != found.fingerprint:
            raise HTTPException(409, "changed")
        if flow.life.state not in WAITING:
            raise HTTPException(409, "not_waiting")
        agreement_lives.approve(connection, found, seen.visitor.name, document)
    return _back(seen, "agreements", found.id)


def ticket_list(seen: Seen) -> Response:
    """Tickets to answer, and tickets that the agency raised."""
    with _hub(seen) as connection:
        mine = tickets.listed(connection, seen.agency)
        everyone = tickets.listed(connection, None)
    raised = [t for t in everyone if t.opened_for == seen.agency]
    return _page(seen, "tickets", parts={"to_answer": mine, "raised": raised})


def ticket(seen: Seen) -> Response:
    """One ticket and what happened to it; looking at it is audited."""
    found = _there(seen.ticket)
    _audit(seen, "access.ticket", found.dataset, {"ticket": found.id})
    with _hub(seen) as connection:
        events = tickets.events(connection, found.id)
    return _page(
        seen,
        "ticket",
        ticket=found,
        contract=seen.catalogue.contracts.get(found.dataset),
        events=events,
        rule_title=seen.site.rule_title(found.rule) if found.rule else "",
        answers=found.agency == seen.agency and _unanswered(found),
        outcomes=OUTCOMES,
        longest=LONGEST_TEXT,
    )


def acknowledge(seen: Seen) -> Response:
    """The agency has read the ticket."""
    found = _answerable(seen)
    with _hub(seen) as connection:
        now = seen.site.settings.now()
        tickets.acknowledge(connection, found.id, seen.visitor.name, now)
    return _back(seen, "tickets", str(found.id))


def answer(seen: Seen) -> Response:
    """The agency's answer."""
    found, outcome = _answerable(seen), seen.form.get("outcome", "")
    if outcome not in OUTCOMES:
        raise HTTPException(422, "outcome")
    text = security.written(seen.form, "text", LONGEST_TEXT)
    with _hub(seen) as connection:
        now = seen.site.settings.now()
        tickets.answer(connection, found.id, seen.visitor.name, outcome, text, now)
    return _back(seen, "tickets", str(found.id))


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


def _answerable(seen: Seen) -> Ticket:
    found = _there(seen.ticket)
    if found.agency != seen.agency:
        raise HTTPException(403, "answerer")
    return found


def _unanswered(found: Ticket) -> bool:
    return found.status in ("open", "acknowledged")


@contextmanager
def _hub(seen: Seen) -> Iterator[Connection]:
    with database.connect(seen.site.address(), autocommit=True) as connection:
        yield connection


def _audit(seen: Seen, kind: str, subject: str, body: dict[str, object]) -> None:
    with _hub(seen) as connection, connection.transaction():
        audit.append(connection, kind, subject, seen.visitor.name, body)


def _flow(seen: Seen, connection: Connection, found: Agreement) -> Flow:
    today = seen.site.settings.now().date()
    return flows.flow(seen.catalogue, found, agreement_lives.life(connection, found, today))


def _flows(seen: Seen, connection: Connection, agency: str) -> list[Flow]:
    return [
        _flow(seen, connection, found)
        for _, found in sorted(seen.catalogue.agreements.items())
        if flows.concerns(found, agency)
    ]


def _page(seen: Seen, template: str, **values: object) -> Response:
    site = seen.site
    common: dict[str, object] = {
        "visitor": seen.visitor,
        "agencies": seen.catalogue.agencies,
        "agency": seen.agency,
        "logout": site.logout,
        "today": site.settings.now().date(),
        "csrf": security.token(site.secret, seen.visitor.name, site.settings.now()),
    }
    return pages.render(seen.request, template, {**common, **values})


def _back(seen: Seen, *parts: str) -> Response:
    return RedirectResponse(pages.path(seen.request, seen.agency, *parts), 303)
