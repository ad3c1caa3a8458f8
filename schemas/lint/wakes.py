"""What can be wrong with the `wake` blocks of agencies: who may wake the live lane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from schemas.models.catalogue import Catalogue
from schemas.models.problem import Problem
from schemas.models.strict_yaml import Document


def check(catalogue: Catalogue, document: Document) -> Iterator[Problem]:
    """All problems of the blocks.

    A connection that the hub logs in with signs the hub's own calls: whoever sees one could send it
    back as a call of the agency. One that two agencies sign with says nothing of who calls.
    """
    used = Counter(_connections(catalogue))
    for name, agency in catalogue.agencies.items():
        if agency.wake is None:
            continue
        at = f"agencies.{name}.wake"
        if used[agency.wake.connection] > 1:
            message = (
                f"{agency.wake.connection} is used elsewhere too: an agency wakes the lane by a"
                f" connection for that alone, e.g. {name}_wake"
            )
            yield document.problem(f"{at}.connection", "wake.shared_connection", message)
        if not catalogue.wakeable(name):
            message = f"{name} has no dataset of lane event: there is nothing that it could wake"
            yield document.problem(at, "wake.no_dataset", message)


def _connections(catalogue: Catalogue) -> Iterator[str]:
    """Every use of a connection."""
    yield from (c.source.connection for c in catalogue.contracts.values())
    for agreement in catalogue.agreements.values():
        if agreement.delivery:
            yield agreement.delivery.connection
    for agency in catalogue.agencies.values():
        yield from (b.connection for b in (agency.handback, agency.wake) if b is not None)
