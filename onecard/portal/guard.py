"""The one check before every route: who asks, whose page it is, and whether the object is theirs.

An object of another agency does not exist for a visitor: 404, as for one that is nowhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from fastapi import Depends, HTTPException, Request

from onecard.model.attachments import Attachment
from onecard.model.holds import agency_of
from onecard.model.quality_problems import KnownProblem
from onecard.model.tickets import Ticket
from onecard.portal import access, agreement_lines, pages, reports, security, uploads
from onecard.portal.access import Person, Visitor
from onecard.portal.reports import Report
from onecard.portal.site import Language, Site
from onecard.portal.uploads import Sent, SentFile
from onecard.store import attachments, database, quality_problems, tickets
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
        attachment: a file of the ticket.
    """

    request: Request
    site: Site
    catalogue: Catalogue
    visitor: Visitor
    agency: str = ""
    agreement: Agreement | None = None
    ticket: Ticket | None = None
    attachment: Attachment | None = None
    report: Report | None = None
    problem: KnownProblem | None = None
    record: int = 0
    form: Mapping[str, str] = field(default_factory=dict)
    file: SentFile | None = None

    @property
    def language(self) -> Language:
        """Of the page."""
        return pages.language(self.request)


def there(found: T | None) -> T:
    """What a route's address names; the guard has looked for it.

    Raises:
        HTTPException: 404: the route names none.
    """
    if found is None:
        raise HTTPException(404)
    return found


def guard(site: Site, *, file_bytes: int = 0, engineers_only: bool = False) -> Callable[..., Visit]:
    """The dependency of every route.

    Args:
        site: the portal.
        file_bytes: that a file may have which comes with the route's form; 0: none may come.
        engineers_only: whether it is nowhere for who does not see every agency.
    """
    identity = Depends(site.identity)

    def asked(request: Request, person: Person = identity) -> tuple[Visitor, Catalogue]:
        catalogue = site.catalogue()
        known = catalogue.agencies
        found = access.load(site.users, known).visitor(person, known)
        if found is None:
            raise HTTPException(403, f"unmapped:{person.name}")
        named = request.path_params
        if engineers_only and not found.engineer:
            raise HTTPException(404)
        if "agency" in named and named["agency"] not in found.agencies:
            raise HTTPException(404)
        return found, catalogue

    asking = Depends(asked)

    async def form(
        request: Request, who: tuple[Visitor, Catalogue] = asking
    ) -> AsyncIterator[Sent]:
        if request.method in ("GET", "HEAD"):
            yield Sent()
            return
        security.check_origin(request)
        check = partial(security.check_token, site.secret, who[0].name, site.settings.now())
        if file_bytes and uploads.may_carry(request):
            async with uploads.read(request, check, file_bytes) as found:
                yield found
            return
        text = await security.read_form(request)
        check(text)
        yield Sent(text)

    written = Depends(form)

    def visit(
        request: Request,
        who: tuple[Visitor, Catalogue] = asking,
        sent: Sent = written,
    ) -> Visit:
        (visitor, catalogue), named = who, request.path_params
        agency = named.get("agency", "")
        problem = None
        if "problem" in named:
            problem = _problem(site, catalogue, agency, named["problem"])
        ticket = _ticket(site, agency, named["ticket"]) if "ticket" in named else None
        return Visit(
            request,
            site,
            catalogue,
            visitor,
            agency,
            _agreement(catalogue, agency, named["agreement"]) if "agreement" in named else None,
            ticket,
            _attachment(site, ticket, named.get("attachment", "")),
            _report(site, agency, named["report"]) if "report" in named else None,
            problem,
            _record(site, there(problem), named["record"]) if "record" in named else 0,
            sent.form,
            sent.file,
        )

    return visit


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


def _problem(site: Site, catalogue: Catalogue, agency: str, name: str) -> KnownProblem:
    with database.connect(site.address(), autocommit=True) as connection:
        found = quality_problems.get(connection, _number(name))
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


def _record(site: Site, problem: KnownProblem, name: str) -> int:
    record = _number(name)
    with database.connect(site.address(), autocommit=True) as connection:
        if not quality_problems.holds_row(connection, problem.id, record):
            raise HTTPException(404)
    return record


def _ticket(site: Site, agency: str, name: str) -> Ticket:
    with database.connect(site.address(), autocommit=True) as connection:
        found = tickets.get(connection, _number(name))
    if found is None or agency not in (found.agency, found.opened_for):
        raise HTTPException(404)
    return found


def _attachment(site: Site, ticket: Ticket | None, name: str) -> Attachment | None:
    """A file of the ticket; None: the route names none."""
    if ticket is None or not name:
        return None
    with database.connect(site.address(), autocommit=True) as connection:
        found = attachments.get(connection, ticket.id, _number(name))
    if found is None:
        raise HTTPException(404)
    return found


def _report(site: Site, agency: str, name: str) -> Report:
    found = reports.get(site.settings.home, agency, name)
    if found is None:
        raise HTTPException(404)
    return found
