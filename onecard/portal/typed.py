"""Numbers and days as an address, a form or a box of a page has them."""

from __future__ import annotations

from datetime import date

from fastapi import HTTPException

LONGEST = 100
"""Characters of a box."""
LONGEST_ID = 18
"""Digits of an id: those of a `bigint`, and none that is beyond it."""

FIRST_DAY, NO_DAY = date(2000, 1, 1), date(2200, 1, 1)
"""Days that can be looked for: from the first on, before the other."""


def id_of(text: str) -> int | None:
    """An id as an address or a form writes it; None: it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_ID else None


def whole_number(text: str) -> int:
    """A number that was typed; 0: the box is empty.

    Raises:
        HTTPException: 422: it is none.
    """
    if not text:
        return 0
    if (found := id_of(text)) is None:
        raise HTTPException(422, "number")
    return found


def whole_day(text: str) -> date | None:
    """A day that was typed; None: the box is empty.

    Raises:
        HTTPException: 422: it is none, or one of no use.
    """
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise HTTPException(422, "day") from None
    if not FIRST_DAY <= found < NO_DAY:
        raise HTTPException(422, "day")
    return found
