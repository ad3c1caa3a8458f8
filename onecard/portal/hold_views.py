"""What waits for a person, on the engineer's desk: the list, each with its numbers, the release."""

from __future__ import annotations

from fastapi import HTTPException
from fastapi.responses import RedirectResponse, Response

from onecard.errors import OnecardError, RetriableError, SupersededError
from onecard.model.signoffs import SignOff
from onecard.portal import hold_lines, security
from onecard.portal.answers import hub, page
from onecard.portal.guard import Visit
from onecard.portal.hold_lines import HeldThing
from onecard.portal.objects import there
from onecard.portal.pages import path
from onecard.portal.view import Routes
from onecard.store import hold_facts

LONGEST_REASON = 500


def hold_list(visit: Visit) -> Response:
    """Everything that waits."""
    with hub(visit) as connection:
        found = hold_lines.listed(connection, visit.catalogue, visit.language)
    return page(visit, "holds", lines=found)


def hold(visit: Visit) -> Response:
    """One thing that waits, or what became of it."""
    return _shown(visit, there(visit.hold))


def release_held(visit: Visit) -> Response:
    """Let it pass, as the page showed it: by the service behind `onecard release`."""
    from onecard.operations.hold_release import release_hold  # noqa: PLC0415 - rarely, and heavy

    thing = there(visit.hold)
    held = thing.hold
    if held is None or (held.releasable and not thing.ready):
        raise HTTPException(409, "hold_over")
    if visit.form.get("seen") != thing.seen:
        raise HTTPException(409, "hold_changed")
    if not held.releasable:
        raise HTTPException(409, "hold_never")
    reason = security.written(visit.form, "reason", LONGEST_REASON)
    with hub(visit) as connection:
        if hold_facts.under_way(connection, held):
            raise HTTPException(409, "hold_busy")
    who = visit.visitor.name
    try:
        done = release_hold(visit.site.hub(who), held, SignOff(who, reason))
    except SupersededError:
        raise HTTPException(409, "hold_changed") from None
    except OnecardError as error:
        return _failed(visit, thing, error)
    if done.already:
        raise HTTPException(409, "hold_over")
    number = held.number if held.kind == "reconcile" else done.transfer
    return RedirectResponse(path(visit.request, "engineer", "holds", f"{held.kind}-{number}"), 303)


def _failed(visit: Visit, before: HeldThing, error: OnecardError) -> Response:
    """The page as things stand after a release that did not come to its end, and why."""
    with hub(visit) as connection:
        after = hold_lines.find(connection, visit.catalogue, before.key)
    found = _shown(visit, there(after), str(error))
    found.status_code = 503 if isinstance(error, RetriableError) else 409
    return found


def _shown(visit: Visit, thing: HeldThing, failed: str = "") -> Response:
    line = None
    if thing.hold is not None:
        with hub(visit) as connection:
            line = hold_lines.line(connection, visit.catalogue, thing.hold, visit.language)
    return page(visit, "hold", thing=thing, line=line, failed=failed, longest=LONGEST_REASON)


ROUTES: Routes = (
    ("GET", "/engineer/holds", hold_list),
    ("GET", "/engineer/holds/{hold}", hold),
    ("POST", "/engineer/holds/{hold}/release", release_held),
)
