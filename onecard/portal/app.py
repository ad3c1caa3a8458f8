"""The application: routes of the portal, each behind the guard, and its error pages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, get_args

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException as PlainHTTPException

from onecard.errors import OnecardError, PolicyError, RetriableError, StorageError
from onecard.model.approvals import ApprovalChanged, SamePerson
from onecard.model.attachments import Unfit, UnfitFile
from onecard.model.quality_problems import ChangedMeanwhile
from onecard.model.tickets import TicketChanged, UnknownTicket, WrongState
from onecard.portal import engineer_views, pages, views
from onecard.portal.guard import guard
from onecard.portal.security import Headers, page_policy
from onecard.portal.site import Site
from onecard.portal.view import behind
from onecard.stewardship import receipt_check

ROUTES = (*engineer_views.ROUTES, *views.ROUTES)
"""Every route, in the order in which they are tried."""

REASONS = (
    "form",
    "provider",
    "answerer",
    "changed",
    "not_waiting",
    "own_people",
    "same_person",
    "approval_changed",
    "empty",
    "long",
    "signs",
    "personal",
    "outcome",
    "state",
    "problem_changed",
    "ticket_changed",
    "challenger",
    "not_seen",
    "version",
    "action",
    "none_chosen",
    "until",
    "format",
    "many",
    "dataset",
    "field",
    "key",
    "own_dataset",
    "no_file",
    "empty_file",
    "large",
    "busy",
    "hold_over",
    "hold_changed",
    "hold_never",
    "hold_busy",
    "incident_closed",
    "proving",
    "number",
    "day",
    "no_document",
    "not_concerned",
    *receipt_check.REASONS,
    *(f"file_{reason}" for reason in get_args(Unfit)),
    "two_agencies",
    "erased",
)
"""Details of our own refusals; each has its words."""

_CONFLICTS: Mapping[type[OnecardError], str] = {
    SamePerson: "same_person",
    ApprovalChanged: "approval_changed",
    ChangedMeanwhile: "problem_changed",
    TicketChanged: "ticket_changed",
    WrongState: "state",
    UnknownTicket: "state",
}
"""What other people have done meanwhile, the most particular first."""


def create_app(site: Site) -> FastAPI:
    """The portal; mount it anywhere."""
    app = FastAPI(title="onecard portal", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Headers, policy=_policy())
    app.include_router(_router(site))
    app.add_exception_handler(PlainHTTPException, partial(_refused, site))
    app.add_exception_handler(OnecardError, partial(_failed, site))
    app.add_exception_handler(Exception, partial(_broken, site))
    return app


def _policy() -> str:
    return page_policy(pages.style_digest())


def _router(site: Site) -> APIRouter:
    router = APIRouter(default_response_class=Response, redirect_slashes=False)
    guards: dict[tuple[int, bool], Any] = {}
    for method, route, view in ROUTES:
        kind = views.TAKES_FILE.get(view, 0), (method, route, view) in engineer_views.ROUTES
        if kind not in guards:
            guards[kind] = Depends(guard(site, file_bytes=kind[0], engineers_only=kind[1]))
        router.add_api_route(
            route,
            behind(guards[kind], view),
            methods=[method],
            name=view.__name__,
            response_model=None,
        )
    return router


async def _refused(site: Site, request: Request, error: Exception) -> Response:
    code = error.status_code if isinstance(error, HTTPException | PlainHTTPException) else 500
    detail = str(getattr(error, "detail", ""))
    if code == HTTPStatus.UNAUTHORIZED:
        wants_page = "text/html" in request.headers.get("accept", "")
        if site.login and request.method == "GET" and wants_page:
            return RedirectResponse(site.login(request), HTTPStatus.SEE_OTHER)
    return _error_page(site, request, code, _reason(request, detail))


async def _failed(site: Site, request: Request, error: Exception) -> Response:
    for kind, reason in _CONFLICTS.items():
        if isinstance(error, kind):
            return _error_page(site, request, HTTPStatus.CONFLICT, _reason(request, reason))
    if isinstance(error, UnfitFile):
        return _error_page(site, request, 422, _reason(request, f"file_{error.reason}"))
    if isinstance(error, PolicyError):
        return _error_page(site, request, HTTPStatus.CONFLICT, str(error))
    code = 503 if isinstance(error, RetriableError) else 500
    if isinstance(error, StorageError):
        code = HTTPStatus.INSUFFICIENT_STORAGE
    return _error_page(site, request, code, "")


async def _broken(site: Site, request: Request, _error: Exception) -> Response:
    """What nothing has foreseen; the server logs it."""
    answer = _error_page(site, request, HTTPStatus.INTERNAL_SERVER_ERROR, "")
    Headers.put(answer.headers, _policy())
    return answer


def _reason(request: Request, detail: str) -> str:
    words = pages.Words(pages.language(request))
    if detail.startswith("unmapped:"):
        return words("why_unmapped", name=detail.partition(":")[2])
    return words(f"why_{detail}") if detail in REASONS else ""


def _error_page(site: Site, request: Request, code: int, reason: str) -> Response:
    heading = pages.Words(pages.language(request)).known("error", str(code))
    values = {
        "heading": heading,
        "reason": reason,
        "visitor": None,
        "logout": site.logout,
        "other": pages.other_language(request, asked={}),  # what was refused is not said again
    }
    return pages.render(request, "error", values, code)
