"""How `onecard doctor` tries every connection: as a source where it is read, else as an inbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from connectors.inspect.probe import probe
from onecard.operations.doctor import Probe
from onecard.ports.desk import Desk


@dataclass(frozen=True, slots=True)
class Use:
    """What a connection is used for.

    Attributes:
        kind: of its connector.
        user: contract or agreement that names it, or `hand-back`.
        options: of a source, where it is read; None: it is an inbox.
    """

    kind: str
    user: str
    options: dict[str, Any] | None = None


def probes(desk: Desk) -> list[Probe]:
    """Every connection once: as a source where a dataset is read there, else as an inbox."""
    return [
        Probe(name, use.user, _attempt(desk, name, use))
        for name, use in sorted(_uses(desk).items(), key=itemgetter(0))
    ]


def _uses(desk: Desk) -> dict[str, Use]:
    found: dict[str, Use] = {}
    for agency in desk.catalogue.agencies.values():
        if agency.handback is not None:
            found[agency.handback.connection] = Use(agency.handback.connector, "hand-back")
    for agreement in desk.catalogue.agreements.values():
        block = agreement.delivery
        if agreement.served and block is not None:
            found[block.connection] = Use(block.connector, agreement.id)
    for contract in desk.catalogue.contracts.values():
        source = contract.source
        found[source.connection] = Use(source.connector, contract.id, dict(source.options))
    return found


def _attempt(desk: Desk, name: str, use: Use) -> Callable[[], str]:
    def attempt() -> str:
        return probe(desk.connections.get(name), use.kind, use.options)

    return attempt
