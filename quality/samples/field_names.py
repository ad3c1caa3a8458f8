"""Legal names for columns: as other contracts call them, as their source does, or by number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from quality.samples.guess import ColumnGuess

LONGEST = 60
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^0-9A-Za-z]+")
_OWN_NAMES = ("id_number", "person_name", "mobile", "card_no", "bank_account", "uscc", "student_no")
"""Semantic types whose name serves for a column that has none of letters."""


def distinct(guesses: Sequence[ColumnGuess]) -> list[ColumnGuess]:
    """The same columns, each under a name of its own.

    Args:
        guesses: in the order of the source.
    """
    used: Counter[str] = Counter()
    found = []
    for place, guess in enumerate(guesses, start=1):
        wanted = _name(guess, place)
        name = wanted
        while used[name]:
            used[wanted] += 1
            name = f"{wanted}_{used[wanted]}"
        used[name] += 1
        found.append(replace(guess, field=guess.field.model_copy(update={"name": name})))
    return found


def _name(guess: ColumnGuess, place: int) -> str:
    if guess.by == "known":
        return guess.field.name
    own = legal(guess.field.native)
    if own:
        return own
    return guess.field.semantic if guess.field.semantic in _OWN_NAMES else f"field_{place}"


def legal(native: str) -> str:
    """A name of the source in small letters, digits and underscores; empty where none can be made.

    Args:
        native: as the source has it.
    """
    if not native.isascii():
        return ""
    last = native.rpartition("/")[2].lstrip("@")
    parts = [p for p in _WORDS.split(last) if p]
    name = "_".join(parts).lower()[:LONGEST]
    return name if re.match(r"[a-z]", name) else ""
