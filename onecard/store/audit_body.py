"""How the text of an audit entry is stored: a few bytes less where there are very many of a kind.

The live lane leaves some 75,000 entries a day for good, and most of their text is one SHA-256 in
hexadecimal digits and, once more, the entry's subject. Of these kinds the hash is stored as bytes,
and a character that no canonical JSON has stands in the place of each (ADR 0062). What is hashed,
signed and exported is the whole text, as it was given: the form of the log is the same.
"""

from __future__ import annotations

import re
from typing import LiteralString

APART = frozenset({"collect.published", "delivery.opened", "delivery.confirmed"})
"""Kinds whose bodies are stored so, where they have one hash."""
_HASH_HERE, _SUBJECT_HERE = "\x01", "\x02"
_HASH = re.compile(r'"([0-9a-f]{64})"')

WHOLE: LiteralString = (
    "CASE WHEN hash IS NULL THEN body"
    " WHEN strpos(body, chr(1)) = 0 THEN body || encode(hash, 'hex')"
    " ELSE replace(replace(body, chr(2), subject), chr(1), encode(hash, 'hex')) END AS body"
)
"""Column of `ledger.audit`: the whole text. A hash that has no place in it, which somebody has
added, is shown as well: the entry is then not the one that was signed."""


def stored(kind: str, subject: str, body: str) -> tuple[str, bytes | None]:
    """The text as it is stored, and the hash beside it; None: it is stored whole.

    Args:
        kind: of the entry.
        subject: of the entry.
        body: canonical JSON.
    """
    found = _HASH.findall(body) if kind in APART and subject else []
    if len(found) != 1:
        return body, None
    short = body.replace(found[0], _HASH_HERE).replace(subject, _SUBJECT_HERE)
    again = short.replace(_SUBJECT_HERE, subject).replace(_HASH_HERE, found[0])
    return (short, bytes.fromhex(found[0])) if again == body else (body, None)
