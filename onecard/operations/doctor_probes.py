"""How `onecard doctor` tries every connection: as a source where it is read, else as an inbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.inspect.probe import probe
from onecard.operations.doctor import Probe
from onecard.ports.desk import Desk

Place = tuple[str, str, dict[str, Any] | None]
"""Connector kind, who uses the connection, and a source's options where it is read."""


def probes(desk: Desk) -> list[Probe]:
    """Every connection once: as a source where a dataset is read there, else as an inbox."""
    return [
        Probe(name, place[1], _attempt(desk, name, place))
        for name, place in sorted(_places(desk).items())
    ]


def _places(desk: Desk) -> dict[str, Place]:
    found: dict[str, Place] = {}
    for agency in desk.catalogue.agencies.values():
        if agency.handback is not None:
            found[agency.handback.connection] = (agency.handback.connector, "hand-back", None)
    for agreement in desk.catalogue.agreements.values():
        block = agreement.delivery
        if agreement.served and block is not None:
            found[block.connection] = (block.connector, agreement.id, None)
    for contract in desk.catalogue.contracts.values():
        source = contract.source
        found[source.connection] = (source.connector, contract.id, dict(source.options))
    return found


def _attempt(desk: Desk, name: str, place: Place) -> Callable[[], str]:
    kind, _, source = place

    def attempt() -> str:
        return probe(desk.connections.get(name), kind, source)

    return attempt
