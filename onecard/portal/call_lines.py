"""Calls about single persons under the agreements that a visitor may see."""

from __future__ import annotations

from onecard.model.call_lines import CallLine
from onecard.operations import calls
from onecard.portal import agreement_lines
from onecard.portal.guard import Visit
from onecard.store.database import Connection


def shown(connection: Connection, visit: Visit) -> list[CallLine]:
    """Agreements that the visitor's agencies give or ask under, by the system that asks.

    Args:
        connection: of the hub's database.
        visit: names the visitor and the hub's time.
    """
    known, now = visit.catalogue, visit.site.settings.now()
    return [
        line
        for line in calls.lately(connection, known, now).lines
        if line.agreement is not None
        and any(agreement_lines.concerns(line.agreement, a) for a in visit.visitor.agencies)
    ]
