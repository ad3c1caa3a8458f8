"""What engineers see below `/engineer`: for who sees every agency; for others it is nowhere."""

from __future__ import annotations

from fastapi.responses import Response

from onecard.portal import audit_views, lineage_views, receipt_views
from onecard.portal.answers import page
from onecard.portal.guard import Visit
from onecard.portal.view import Routes

PARTS: tuple[str, ...] = ("lineage", "audit", "receipts")
"""Pages of the desk by the last part of their address; each has the word `engineer_<part>`, and
`engineer_<part>_lead`, a sentence that says what is found there."""


def desk(visit: Visit) -> Response:
    """Where everything is."""
    return page(visit, "engineer", parts=PARTS)


ROUTES: Routes = (
    ("GET", "/engineer", desk),
    *lineage_views.ENGINEER_ROUTES,
    *audit_views.ROUTES,
    *receipt_views.ENGINEER_ROUTES,
)
