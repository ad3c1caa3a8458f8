"""Where data comes from and where it goes: of the city for engineers, of an agency for stewards."""

from __future__ import annotations

from fastapi import HTTPException
from fastapi.responses import Response

from onecard.observe import lineage_kept
from onecard.portal import agreement_lines, lineage_lines, security
from onecard.portal.answers import hub, page
from onecard.portal.guard import Visit
from onecard.portal.typed import LONGEST
from onecard.portal.view import Routes


def lineage(visit: Visit) -> Response:
    """A picture and the same as tables; of one dataset also its columns."""
    chosen = security.sought(visit.request.query_params, "dataset", LONGEST)
    if chosen and not _may_choose(visit, chosen):
        raise HTTPException(404)
    with hub(visit) as connection:
        known = lineage_kept.known(visit.site.desk(), connection)
    found = lineage_lines.concerning(visit, known.links.values(), chosen)
    return page(
        visit,
        "lineage",
        place=visit.agency or "engineer",
        chosen=chosen,
        found=found,
        kept_in=known.kept_in,
        picture=lineage_lines.picture(visit, found),
    )


def _may_choose(visit: Visit, dataset: str) -> bool:
    """Whether a dataset is the agency's, or read under an agreement that concerns it."""
    if dataset not in visit.catalogue.contracts:
        return False
    if not visit.agency or visit.catalogue.contracts[dataset].agency == visit.agency:
        return True
    return any(
        dataset in a.datasets and agreement_lines.concerns(a, visit.agency)
        for a in visit.catalogue.agreements.values()
    )


ENGINEER_ROUTES: Routes = (("GET", "/engineer/lineage", lineage),)
ROUTES: Routes = (("GET", "/{agency}/lineage", lineage),)
