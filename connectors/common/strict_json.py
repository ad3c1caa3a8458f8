"""JSON as agencies send it, read strictly: numbers stay text, a damaged object is no row."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

WIDEST = 64
"""Digits that a number in its plain form has at most; a longer one stays as it is written."""


class BadRecord:
    """Stands in for a JSON object with a repeated key or a value that JSON does not have.

    Equal to another one of the same content, so that a repeated page is recognised.
    """

    def __init__(self, content: object = None) -> None:
        self._content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BadRecord) and self._content == other._content

    def __hash__(self) -> int:
        return hash(BadRecord)


class Written(str):
    """A number with a point or an exponent, as its exact text: 1.0, 1e0."""

    __slots__ = ()

    def plain(self) -> str:
        """The one form of all texts of the same number: 1, -0.5."""
        _, _, power = self.replace("E", "e").partition("e")
        if len(power) > len("+000"):  # beyond what a decimal of ours can say
            return str(self)
        number = Decimal(self)
        if number.is_zero():
            return "0"
        if not -WIDEST < number.adjusted() < WIDEST:
            return str(self)
        text = format(number, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text


def parse_json(text: str) -> Any:  # noqa: ANN401 - JSON
    """JSON with numbers as their exact text; a damaged object becomes a `BadRecord`.

    Raises:
        ValueError: not JSON at all.
    """
    return json.loads(
        text,
        parse_float=Written,
        parse_int=str,
        parse_constant=_constant,
        object_pairs_hook=_object,
    )


def _constant(name: str) -> BadRecord:
    return BadRecord(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | BadRecord:
    found = dict(pairs)
    spoilt = len(found) != len(pairs) or any(isinstance(v, BadRecord) for v in found.values())
    return BadRecord(pairs) if spoilt else found


def at(document: object, path: str | None) -> Any:  # noqa: ANN401 - JSON
    """The value at a dotted path, or None."""
    found: Any = document
    for step in (path or "").split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def has(document: object, path: str) -> bool:
    """Whether something stands at a dotted path, null included."""
    head, _, last = path.rpartition(".")
    found = at(document, head) if head else document
    return isinstance(found, dict) and last in found


def scalar_text(value: object) -> str | None:
    """A JSON scalar as it stands in the document; None for null, a list or an object."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None
