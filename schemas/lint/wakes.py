"""What can be wrong with the blocks by which agencies call: `wake` and `bring`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from schemas.models.catalogue import Agency, Bring, Catalogue, Wake
from schemas.models.problem import Problem
from schemas.models.strict_yaml import Document


def check(catalogue: Catalogue, document: Document) -> Iterator[Problem]:
    """All problems of the blocks.

    A connection that the hub logs in with signs the hub's own calls: whoever sees one could send it
    back as a call of the agency. One that two agencies sign with says nothing of who calls.
    """
    used = Counter(_connections(catalogue))
    for name, agency in catalogue.agencies.items():
        for block, calls in _blocks(agency):
            at = f"agencies.{name}.{block}"
            if used[calls.connection] > 1:
                message = (
                    f"{calls.connection} is used elsewhere too: {_DOES[block]} by a connection for"
                    f" that alone, e.g. {name}_{block}"
                )
                yield document.problem(f"{at}.connection", f"{block}.shared_connection", message)
        if agency.wake is not None and not catalogue.wakeable(name):
            message = f"{name} has no dataset of lane event: there is nothing that it could wake"
            yield document.problem(f"agencies.{name}.wake", "wake.no_dataset", message)
        if agency.bring is not None and not catalogue.bringable(name):
            message = f"{name} has no dataset whose source is push: there is nothing to be brought"
            yield document.problem(f"agencies.{name}.bring", "bring.no_dataset", message)


_DOES = {"wake": "an agency wakes the lane", "bring": "an agency brings its rows"}


def _blocks(agency: Agency) -> Iterator[tuple[str, Wake | Bring]]:
    """The blocks by which an agency calls, by their names."""
    if agency.wake is not None:
        yield "wake", agency.wake
    if agency.bring is not None:
        yield "bring", agency.bring


def _connections(catalogue: Catalogue) -> Iterator[str]:
    """Every use of a connection; several datasets of one agency may come through one."""
    yield from (c.source.connection for c in catalogue.contracts.values())
    for agreement in catalogue.agreements.values():
        if agreement.delivery:
            yield agreement.delivery.connection
    for agency in catalogue.agencies.values():
        blocks = (agency.handback, agency.wake, agency.bring)
        yield from (b.connection for b in blocks if b is not None)
