"""Cells of a spreadsheet as text, in the form in which the contract's text is written.

A spreadsheet keeps numbers as binary fractions of 64 bits and shows at most fifteen digits of them;
dates are numbers that a format shows as dates (ECMA-376-1, 18.8.30, 18.17.4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal

from connectors.files.moments import written
from onecard.ports.source import Column

ROUNDED, FORMULA, ERROR, PERCENT = "cell.rounded", "cell.formula", "cell.error", "cell.percent"
TYPE = "type"
MOST_DIGITS = 15
"""Digits that a spreadsheet keeps of a number: an ID number of 18 loses its last three (F29)."""
_FIFTEEN = Context(prec=MOST_DIGITS)
_SMALLEST = -30
"""Powers of ten below which a number is none of a contract's."""

Form = Literal["plain", "percent", "date", "clock", "elapsed"]
"""`clock`: a time of day; `elapsed`: hours that are counted beyond 24."""
Kind = Literal["number", "text", "boolean", "error", "date"]
Asks = Literal["", "inside", "outside"]
"""Whether a value is a formula's, and whether that asks another workbook."""
_DAY_MS = 86_400_000
_LEAP_OF_1900 = 60
"""29 February 1900, which Excel has and the calendar does not."""
_LAST_DAY = 2_958_465
"""31 December 9999."""
_DATES = frozenset({*range(14, 18), 22, *range(27, 32), 36, *range(50, 55), 57, 58})
"""Numbers of built-in formats that show dates, those of Chinese among them."""
_CLOCKS = frozenset({*range(18, 22), *range(32, 36), 45, 47, 55, 56})
_ELAPSED = 46
_PERCENTS = frozenset({9, 10})
_NO_LETTERS = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE | re.DOTALL)
"""Parts of a format's code that stand for themselves, or for colours, places and conditions."""
_COUNTED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_TRUTHS = {"1": "true", "0": "false"}
_ZEROS = re.compile("0{2,18}")


@dataclass(frozen=True, slots=True)
class CellFormat:
    """What a cell's format makes of its number.

    Attributes:
        form: what it is shown as.
        zeros: digits that a whole number is filled up to with zeros; 0: none.
    """

    form: Form = "plain"
    zeros: int = 0


PLAIN = CellFormat()


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is no plain text.

    Attributes:
        kind: `date` is a date as ISO 8601 text.
        text: its value as the file keeps it; empty where it keeps none.
        format: of its number.
        formula: whether the value is a formula's.
    """

    kind: Kind
    text: str
    format: CellFormat = PLAIN
    formula: Asks = ""


@dataclass(frozen=True, slots=True)
class Taking:
    """How a workbook's cells are taken.

    Attributes:
        formulas: as the options say.
        percent: as the options say.
        since_1904: whether its days are counted from 1904.
    """

    formulas: Literal["reject", "cached"] = "reject"
    percent: Literal["reject", "fraction", "hundredths"] = "reject"
    since_1904: bool = False


def text_of(cell: Cell, column: Column, taking: Taking) -> tuple[str | None, str]:
    """A cell's text, and the rule that it breaks; empty where it breaks none.

    Args:
        cell: any that is no plain text.
        column: that it stands in.
        taking: how cells are taken.
    """
    if cell.formula and (
        taking.formulas == "reject" or cell.formula == "outside" or not _has_value(cell)
    ):
        return cell.text, FORMULA
    if cell.kind == "number":
        return _number(cell, column, taking)
    if cell.kind == "date":
        return _iso_date(cell.text, column)
    if cell.kind == "boolean":
        return _TRUTHS.get(cell.text, cell.text), ""
    return (cell.text or None, "") if cell.kind == "text" else (cell.text, ERROR)


def _number(cell: Cell, column: Column, taking: Taking) -> tuple[str, str]:
    """A number as what its format shows it as."""
    shown = cell.format.form
    if shown == "percent":
        return _percent(cell.text, column, taking)
    if shown != "plain":
        reading = (taking.since_1904, shown)
        found = _moment_text(cell.text, column.type, column.format, reading)
        return (found, "") if found is not None else (cell.text, ERROR)
    text, rule = number_text(cell.text)
    if column.type != "string":
        return _signed(text, column), rule
    return (text.zfill(cell.format.zeros) if text.isdecimal() else text), rule


def number_text(raw: str) -> tuple[str, str]:
    """A number in plain digits, at most fifteen of them as they are shown, and the rule it breaks.

    Args:
        raw: as the file keeps it, `4.1010119900101123E+17`.
    """
    if len(raw) <= MOST_DIGITS and raw.isascii() and raw.isdecimal():
        return str(int(raw)), ""
    number = _decimal(raw)
    if number is None:
        return raw, TYPE
    if number.is_zero():
        return "0", ""
    if not _SMALLEST < number.adjusted() < -_SMALLEST:
        return raw, ROUNDED if number.adjusted() > 0 else TYPE
    if len(number.as_tuple().digits) > MOST_DIGITS:
        number = _FIFTEEN.plus(number)
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text, ROUNDED if number.adjusted() >= MOST_DIGITS else ""


def format_of(number: int, code: str | None) -> CellFormat:
    """What a format makes of a number.

    Args:
        number: of the format.
        code: its text, where it is none of the built-in ones.
    """
    if code is None:
        form: Form = "date" if number in _DATES else "clock" if number in _CLOCKS else "plain"
        if number == _ELAPSED:
            form = "elapsed"
        return CellFormat("percent" if number in _PERCENTS else form)
    if _ZEROS.fullmatch(code):
        return CellFormat(zeros=len(code))
    if code.casefold() == "general":
        return PLAIN
    signs_of = _NO_LETTERS.sub("", code).partition(";")[0].casefold()
    if _COUNTED.search(signs_of):
        return CellFormat("elapsed")
    letters = set(signs_of)
    kinds: tuple[tuple[Form, str], ...] = (
        ("percent", "%"),
        ("date", "yd"),
        ("clock", "hs"),
        ("date", "m"),
    )
    return CellFormat(next((form for form, signs in kinds if letters & set(signs)), "plain"))


def _has_value(cell: Cell) -> bool:
    return bool(cell.text) or cell.kind == "text"


def _decimal(raw: str) -> Decimal | None:
    try:
        number = Decimal(raw)
    except InvalidOperation:
        return None
    return number if number.is_finite() and raw.isascii() and "_" not in raw else None


def _signed(text: str, column: Column) -> str:
    """With the column's own sign before the decimals."""
    return text.replace(".", column.decimal) if column.decimal != "." else text


def _percent(raw: str, column: Column, taking: Taking) -> tuple[str, str]:
    if taking.percent == "reject":
        return raw, PERCENT
    text, rule = number_text(raw)
    if taking.percent == "hundredths" and not rule:
        text, rule = number_text(str(Decimal(text).scaleb(2)))
    return _signed(text, column), rule


def _iso_date(text: str, column: Column) -> tuple[str, str]:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text, ERROR
    said = None if found.tzinfo else written(found, column.type, column.format)
    return (said, "") if said is not None else (text, ERROR)


@lru_cache(maxsize=1 << 16)
def _moment_text(
    raw: str, kind: str | None, form: str | None, reading: tuple[bool, Form]
) -> str | None:
    """A number of days as text; None where it is no date.

    Args:
        raw: the number.
        kind: type of the column.
        form: in which the column's text is written.
        reading: whether days are counted from 1904, and as what the number is shown.
    """
    since_1904, shown = reading
    number = _decimal(raw)
    if number is None or not 0 <= number <= _LAST_DAY + 1:
        return None
    days, ms = divmod(round(number * _DAY_MS), _DAY_MS)
    if shown in ("clock", "elapsed") and days == 0:
        return _time_of(ms).isoformat()
    if shown == "elapsed":
        return None  # 36 hours are no day of 1900
    first = date(1904, 1, 1) if since_1904 else date(1899, 12, 30)
    if not since_1904:
        if days == 0 or int(days) == _LEAP_OF_1900:
            return None
        days += 1 if days < _LEAP_OF_1900 else 0
    try:
        day = first + timedelta(days=int(days))
    except OverflowError:
        return None
    return written(datetime.combine(day, _time_of(ms)), kind, form)


def _time_of(milliseconds: int) -> time:
    seconds, ms = divmod(int(milliseconds), 1000)
    return time(seconds // 3600, seconds // 60 % 60, seconds % 60, ms * 1000)
