"""Calls as they come, and the questions that stand in their bodies; read strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from onecard.base import personal
from schemas.models.callers import CallerSystem

Verb = Literal["query", "verify"]
MOST_BODY_BYTES = 4096
"""Of a body; a question takes about three hundred."""
LONGEST_VALUE = 100
"""Characters of a name, or of a value to be verified."""

FORMS = {
    "request_id": r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}",
    "operator": r"[A-Za-z0-9][A-Za-z0-9._-]{1,31}",
    "purpose": r"A7-[0-9]{2}",
    "case": r"[A-Za-z0-9][A-Za-z0-9._/-]{3,63}",
}
"""Members of a body that are texts of a form; the OpenAPI document says the same."""
ID_NUMBER = "id_number"
ID_FORM = r"[0-9]{17}[0-9X]"
"""GB 11643: 18 characters, ASCII, the check character a digit or a capital X."""
_UNWRITABLE = re.compile(r"[\x00-\x1f\ud800-\udfff]")
PERSON, VALUES = "person", "values"


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose signature, time and path are right.

    Attributes:
        sid: of the calling system.
        system: what the register says of it.
        agreement: that the path names.
        verb: that the path names.
        body: as it was sent.
        digest: of the body, by the caller's algorithm, in hexadecimal.
        rid: new for every call.
        host: address of the caller, or of the nearest proxy that is believed.
        secure: it came through TLS.
    """

    sid: str
    system: CallerSystem
    agreement: str
    verb: Verb
    body: bytes = field(repr=False)
    digest: str = field(repr=False)
    rid: str
    host: str
    secure: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What a body says.

    Attributes:
        given: what the call says of the person beside the ID number, by field.
        values: that are to be verified, by field.
    """

    request_id: str
    operator: str
    purpose: str
    case: str
    id_number: str = field(repr=False)
    given: Mapping[str, str] = field(repr=False)
    values: Mapping[str, str] = field(repr=False)


class Malformed(ValueError):
    """The body is not as it must be; nothing of it is in the message."""


def members(body: bytes) -> dict[str, Any]:
    """The members of a body that is one JSON object.

    Raises:
        Malformed: it is not, is no UTF-8, or a member stands twice.
    """
    try:
        found = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refused)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Malformed
    return found


def question(body: bytes, by: Sequence[str], values: Sequence[str]) -> Question:
    """The question of a body.

    Args:
        body: as it was sent.
        by: fields that it must give beside the ID number.
        values: fields of which it must give a value to be verified; empty: none are asked for.

    Raises:
        Malformed: a member is missing, unknown, or not of its form.
    """
    found = members(body)
    wanted = {*FORMS, PERSON, *([VALUES] if values else [])}
    if set(found) != wanted:
        raise Malformed
    texts = {name: _text(found[name], form) for name, form in FORMS.items()}
    person = _named(found[PERSON], {ID_NUMBER, *by})
    number = person.pop(ID_NUMBER)
    checked_id(number)
    given = _named(found[VALUES], set(values)) if values else {}
    for name in ("request_id", "operator", "case"):
        say_nothing(texts[name], number, *person.values(), *given.values())
    return Question(
        texts["request_id"],
        texts["operator"],
        texts["purpose"],
        texts["case"],
        number,
        person,
        given,
    )


def checked_id(number: str) -> str:
    """The ID number.

    Raises:
        Malformed: it is none: no full width, no blanks, no 15 digits.
    """
    if not re.fullmatch(ID_FORM, number) or not personal.is_id_number(number):
        raise Malformed
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed
    return found


def _refused(_constant: str) -> None:
    raise Malformed


def _text(value: object, form: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(form, value):
        raise Malformed
    return value


def _named(value: object, names: set[str]) -> dict[str, str]:
    """An object with exactly these members, all of them texts that can be written."""
    if not isinstance(value, dict) or set(value) != names:
        raise Malformed
    for text in value.values():
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST_VALUE:
            raise Malformed
        if _UNWRITABLE.search(text):
            raise Malformed
    return dict(value)


def say_nothing(text: str, *values: str) -> None:
    """What is recorded of a call must not tell of whom it speaks.

    Raises:
        Malformed: it holds one of these values, or any ID number.
    """
    if any(value in text for value in values if len(value) > 3):
        raise Malformed
    if personal.holds_id_number(text):
        raise Malformed
