"""What every view needs: the hub's database, the audit log, a page, the way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi.responses import RedirectResponse, Response

from onecard.portal import pages, security
from onecard.portal.guard import Visit
from onecard.store import audit, database
from onecard.store.database import Connection


@contextmanager
def hub(visit: Visit) -> Iterator[Connection]:
    """A connection to the hub's database."""
    with database.connect(visit.site.address(), autocommit=True) as connection:
        yield connection


def note(visit: Visit, kind: str, subject: str, body: dict[str, object]) -> None:
    """Write into the audit log what the visitor looks at.

    Args:
        visit: who looks.
        kind: of the entry.
        subject: agency or dataset.
        body: what exactly; no value of a row.
    """
    with hub(visit) as connection, connection.transaction():
        audit.append(connection, kind, subject, visit.visitor.name, body)


def page(visit: Visit, template: str, **values: object) -> Response:
    """A page of the portal.

    Args:
        visit: whose page.
        template: its name.
        values: what it shows, beside what every page shows.
    """
    site = visit.site
    common: dict[str, object] = {
        "visitor": visit.visitor,
        "agencies": visit.catalogue.agencies,
        "agency": visit.agency,
        "logout": site.logout,
        "today": site.settings.now().date(),
        "csrf": security.token(site.secret, visit.visitor.name, site.settings.now()),
    }
    return pages.render(visit.request, template, {**common, **values})


def back(visit: Visit, *parts: str) -> Response:
    """To a page of the agency, after a form was taken."""
    return RedirectResponse(pages.path(visit.request, visit.agency, *parts), 303)
