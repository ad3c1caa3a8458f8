"""Where agreements stand, many at once, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onecard.model.agreements import Life
from onecard.portal import agreement_lines
from onecard.portal.agreement_lines import AgreementLine
from onecard.portal.guard import Visit
from onecard.store import agreement_lives
from onecard.store.agreement_texts import text_of
from onecard.store.database import Connection
from onecard.store.together import together
from schemas.models.agreement import Agreement


def lines(
    connection: Connection, visit: Visit, agreements: Iterable[Agreement]
) -> list[AgreementLine]:
    """Agreements with their words and states, by id.

    Args:
        connection: of the hub's database.
        visit: names the catalogue and the hub's day.
        agreements: each once.
    """
    listed = list(agreements)
    day = visit.site.settings.now().date()
    with together(connection):
        asked = agreement_lives.ask(connection, [text_of(a) for a in listed])
    return standing(visit, listed, asked.on(day))


def standing(
    visit: Visit, agreements: Iterable[Agreement], lives: Mapping[str, Life]
) -> list[AgreementLine]:
    """Agreements with their words and states, by id.

    Args:
        visit: names the catalogue.
        agreements: each once.
        lives: where they stand, by id.
    """
    listed = sorted(agreements, key=lambda a: a.id)
    return [agreement_lines.line(visit.catalogue, a, lives[a.id]) for a in listed]
