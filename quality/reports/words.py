"""The reports' words in both languages, and how numbers are written."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from quality.reports.scheme import Language
from schemas.models.strict_yaml import parse

FILE = Path(__file__).with_name("words.yaml")
Say = Callable[..., str]


@cache
def _words(file: Path = FILE) -> Mapping[str, Mapping[str, str]]:
    found = parse(file).data
    if not isinstance(found, Mapping):
        msg = f"{file}: write one word per line"
        raise TypeError(msg)
    return found


def sayer(language: Language) -> Say:
    """A function that gives the text of a key, with its blanks filled."""

    def say(key: str, **values: object) -> str:
        text = _words()[key][language]
        return text.format(**values) if values else text

    return say


def visible(value: Any) -> Any:  # noqa: ANN401 - whatever a template prints
    """A text with the characters that turn or hide others written out; anything else as it is."""
    if type(value) is not str or value.isprintable():  # what `_hidden` finds is not printable
        return value
    return "".join(f"⟨U+{ord(c):04X}⟩" if _hidden(c) else c for c in value)


def _hidden(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cf", "Cs")


def marked(text: str, **values: object) -> Markup:
    """A text whose blanks are filled with elements, or with texts that are escaped."""
    return escape(visible(text)).format(**{name: visible(v) for name, v in values.items()})


def css(text: str) -> Markup:
    """A text as a string of a style sheet (CSS Syntax Module Level 3, 4.3.7).

    All but letters and digits stand as escapes, so that nothing ends the string or the sheet.
    """
    plain = (c if c.isalnum() else f"\\{ord(c):x} " for c in str(visible(text)))
    return Markup(f'"{"".join(plain)}"')  # noqa: S704 - letters, digits and escapes


def number(value: object) -> str:
    """A count with separators, a measured number with three decimals."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}" if isinstance(value, float) else "—"


def percent(share: float | None) -> str:
    """A percentage, rounded down: 100% is said only when nothing is missing."""
    return "—" if share is None else f"{int(share * 10_000 + 1e-9) / 100:.2f}%"


def points(score: float) -> str:
    """A score with one decimal, rounded down: 100 is said only when nothing is missing."""
    return f"{int(score * 10 + 1e-9) / 10:.1f}"


def change(now: str, earlier: str) -> str:
    """The difference of two written numbers or percentages, as a reader would find it."""
    found = Decimal(now.rstrip("%")) - Decimal(earlier.rstrip("%"))
    return f"{found:+}".replace("-", "−") if found else f"{abs(found)}"


_DIGITS = "零一二三四五六七八九十"


def article(number: int, language: Language) -> str:
    """An article's number as the law writes it, up to 19."""
    if language == "en":
        return f"Article {number}"
    ten = 10
    text = _DIGITS[number] if number <= ten else "十" + _DIGITS[number - ten]
    return f"第{text}条"
