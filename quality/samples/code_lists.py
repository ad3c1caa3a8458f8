"""Columns of codes: which of the code lists holds them, or the signs of one that is to be made."""

from __future__ import annotations

from difflib import SequenceMatcher

import polars as pl

from quality.samples.guess import CodeGuess, count_of, is_enough
from schemas.models import codes

MOST_CODES, REPEATED, AT_LEAST = 40, 5, 20
"""Different values that codes have at most; how often each stands there in the mean; values."""
LONGEST_CODE = 10
LONGEST_DRAFT = 3
"""Signs of a code that a draft may show; letters and digits alone, each `REPEATED` times."""
_SIGNS = rf"^[0-9A-Za-z_-]{{1,{LONGEST_CODE}}}$"
_DRAFT = rf"^[0-9A-Za-z]{{1,{LONGEST_DRAFT}}}$"
_ALIKE = 0.6
_HALF = 0.5


def are_codes(values: pl.Series) -> bool:
    """Whether values are short signs that repeat.

    Args:
        values: text, without NULL.
    """
    if len(values) < AT_LEAST:
        return False
    kinds = values.n_unique()
    short = is_enough(count_of(values.str.contains(_SIGNS)), len(values))
    return short and kinds <= MOST_CODES and len(values) >= REPEATED * kinds


def guessed(values: pl.Series, native: str) -> CodeGuess:
    """The list that holds them, if it is the only one or has the column's name; else candidates.

    Args:
        values: codes, without NULL.
        native: of the column.
    """
    holding = [name for name in codes.names() if holds(name, values)]
    alike = max(holding, key=lambda name: _likeness(name, native), default=None)
    if alike is not None and _likeness(alike, native) >= _ALIKE:
        return CodeGuess(alike, tuple(n for n in holding if n != alike))
    used = values.unique().to_list()
    if len(holding) == 1 and len(used) >= _HALF * len(codes.codes(holding[0])):
        return CodeGuess(holding[0])
    return CodeGuess(others=tuple(holding), draft=() if holding else _draft(values))


def holds(name: str, values: pl.Series) -> bool:
    """Whether nine of ten values are codes of a list.

    Args:
        name: of the list.
        values: text, without NULL.
    """
    return is_enough(count_of(values.is_in(list(codes.codes(name)))), len(values))


def _likeness(name: str, native: str) -> float:
    return SequenceMatcher(None, name, native.casefold()).ratio()


def _draft(values: pl.Series) -> tuple[str, ...]:
    """Signs that may stand in a draft: short, of letters and digits, each there many times."""
    counts = values.value_counts(name="times")
    often = counts.filter(pl.col("times") >= REPEATED)[values.name]
    if not often.str.contains(_DRAFT).all():
        return ()
    return tuple(sorted(often.to_list()))
