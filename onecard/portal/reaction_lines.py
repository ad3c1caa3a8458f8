"""How fast events reach the consumers that a visitor may see."""

from __future__ import annotations

from collections.abc import Iterable

from onecard.operations import reactions
from onecard.operations.reactions import Asked, ReactionLine, SentWaits
from onecard.portal import agreement_lines
from onecard.portal.guard import Visit
from schemas.models.agreement import Agreement
from schemas.models.reaction import Expectation


def oldest(lines: Iterable[ReactionLine]) -> ReactionLine | None:
    """The line of the event that waits longest; None where none waits."""
    waiting = [line for line in lines if line.waiting is not None]
    return max(waiting, key=lambda line: line.waited_s, default=None)


def shown(asked: Asked, waits: SentWaits) -> list[ReactionLine]:
    """Agreements that the visitor's agencies give or receive under, by kind of event.

    Of each agreement the first kind stands there always, the others once there is anything to tell.

    Args:
        asked: of the agreements that `measured` gives.
        waits: what was sent of them.
    """
    found = asked.lines(waits)
    return [line for line in found if line.first or line.times.buckets or line.waiting]


def measured(visit: Visit) -> list[tuple[Agreement, Expectation]]:
    """Agreements of the visitor's agencies of whose events anything is measured.

    Args:
        visit: names the visitor and the catalogue.
    """
    return [line for line in reactions.expected(visit.catalogue) if _concerns(visit, line[0])]


def _concerns(visit: Visit, agreement: Agreement) -> bool:
    return any(agreement_lines.concerns(agreement, a) for a in visit.visitor.agencies)
