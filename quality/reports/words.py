"""The reports' words in both languages, and how numbers are written."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

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


_DIGITS = "零一二三四五六七八九十"


def article(number: int, language: Language) -> str:
    """An article's number as the law writes it, up to 19."""
    if language == "en":
        return f"Article {number}"
    ten = 10
    text = _DIGITS[number] if number <= ten else "十" + _DIGITS[number - ten]
    return f"第{text}条"
