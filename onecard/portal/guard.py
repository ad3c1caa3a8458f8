"""The one check before every route: who asks, whose page it is, and whether the object is theirs.

An object of another agency does not exist for a visitor: 404, as for one that is nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fastapi import Depends, HTTPException, Request

from onecard.model.tickets import Ticket
from onecard.portal import access, agreement_lines, reports, security
from onecard.portal.access import Person, Visitor
from onecard.portal.reports import Report
from onecard.portal.site import Site
from onecard.store import database, tickets
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Visit:
    """What a route gets to work with: everything in it, the visitor may see.

    Attributes:
        agency: whose page it is; empty on the start page.
        form: what was sent; its token is checked already.
    """

    request: Request
    site: Site
    catalogue: Catalogue
    visitor: Visitor
    agency: str = ""
    agreement: Agreement | None = None
    ticket: Ticket | None = None
    report: Report | None = None
    form: Mapping[str, str] = field(default_factory=dict)


def guard(site: Site) -> Callable[..., Visit]:
    """The dependency of every route."""
    identity = Depends(site.identity)

    def visitor(person: Person = identity) -> Visitor:
        known = site.catalogue().agencies
        found = access.load(site.users, known).visitor(person, known)
        if found is None:
            raise HTTPException(403, f"unmapped:{person.name}")
        return found

    asking = Depends(visitor)

    async def form(request: Request, who: Visitor = asking) -> dict[str, str]:
        found = await security.read_form(request)
        if request.method not in ("GET", "HEAD"):
            security.check_origin(request)
            security.check_token(site.secret, who.name, site.settings.now(), found)
        return found

    written = Depends(form)

    def visit(request: Request, who: Visitor = asking, sent: dict[str, str] = written) -> Visit:
        catalogue, named = site.catalogue(), request.path_params
        agency = named.get("agency", "")
        if "agency" in named and agency not in who.agencies:
            raise HTTPException(404)
        return Visit(
            request,
            site,
            catalogue,
            who,
            agency,
            _agreement(catalogue, agency, named["agreement"]) if "agreement" in named else None,
            _ticket(site, agency, named["ticket"]) if "ticket" in named else None,
            _report(site, agency, named["report"]) if "report" in named else None,
            sent,
        )

    return visit


def _agreement(catalogue: Catalogue, agency: str, name: str) -> Agreement:
    found = catalogue.agreements.get(name)
    if found is None or not agreement_lines.concerns(found, agency):
        raise HTTPException(404)
    return found


def _ticket(site: Site, agency: str, name: str) -> Ticket:
    if not (name.isascii() and name.isdigit() and len(name) <= 9):
        raise HTTPException(404)
    with database.connect(site.address(), autocommit=True) as connection:
        found = tickets.get(connection, int(name))
    if found is None or agency not in (found.agency, found.opened_for):
        raise HTTPException(404)
    return found


def _report(site: Site, agency: str, name: str) -> Report:
    found = reports.get(site.settings.home, agency, name)
    if found is None:
        raise HTTPException(404)
    return found
