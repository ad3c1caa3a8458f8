"""Where agreements stand, many at once: two statements for all, and each text's digest once."""

from __future__ import annotations

from collections.abc import Iterable

from onecard.portal import agreement_lines
from onecard.portal.agreement_lines import AgreementLine
from onecard.portal.guard import Visit
from onecard.store import agreement_lives
from onecard.store.agreement_lives import Text
from onecard.store.database import Connection
from schemas.models.agreement import Agreement

MOST_TEXTS = 1_000
_texts: dict[int, Text] = {}
"""By the identity of agreements, which live as long as they stand here."""


def lines(
    connection: Connection, visit: Visit, agreements: Iterable[Agreement]
) -> list[AgreementLine]:
    """Agreements with their words and states, by id.

    Args:
        connection: of the hub's database.
        visit: names the catalogue and the hub's day.
        agreements: each once.
    """
    listed = sorted(agreements, key=lambda a: a.id)
    day = visit.site.settings.now().date()
    lives = agreement_lives.ask(connection, [_text(a) for a in listed]).on(day)
    return [agreement_lines.line(visit.catalogue, a, lives[a.id]) for a in listed]


def _text(agreement: Agreement) -> Text:
    """The agreement with its fingerprint, made once for as long as its file says the same."""
    found = _texts.get(id(agreement))
    if found is None or found.agreement is not agreement:
        if len(_texts) >= MOST_TEXTS:
            _texts.clear()
        found = _texts[id(agreement)] = Text.of(agreement)
    return found
