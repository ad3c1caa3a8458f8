"""How right text looks: regular expressions that Python and PostgreSQL read alike, and constants.

A field's specification (`Spec`) is a JSON object: `type` (string, date, timestamp, integer,
number), and where they apply `required`, `codes`, `regex`, `max_length`, `control`, `validator`
(id_number, uscc, bank_account), `semantic`, `precision`, `scale`, `format`, `refused`
(divisions that no ID number may stand in) and `known` (the others warn).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

Spec = dict[str, Any]

ZONE = "Etc/GMT-8"
"""Beijing time, +08:00 in every year (the sign is POSIX's)."""
CONTROL = "[\\x00-\\x1f\\x7f\ufffd]"
"""U+FFFD stands for bytes that could not be decoded."""
BLANKS = (
    " \u0085\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b\u180c\u180d\u180e"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u200e\u200f"
    "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u202f\u205f\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f\u2800\u3000\u3164\ufeff\uffa0"
)
"""Characters that are not seen: White_Space and what renders nothing; controls aside."""
AROUND = f"\\A[{BLANKS}]|[{BLANKS}]\\Z"

_YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
DATE = f"\\A{_YEAR}-[0-9]{{2}}-[0-9]{{2}}\\Z"
INSTANT = (
    f"\\A{_YEAR}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}:[0-5][0-9]"
    f"(?:\\.[0-9]{{1,6}})?(?:Z|[+-]{_CLOCK})\\Z"
)
INTEGER = "\\A-?[0-9]{1,18}\\Z"
NUMBER = "\\A-?[0-9]+(?:\\.[0-9]+)?\\Z"
ID_NUMBER = "\\A[0-9]{17}[0-9X]\\Z"
USCC = "\\A[0-9A-HJ-NP-RTUWXY]{18}\\Z"
BANK_ACCOUNT = "\\A[0-9]{16,19}\\Z"

FIRST_INSTANT, LAST_INSTANT = "0001-01-01T00:00:00", "9999-12-31T15:59:59.999999"
"""In UTC: years of four digits there and in Beijing."""
FIRST_BIRTH = 18800101

ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
"""GB 11643-1999: 2^(18-i) mod 11 for the first seventeen digits."""
ID_CHECK = "10X98765432"
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""GB 32100-2015 table 1: no I, O, S, V, Z."""
USCC_WEIGHTS = tuple(3**i % 31 for i in range(17))
DOUBLED = "0246813579"
"""Luhn: each digit doubled, nine taken off where it has two digits."""

_PARTS = {"%Y": "[0-9]{4}", "%m": "[0-9]{2}", "%d": "[0-9]{2}"}


def fits(spec: Spec) -> str:
    """Numbers that the field's precision and scale hold exactly."""
    precision, scale = spec.get("precision") or 38, spec.get("scale") or 0
    fraction = f"(?:\\.[0-9]{{1,{scale}}}0*)?" if scale else "(?:\\.0+)?"
    return f"\\A-?0*[0-9]{{0,{precision - scale}}}{fraction}\\Z"


@dataclass(frozen=True)
class Dated:
    """How text with a date in it looks, and where the date's parts stand, from 0."""

    regex: str
    year: int = 0
    month: int = 5
    day: int = 8


def written_date(form: str) -> Dated:
    """A date format (%Y, %m and %d once each) as regular expression and places.

    Raises:
        ValueError: it holds anything else that varies.
    """
    places: dict[str, int] = {}
    regex, at, rest = "", 0, form
    while rest:
        part = rest[:2] if rest[:2] in _PARTS else rest[0]
        if part == "%" or part in places:
            msg = f"not a date format of %Y, %m and %d: {form!r}"
            raise ValueError(msg)
        if part in _PARTS:
            places[part] = at
        regex += _PARTS.get(part) or re.escape(part)
        at += 4 if part == "%Y" else 2 if part in _PARTS else 1
        rest = rest[len(part) :]
    if len(places) != len(_PARTS):
        msg = f"not a date format of %Y, %m and %d: {form!r}"
        raise ValueError(msg)
    return Dated(f"\\A{regex}\\Z", places["%Y"], places["%m"], places["%d"])


ONE_DIGIT = "(?<![0-9])([0-9])(?![0-9])"
"""A month or day of one digit; in a format of one's own it may have one, as in strptime."""


def padded(text: str) -> str:
    """A text with each single digit as two."""
    return re.sub(ONE_DIGIT, r"0\1", text)


def divisions(spec: Spec) -> list[str]:
    """The known divisions: `known` is their codes of six digits, one after the other."""
    return re.findall("[0-9]{6}", spec.get("known", ""))


def instant(now: str | None) -> datetime:
    """The time to judge by: the parameter `now` (ISO 8601 with offset), or the clock."""
    if not now:
        return datetime.now(ZoneInfo(ZONE))
    found = datetime.fromisoformat(now)
    if found.tzinfo is None:
        msg = "parameter now: give an ISO 8601 instant with its offset"
        raise ValueError(msg)
    return found.astimezone(ZoneInfo(ZONE))


def yyyymmdd(now: str | None) -> int:
    """The date of `now` in China."""
    return int(instant(now).strftime("%Y%m%d"))


def names(rule: dict[str, Any]) -> list[str]:
    """The fields a rule reads, in the order in which the contract's rule names them."""
    if rule["check"] == "implies":
        return [*(c["field"] for c in rule["when"]), rule["then"]["field"]]
    keys = ("total", "parts", "result", "factors", "left", "right", "columns", "id_number", "field")
    given = [rule[key] for key in keys if rule.get(key)]
    return [name for one in given for name in ([one] if isinstance(one, str) else one)]
