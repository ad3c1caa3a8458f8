"""The one check before every route: who asks, whose page it is, and whether the object is theirs.

An object of another agency does not exist for a visitor: 404, as for one that is nowhere.

A route has nothing to work with but the `Visit` that is made by what it gets (`Admitted`): the
check runs in the thread of the view, by the request's one session. Who sends a form is asked who it
is before that as well: before a byte of the form is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields
from functools import partial

from fastapi import Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from onecard.portal import pages, security, uploads
from onecard.portal.access import Person, Visitor
from onecard.portal.access_file import AccessFile
from onecard.portal.objects import Finder, Objects
from onecard.portal.request_session import RequestSession
from onecard.portal.site import Language, Site
from onecard.portal.uploads import Sent, SentFile
from schemas.models.catalogue import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit(Objects):
    """What a route gets to work with: everything in it, the visitor may see.

    Attributes:
        agency: whose page it is; empty on the start page and at the engineer's desk.
        form: what was sent; its token is checked already.
        file: that came with the form, where the route takes one.
        session: of the hub's database, the request's own.
    """

    request: Request
    site: Site
    catalogue: Catalogue
    visitor: Visitor
    session: RequestSession
    agency: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    file: SentFile | None = None

    @property
    def language(self) -> Language:
        """Of the page."""
        return pages.language(self.request)


Admitted = Callable[[], AbstractContextManager[Visit]]
"""Makes the visit of a request, or raises HTTPException; the visit lasts until the view's end."""


def guard(
    site: Site, *, file_bytes: int = 0, engineers_only: bool = False
) -> Callable[..., Awaitable[Admitted]]:
    """The dependency of every route.

    Args:
        site: the portal.
        file_bytes: that a file may have which comes with the route's form; 0: none may come.
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
        if file_bytes and uploads.may_carry(request):
            async with uploads.read(request, check, file_bytes) as found:
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
        with RequestSession(site.address) as session:
            found = Finder(site, session, catalogue, agency, named).all()
            yield Visit(
                request=request,
                site=site,
                catalogue=catalogue,
                visitor=visitor,
                session=session,
                agency=agency,
                form=sent.form,
                file=sent.file,
                **{part.name: getattr(found, part.name) for part in fields(found)},
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
