"""Incidents on the engineer's desk: a rule blocked after rows had left; a person closes each."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import HTTPException
from fastapi.responses import RedirectResponse, Response

from onecard.errors import UsageError
from onecard.model.signoffs import SignOff
from onecard.operations.incidents import close_incident
from onecard.portal import agreement_lines, security
from onecard.portal.answers import hub, page
from onecard.portal.guard import Visit
from onecard.portal.objects import there
from onecard.portal.pages import address, path
from onecard.portal.typed import id_of
from onecard.portal.view import Routes
from onecard.store import hold_facts, incidents
from quality.privacy import registry

PAGE = 50
"""Incidents on one page."""
LONGEST_REASON = 500
STATES: Mapping[str, bool | None] = {"open": False, "ended": True, "all": None}
"""What the list can be asked for, and whether they have ended; the first is the default."""


def incident_list(visit: Visit) -> Response:
    """Incidents, the newest first: those that are open, or what the address asks for."""
    asked = visit.request.query_params
    state = asked.get("status", "")
    state = state if state in STATES else next(iter(STATES))
    before = id_of(asked.get("before", "")) or 0
    with hub(visit) as connection:
        found = incidents.page(connection, ended=STATES[state], before=before, limit=PAGE + 1)
    more = ""
    if len(found) > PAGE:
        query = {"status": state, "before": str(found[PAGE - 1].id)}
        more = address(visit.request, "engineer", "incidents", **query)
    return page(
        visit, "incidents", found=found[:PAGE], state=state, states=tuple(STATES), more=more
    )


def incident(visit: Visit) -> Response:
    """One incident: what was blocked, what had left, who has closed it."""
    found = there(visit.incident)
    with hub(visit) as connection:
        transfer = hold_facts.ended_transfer(connection, found.transfer)
        closing = incidents.closing(connection, found) if found.ended else None
    agreement = visit.catalogue.agreements.get(found.agreement)
    return page(
        visit,
        "incident",
        incident=found,
        agreement=agreement,
        provider=agreement_lines.provider(agreement) if agreement else "",
        rule=registry.texts().get(found.rule),
        transfer=transfer,
        closing=closing,
        longest=LONGEST_REASON,
    )


def close(visit: Visit) -> Response:
    """It was handled: on record with who, and what was found and done."""
    found = there(visit.incident)
    if found.ended:
        raise HTTPException(409, "incident_closed")
    reason = security.written(visit.form, "reason", LONGEST_REASON)
    with hub(visit) as connection:
        try:
            close_incident(connection, found.id, SignOff(visit.visitor.name, reason))
        except UsageError:  # somebody else was quicker
            raise HTTPException(409, "incident_closed") from None
    return RedirectResponse(path(visit.request, "engineer", "incidents", str(found.id)), 303)


ROUTES: Routes = (
    ("GET", "/engineer/incidents", incident_list),
    ("GET", "/engineer/incidents/{incident}", incident),
    ("POST", "/engineer/incidents/{incident}/close", close),
)
