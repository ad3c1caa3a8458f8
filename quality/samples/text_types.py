"""The types of values that are written as text: dates, times, numbers in the forms of offices."""

from __future__ import annotations

import polars as pl

from quality.rows.parsing import parse
from quality.samples.guess import TextType, count_of, is_enough
from schemas.models.contract import Field, LogicalType
from schemas.models.text_form import Thousands

DIGITS_OF_DAY = "%Y%m%d"
DATES = (None, "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", DIGITS_OF_DAY)
TIMES = (
    None,
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y%m%d%H%M%S",
)
"""Forms that are tried, in this order; None is ISO 8601, of a time with its offset."""
USUAL_DIGITS, MOST_DIGITS = 16, 38
AMOUNT = TextType("number", None, None, USUAL_DIGITS, 2)
"""A number of which nothing is known: an amount."""
_NUMBER_OF_SOMETHING = 12
"""Digits from which on whole numbers count nothing: they are numbers of accounts and persons."""
_POINT = 0.02
"""Share of numbers with decimals from which on a column is one of numbers."""
_WHOLE = r"^-?(?:0|[1-9][0-9]{0,17})$"
_PLAIN = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$"
_GROUPED: tuple[tuple[Thousands, str], ...] = (
    (",", r"^-?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?$"),
    ("，", r"^-?[1-9][0-9]{0,2}(?:，[0-9]{3})+(?:\.[0-9]+)?$"),
)


def moment_type(values: pl.Series) -> TextType | None:
    """Dates or times in one form; None where they are none.

    Args:
        values: text, without NULL.
    """
    forms: tuple[tuple[LogicalType, tuple[str | None, ...]], ...] = (
        ("date", DATES),
        ("timestamp", TIMES),
    )
    for kind, listed in forms:
        for form in listed:
            if is_enough(of_type(values, kind, form), len(values)):
                return TextType("date" if kind == "date" else "timestamp", form)
    return None


def as_type(values: pl.Series, wanted: LogicalType) -> TextType | None:
    """The form in which values are of a type; None where they are not.

    Args:
        values: text, without NULL.
        wanted: logical type, but `string`.
    """
    if wanted in ("date", "timestamp"):
        moment = moment_type(values)
        return moment if moment is not None and moment.type == wanted else None
    number = number_type(values)
    if number is not None and wanted == "number":
        return number if number.type == "number" else AMOUNT
    if number is not None and number.type == wanted:
        return number
    if not is_enough(of_type(values, wanted), len(values)):
        return None
    return AMOUNT if wanted == "number" else TextType(wanted)


def of_type(values: pl.Series, kind: LogicalType, form: str | None = None) -> int:
    """How many of the values the row gate takes for a type.

    Args:
        values: text, without NULL.
        kind: logical type.
        form: of dates and times.
    """
    if not len(values):
        return 0
    wide = {"precision": MOST_DIGITS, "scale": 10} if kind == "number" else {}
    field = Field(
        name="value",
        title="",
        native="value",
        type=kind,
        semantic="text",
        level="L1",
        pii="NONE",
        format=form,
        **wide,
    )
    typed = values.rename("value").to_frame().select(parse(field, pl.String()).value)
    return len(values) - typed.to_series().null_count()


def number_type(values: pl.Series) -> TextType | None:
    """Numbers with decimals or groups of digits, or whole ones of different lengths; else None.

    Whole numbers of one length are numbers of something: of a card, a person, a region.

    Args:
        values: text, without NULL.
    """
    grouped = {sign: values.str.contains(pattern) for sign, pattern in _GROUPED}
    sign = next((s for s, found in grouped.items() if found.any()), None)
    right = values.str.contains(_PLAIN)
    if sign is not None:
        right = right | grouped[sign]
    numbers = values.filter(right)
    if not is_enough(len(numbers), len(values)):
        return None
    decimals = numbers.str.extract(r"\.([0-9]+)$").str.len_chars().fill_null(0)
    if sign is None and count_of(decimals > 0) <= _POINT * len(numbers):
        return _whole(numbers)
    scale = int(decimals.quantile(0.98, "higher") or 0)
    whole = numbers.str.replace_all(r"[^0-9.]", "").str.replace(r"\..*$", "").str.len_chars()
    digits = int(whole.quantile(0.98, "higher") or 1) + scale
    return TextType("number", None, sign, *decimal_of(digits, scale))


def are_below_one(values: pl.Series) -> bool:
    """Whether numbers are parts of one, as rates are.

    Args:
        values: text, without NULL.
    """
    numbers = values.cast(pl.Float64, strict=False).drop_nulls()
    parts = numbers.filter((numbers != 0) & (numbers.abs() < 1))
    return is_enough(count_of(numbers.abs() < 1), len(numbers)) and 2 * len(parts) > len(numbers)


def decimal_of(digits: int, scale: int) -> tuple[int, int]:
    """Precision and scale that leave room.

    Args:
        digits: that were seen or are declared.
        scale: decimals among them.
    """
    found = max(scale, 2)
    return min(MOST_DIGITS, max(USUAL_DIGITS, digits + found - scale)), found


def _whole(numbers: pl.Series) -> TextType | None:
    lengths = numbers.str.len_chars()
    right = numbers.str.contains(_WHOLE)
    usual = count_of(lengths == lengths.mode().sort()[0]) if len(lengths) else 0
    of_one_length = is_enough(usual, len(numbers)) or lengths.min() == lengths.max()
    if not is_enough(count_of(right), len(numbers)) or of_one_length:
        return None
    if 2 * count_of(lengths >= _NUMBER_OF_SOMETHING) >= len(lengths):
        return None
    return TextType("integer")
