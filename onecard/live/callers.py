"""Who may wake which dataset: the agencies' `wake` blocks."""

from __future__ import annotations

from collections.abc import Iterator

from onecard.base.connections import Connections
from onecard.daemon import callers
from onecard.daemon.callers import Callers, Claim
from schemas.models.catalogue import Catalogue


def callers_of(catalogue: Catalogue, connections: Connections) -> Callers:
    """The callers that a catalogue names; one whose secret cannot be used is left out, and said so.

    Args:
        catalogue: agencies and datasets.
        connections: where the secrets are.
    """
    return callers.read(_claims(catalogue), connections, "cannot wake the lane")


def _claims(catalogue: Catalogue) -> Iterator[Claim]:
    for name, agency in catalogue.agencies.items():
        if agency.wake is not None:
            wake = agency.wake
            yield Claim(name, wake.connection, wake, catalogue.wakeable(name))
