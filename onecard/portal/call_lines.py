"""Calls about single persons under the agreements that a visitor may see."""

from __future__ import annotations

from onecard.model.call_lines import CallLine
from onecard.operations.calls import Asked
from onecard.portal import agreement_lines
from onecard.portal.guard import Visit


def shown(asked: Asked, visit: Visit) -> list[CallLine]:
    """Agreements that the visitor's agencies give or ask under, by the system that asks.

    Args:
        asked: of calls of late.
        visit: names the visitor and the catalogue.
    """
    return [
        line
        for line in asked.of(visit.catalogue).lines
        if line.agreement is not None
        and any(agreement_lines.concerns(line.agreement, a) for a in visit.visitor.agencies)
    ]
