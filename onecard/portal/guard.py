"""The one check before every route: who asks, whose page it is, and whether the object is theirs.

An object of another agency does not exist for a visitor: 404, as for one that is nowhere.

A route has nothing to work with but the `Visit` that is made by what it gets (`Admitted`): the
check runs in the thread of the view, by the request's one session. Who sends a form is asked who it
is before that as well: before a byte of the form is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from fastapi import Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from onecard.model.holds import agency_of
from onecard.model.quality_problems import KnownProblem
from onecard.model.tickets import Ticket
from onecard.portal import agreement_lines, pages, reports, security, uploads
from onecard.portal.access import Person, Visitor
from onecard.portal.access_file import AccessFile
from onecard.portal.reports import Report
from onecard.portal.request_session import RequestSession
from onecard.portal.site import Language, Site
from onecard.portal.uploads import Sent, SentFile
from onecard.store import quality_problems, tickets
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Catalogue

T = TypeVar("T")
LONGEST_ID = 18
"""Digits of an id: those of a `bigint`, and none that is beyond it."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a route gets to work with: everything in it, the visitor may see.

    Attributes:
        agency: whose page it is; empty on the start page.
        problem: of the page's agency.
        record: a rejected row that is one of the problem's open rows; 0: none is asked for.
        form: what was sent; its token is checked already.
        file: that came with the form, where the route takes one.
        session: of the hub's database, the request's own.
    """

    request: Request
    site: Site
    catalogue: Catalogue
    visitor: Visitor
    agency: str = ""
    agreement: Agreement | None = None
    ticket: Ticket | None = None
    report: Report | None = None
    problem: KnownProblem | None = None
    record: int = 0
    form: Mapping[str, str] = field(default_factory=dict)
    file: SentFile | None = None
    session: RequestSession = field(kw_only=True)

    @property
    def language(self) -> Language:
        """Of the page."""
        return pages.language(self.request)


Admitted = Callable[[], AbstractContextManager[Visit]]
"""Makes the visit of a request, or raises HTTPException; the visit lasts until the view's end."""


def there(found: T | None) -> T:
    """What a route's address names; the guard has looked for it.

    Raises:
        HTTPException: 404: the route names none.
    """
    if found is None:
        raise HTTPException(404)
    return found


def guard(
    site: Site, *, takes_file: bool = False, engineers_only: bool = False
) -> Callable[..., Awaitable[Admitted]]:
    """The dependency of every route.

    Args:
        site: the portal.
        takes_file: whether the route's form may carry a file.
        engineers_only: whether it is nowhere for who does not see every agency.
    """
    identity, mapping = Depends(site.identity), AccessFile(site.users)

    asked = partial(_asked, site, mapping, engineers_only=engineers_only)

    async def form(request: Request, person: Person = identity) -> AsyncIterator[Sent]:
        if request.method in ("GET", "HEAD"):
            yield Sent()
            return
        visitor, _ = await run_in_threadpool(asked, request, person)
        security.check_origin(request)
        check = partial(security.check_token, site.secret, visitor.name, site.settings.now())
        if takes_file and uploads.may_carry(request):
            async with uploads.read(request, check) as found:
                yield found
            return
        text = await security.read_form(request)
        check(text)
        yield Sent(text)

    written = Depends(form)

    @contextmanager
    def visit(request: Request, person: Person, sent: Sent) -> Iterator[Visit]:
        (visitor, catalogue), named = asked(request, person), request.path_params
        agency = named.get("agency", "")
        problem = None
        with RequestSession(site.address) as session:
            if "problem" in named:
                problem = _problem(session, catalogue, agency, named["problem"])
            yield Visit(
                request,
                site,
                catalogue,
                visitor,
                agency,
                _agreement(catalogue, agency, named["agreement"]) if "agreement" in named else None,
                _ticket(session, agency, named["ticket"]) if "ticket" in named else None,
                _report(site, agency, named["report"]) if "report" in named else None,
                problem,
                _record(session, there(problem), named["record"]) if "record" in named else 0,
                sent.form,
                sent.file,
                session=session,
            )

    async def admitted(
        request: Request, person: Person = identity, sent: Sent = written
    ) -> Admitted:
        return partial(visit, request, person, sent)

    return admitted


def _asked(
    site: Site, mapping: AccessFile, request: Request, person: Person, *, engineers_only: bool
) -> tuple[Visitor, Catalogue]:
    """Who asks, where the page is there for such a person; with the catalogue as it stands now."""
    catalogue = site.catalogue()
    known = catalogue.agencies
    found = mapping.now(known).visitor(person, known)
    if found is None:
        raise HTTPException(403, f"unmapped:{person.name}")
    named = request.path_params
    if engineers_only and not found.engineer:
        raise HTTPException(404)
    if "agency" in named and named["agency"] not in found.agencies:
        raise HTTPException(404)
    return found, catalogue


def _agreement(catalogue: Catalogue, agency: str, name: str) -> Agreement:
    found = catalogue.agreements.get(name)
    if found is None or not agreement_lines.concerns(found, agency):
        raise HTTPException(404)
    return found


def _number(name: str) -> int:
    """An id as an address writes it; what is none is nowhere."""
    if not (name.isascii() and name.isdigit() and len(name) <= LONGEST_ID):
        raise HTTPException(404)
    return int(name)


def _problem(session: RequestSession, catalogue: Catalogue, agency: str, name: str) -> KnownProblem:
    number = _number(name)
    with session.hub() as connection:
        found = quality_problems.get(connection, number)
    if found is None or not has_dataset(catalogue, agency, found.dataset):
        raise HTTPException(404)
    return found


def has_dataset(catalogue: Catalogue, agency: str, dataset: str) -> bool:
    """Whether a dataset is the agency's, and still has a contract.

    Args:
        catalogue: contracts.
        agency: its id.
        dataset: `<agency>/<dataset>`, as the ledger names it.
    """
    return agency_of(dataset) == agency and dataset in catalogue.contracts


def _record(session: RequestSession, problem: KnownProblem, name: str) -> int:
    record = _number(name)
    with session.hub() as connection:
        holds = quality_problems.holds_row(connection, problem.id, record)
    if not holds:
        raise HTTPException(404)
    return record


def _ticket(session: RequestSession, agency: str, name: str) -> Ticket:
    number = _number(name)
    with session.hub() as connection:
        found = tickets.get(connection, number)
    if found is None or agency not in (found.agency, found.opened_for):
        raise HTTPException(404)
    return found


def _report(site: Site, agency: str, name: str) -> Report:
    found = reports.get(site.settings.home, agency, name)
    if found is None:
        raise HTTPException(404)
    return found
