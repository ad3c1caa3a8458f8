"""Text as a source writes it, in the forms that a contract declares, as text that parses.

Blanks around a value, tokens for NULL, signs of numbers, dates with months and days of one digit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import polars as pl

from onecard.base.blanks import BLANKS, CONTROLS
from onecard.ports.row_gate import Reason
from schemas.models.text_form import TextForm

AROUND = "text.blanks"
TRIMMED = "text.trimmed"
NULL_WORD = "text.null_word"

NULL_WORDS = (
    "NULL",
    "Null",
    "null",
    "(null)",
    "<null>",
    "<NULL>",
    "\\N",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "NaN",
    "nan",
    "None",
    "nil",
)
"""What exports of databases and spreadsheets write for NULL: a value that is such a word warns."""

_CLASS = "[" + "".join(rf"\x{{{ord(c):x}}}" for c in BLANKS) + "]"
_YEAR, _TWO, _ONE_OR_TWO = r"[0-9]{4}", r"[0-9]{2}", r"[0-9]{1,2}"
_WIDTHS = {"%Y": _YEAR} | dict.fromkeys(("%m", "%d", "%H", "%M", "%S"), _TWO)


def blank_around(column: pl.Expr) -> pl.Expr:
    """Where a blank of any width stands before or behind a value."""
    return column.str.contains(f"^{_CLASS}") | column.str.contains(f"{_CLASS}$")


def meant(column: pl.Expr, form: TextForm) -> pl.Expr:
    """Text without the blanks around it, and NULL for its tokens, as far as the form says so."""
    text = column
    if form.trim:
        bare = text.str.strip_chars(BLANKS + CONTROLS)
        text = pl.when((bare != "") | (text == "")).then(bare)
    if form.null:
        text = pl.when(~text.is_in(list(form.null))).then(text)
    return text


def null_words(rows: pl.DataFrame, names: Sequence[str]) -> dict[Reason, int]:
    """Rows by field that hold a word for NULL as text.

    Args:
        rows: typed columns by contract name.
        names: of fields that may hold such a word.
    """
    if not names or not len(rows):
        return {}
    counts = rows.select(pl.col(names).is_in(list(NULL_WORDS)).sum()).row(0)
    pairs = zip(names, counts, strict=True)
    return {Reason(name, NULL_WORD): number for name, number in pairs if number}


def digits(column: pl.Expr, form: TextForm, *, decimals: bool) -> pl.Expr:
    """A number in the form as one with a point and no groups; NULL where it is not in the form.

    Groups are of three digits, between all of them or none: 1,234,567 or 1234567, never 12,34.

    Args:
        column: text.
        form: signs of decimals and thousands.
        decimals: whether the number may have decimals.
    """
    point, group = re.escape(form.decimal), re.escape(form.thousands or "")
    whole = rf"[0-9]+|[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+" if group else "[0-9]+"
    fraction = rf"(?:{point}[0-9]+)?" if decimals else ""
    text: pl.Expr = pl.when(column.str.contains(rf"^-?(?:{whole}){fraction}$")).then(column)
    if form.thousands:
        text = text.str.replace_all(form.thousands, "", literal=True)
    return text.str.replace(form.decimal, ".", literal=True) if form.decimal != "." else text


@cache
def written(form: str) -> str | None:
    """A date format as the regular expression of the texts that are in it; None: cannot be said.

    Months, days, hours, minutes and seconds may have one digit, as in the C library's strptime,
    where something other than a digit stands around them: 2026/1/5, never 202615.

    Args:
        form: of strftime.
    """
    parts = re.findall(r"%.|[^%]+", form, re.DOTALL)
    if "".join(parts) != form or any(p[0] == "%" and p not in (*_WIDTHS, "%%") for p in parts):
        return None
    found = []
    for place, part in enumerate(parts):
        width = _WIDTHS.get(part)
        if width is None:
            found.append("%" if part == "%%" else re.escape(part))
        elif may_have_one_digit(parts, place):
            found.append(_ONE_OR_TWO)
        else:
            found.append(width)
    return f"^{''.join(found)}$"


def may_have_one_digit(parts: list[str], place: int) -> bool:
    """Whether a part of a date format may be written with one digit: none stands beside it.

    Args:
        parts: directives and what stands between them.
        place: of the part.
    """
    if _WIDTHS.get(parts[place]) != _TWO:
        return False
    before = parts[place - 1] if place else "/"
    behind = parts[place + 1] if place + 1 < len(parts) else "/"
    beside = before in _WIDTHS or behind in _WIDTHS
    return not (beside or before[-1].isdigit() or behind[0].isdigit())
