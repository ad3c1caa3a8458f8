"""What each route answers. The guard has checked everything that stands in `Visit`."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.responses import FileResponse, Response

from onecard.model import attachments
from onecard.model.call_lines import systems
from onecard.model.reaction import FEW, QUANTILES
from onecard.operations import calls, reactions, upload_check
from onecard.portal import (
    agreement_views,
    attachment_views,
    calendar_views,
    call_lines,
    lineage_views,
    problem_views,
    reaction_lines,
    receipt_views,
    reports,
    security,
    self_check_views,
    ticket_views,
    today,
)
from onecard.portal.answers import beside, hub, note, page
from onecard.portal.guard import Visit
from onecard.portal.objects import there
from onecard.portal.view import Routes, View
from onecard.stewardship import receipt_check
from onecard.store.together import together


def home(visit: Visit) -> Response:
    """What there is to do today, in a line of words first."""
    with hub(visit) as connection, beside(visit) as other:
        found = today.today(connection, other, visit)
    return page(visit, "home", today=found, few=today.FEW)


def live(visit: Visit) -> Response:
    """How fast events reach their consumers, and calls about single persons, of late."""
    now, measured = visit.site.settings.now(), reaction_lines.measured(visit)
    with hub(visit) as connection:
        with together(connection):
            reaction = reactions.ask(connection, visit.catalogue, now, measured)
            called = calls.ask(connection, now)
        with together(connection):
            waits = reaction.send(connection)
    return page(
        visit,
        "live",
        reaction=reaction_lines.shown(reaction, waits),
        few=FEW,
        quantiles=QUANTILES,
        calls=call_lines.shown(called, visit),
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
    ("GET", "/{agency}/calendar", calendar_views.of_agency),
    ("GET", "/{agency}/self_check", self_check_views.self_check),
    ("POST", "/{agency}/self_check", self_check_views.check),
    ("POST", "/{agency}/self_check/copy", self_check_views.annotated),
    ("GET", "/{agency}/agreements", agreement_views.agreement_list),
    ("GET", "/{agency}/agreements/{agreement}", agreement_views.agreement),
    ("GET", "/{agency}/agreements/{agreement}/compare", agreement_views.compare),
    ("POST", "/{agency}/agreements/{agreement}/approve", agreement_views.approve),
    ("POST", "/{agency}/agreements/{agreement}/withdraw", agreement_views.withdraw),
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
    *receipt_views.ROUTES,
    *lineage_views.ROUTES,
)
TAKES_FILE: Mapping[View, int] = {
    self_check_views.check: upload_check.MOST_BYTES,
    self_check_views.annotated: upload_check.MOST_BYTES,
    receipt_views.check_document: receipt_check.LONGEST,
    ticket_views.open_ticket: attachments.MOST_BYTES,
    ticket_views.answer: attachments.MOST_BYTES,
    ticket_views.comment: attachments.MOST_BYTES,
}
"""Of the routes, those whose form may carry a file, with the bytes that it may have."""
