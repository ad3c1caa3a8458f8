"""Whether a value that a caller gives is the registry's: match, no match, or not decidable."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from onecard.base import person_names
from onecard.base.person_names import Match
from schemas.models.contract import Field


def compared(field: Field, registered: Any, given: str) -> Match:  # noqa: ANN401 - a registry value
    """Compare by what the field is.

    Names follow the declared rule of `onecard.base.person_names`; texts, codes and numbers of
    accounts are equal character by character, amounts as numbers, dates as days.

    Args:
        field: of the contract.
        registered: the registry's value; without one nothing can be decided.
        given: the caller's value, as text.
    """
    if registered is None:
        return "undecidable"
    if field.semantic == "person_name":
        return person_names.compare(str(registered), given)
    try:
        return "match" if _same(field, registered, given) else "no_match"
    except (ValueError, InvalidOperation):
        return "undecidable"


def _same(field: Field, registered: Any, given: str) -> bool:  # noqa: ANN401 - as above
    if field.type == "string":
        return bool(registered == given)
    if not given.isascii():
        msg = "no number and no day"
        raise ValueError(msg)
    if field.type == "number":
        return Decimal(str(registered)) == Decimal(given)
    if field.type == "date":
        return bool(registered == date.fromisoformat(given))
    if field.type == "integer":
        return bool(registered == int(given))
    msg = "not to be compared"
    raise ValueError(msg)
