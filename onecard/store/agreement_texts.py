"""Agreements with their fingerprints, each made once for as long as its file says the same."""

from __future__ import annotations

from onecard.store.agreement_lives import Text
from schemas.models.agreement import Agreement

MOST_TEXTS = 1_000
_texts: dict[int, Text] = {}
"""By the identity of agreements, which live as long as they stand here."""


def text_of(agreement: Agreement) -> Text:
    """The agreement with its fingerprint.

    An agreement is never changed, and a catalogue that is read anew has others: so one object has
    one fingerprint.
    """
    found = _texts.get(id(agreement))
    if found is None or found.agreement is not agreement:
        if len(_texts) >= MOST_TEXTS:
            _texts.clear()
        found = _texts[id(agreement)] = Text.of(agreement)
    return found
