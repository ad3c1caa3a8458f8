"""Numbers and days that a visitor typed into a box of an address."""

from __future__ import annotations

from datetime import date

from fastapi import HTTPException

from onecard.portal.objects import LONGEST_ID

LONGEST = 100
"""Characters of a box."""


def whole_number(text: str) -> int:
    """A number that was typed; 0: the box is empty.

    Raises:
        HTTPException: 422: it is none.
    """
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_ID):
        raise HTTPException(422, "number")
    return int(text)


def whole_day(text: str) -> date | None:
    """A day that was typed; None: the box is empty.

    Raises:
        HTTPException: 422: it is none.
    """
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise HTTPException(422, "day") from None
