"""What each route answers. The guard has checked everything that stands in `Visit`."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import HTTPException
from fastapi.responses import FileResponse, Response

from onecard.model import attachments
from onecard.model.call_lines import systems
from onecard.model.reaction import FEW, QUANTILES
from onecard.operations import upload_check
from onecard.portal import (
    agreement_lines,
    agreement_states,
    attachment_views,
    call_lines,
    problem_views,
    reaction_lines,
    reports,
    security,
    self_check_views,
    ticket_views,
    today,
)
from onecard.portal.agreement_lines import AgreementLine
from onecard.portal.answers import back, hub, note, page
from onecard.portal.guard import Visit, there
from onecard.portal.today import WAITING
from onecard.portal.view import Routes, View
from onecard.store import agreement_lives
from onecard.store.database import Connection
from schemas.models.agreement import Agreement

LONGEST_DOCUMENT = 100


def home(visit: Visit) -> Response:
    """What there is to do today, in a line of words first."""
    with hub(visit) as connection:
        found = today.today(connection, visit)
        oldest = reaction_lines.oldest(reaction_lines.shown(connection, visit))
    return page(visit, "home", today=found, oldest=oldest, few=today.FEW)


def live(visit: Visit) -> Response:
    """How fast events reach their consumers, and calls about single persons, of late."""
    with hub(visit) as connection:
        reaction = reaction_lines.shown(connection, visit)
        calls = call_lines.shown(connection, visit)
    return page(
        visit,
        "live",
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
    report = there(visit.report)
    if report.kind == "problems":
        note(visit, "access.report", visit.agency, {"file": report.name})
    return FileResponse(
        report.path,
        media_type=report.media,
        filename=report.name,
        content_disposition_type="inline" if report.language else "attachment",
        headers={"Content-Security-Policy": security.REPORT_POLICY},
    )


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
    """One agreement in words; with a form where it waits for this agency's approval."""
    with hub(visit) as connection:
        line = _line(visit, connection, there(visit.agreement))
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
    found = there(visit.agreement)
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


ROUTES: Routes = (
    ("GET", "/", home),
    ("GET", "/live", live),
    ("GET", "/{agency}/reports", report_list),
    ("GET", "/{agency}/reports/{report}", report_file),
    ("GET", "/{agency}/problems", problem_views.problem_list),
    ("POST", "/{agency}/problems", problem_views.bulk),
    ("GET", "/{agency}/problems/{problem}", problem_views.problem),
    ("POST", "/{agency}/problems/{problem}/acknowledge", problem_views.acknowledge_problem),
    ("POST", "/{agency}/problems/{problem}/accept", problem_views.accept_problem),
    ("POST", "/{agency}/problems/{problem}/reopen", problem_views.reopen_problem),
    ("POST", "/{agency}/problems/{problem}/comment", problem_views.comment_problem),
    ("POST", "/{agency}/problems/{problem}/rows", problem_views.rows_file),
    ("GET", "/{agency}/problems/{problem}/rows/{record}", problem_views.row),
    ("POST", "/{agency}/problems/{problem}/rows/{record}", problem_views.reveal),
    ("GET", "/{agency}/self_check", self_check_views.self_check),
    ("POST", "/{agency}/self_check", self_check_views.check),
    ("POST", "/{agency}/self_check/copy", self_check_views.annotated),
    ("GET", "/{agency}/agreements", agreement_list),
    ("GET", "/{agency}/agreements/{agreement}", agreement),
    ("POST", "/{agency}/agreements/{agreement}/approve", approve),
    ("GET", "/{agency}/tickets", ticket_views.ticket_list),
    ("POST", "/{agency}/tickets", ticket_views.open_ticket),
    ("GET", "/{agency}/tickets/{ticket}", ticket_views.ticket),
    ("POST", "/{agency}/tickets/{ticket}/acknowledge", ticket_views.acknowledge),
    ("POST", "/{agency}/tickets/{ticket}/hand_over", ticket_views.hand_over),
    ("POST", "/{agency}/tickets/{ticket}/answer", ticket_views.answer),
    ("POST", "/{agency}/tickets/{ticket}/comment", ticket_views.comment),
    ("GET", "/{agency}/tickets/{ticket}/attachments/{attachment}", attachment_views.attachment),
    ("POST", "/{agency}/tickets/{ticket}/close", ticket_views.close),
    ("POST", "/{agency}/tickets/{ticket}/reopen", ticket_views.reopen),
)
TAKES_FILE: Mapping[View, int] = {
    self_check_views.check: upload_check.MOST_BYTES,
    self_check_views.annotated: upload_check.MOST_BYTES,
    ticket_views.open_ticket: attachments.MOST_BYTES,
    ticket_views.answer: attachments.MOST_BYTES,
    ticket_views.comment: attachments.MOST_BYTES,
}
"""Of the routes, those whose form may carry a file, with the bytes that it may have."""


def _line(visit: Visit, connection: Connection, found: Agreement) -> AgreementLine:
    return agreement_states.lines(connection, visit, [found])[0]
