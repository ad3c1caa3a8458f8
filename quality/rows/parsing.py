"""From what a source gives to the contract's types: a bad value costs its row, not the batch.

A value that cannot be of the field's type becomes NULL in the typed column; why it cannot is asked
later, of those rows only. The same value gives the same typed value from every kind of source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from onecard.base.times import CLOCKS, CLOCKS_SINCE, OFFSET
from quality.rows.text_forms import digits, written
from schemas.models.contract import Field
from schemas.models.text_form import TextForm

PLAIN = TextForm()
"""Numbers with a point and no groups."""
INSTANT = pl.Datetime("us", "UTC")

_YEAR = r"(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
_DATE = rf"^{_YEAR}-[0-9]{{2}}-[0-9]{{2}}$"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_INSTANT = (
    rf"^{_YEAR}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,6}})?(?:Z|[+-]{_CLOCK})$"
)
_INTEGER = r"^-?[0-9]{1,18}$"
_NUMBER = r"^-?[0-9]+(?:\.[0-9]+)?$"

_DAYS = (-719_162, 2_932_896)
"""0001-01-01 and 9999-12-31 in days since 1970: years of four digits, as text writes them."""
_MICROSECONDS = (-62_135_596_800_000_000, 253_402_271_999_999_999)
"""Instants with years of four digits in UTC and in Beijing."""
_PER_UNIT = {"ms": 1_000, "us": 1}
_A_DAY = 86_400_000_000
_INTEGERS = (-(10**18) + 1, 10**18 - 1)
_WIDEST = 38
BOUNDS = {"date": _DAYS, "integer": _INTEGERS, "timestamp": _MICROSECONDS}
"""By a field's type: first and last value, as days, numbers or microseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A column of the contract's type, and expressions that say why a value is not of it.

    Attributes:
        value: the typed column; NULL where the value is not of the type.
        faults: rule → boolean expression over the column as read.
    """

    value: pl.Expr
    faults: Mapping[str, pl.Expr] = field(default_factory=dict)


def target(field: Field) -> pl.DataType:
    """Polars type of a field."""
    if field.type == "number":
        return pl.Decimal(field.precision or _WIDEST, field.scale or 0)
    kinds: dict[str, pl.DataType] = {
        "string": pl.String(),
        "date": pl.Date(),
        "timestamp": INSTANT,
        "integer": pl.Int64(),
    }
    return kinds[field.type]


def parse(
    field: Field, found: pl.DataType, form: TextForm = PLAIN, *, foreign: bool = False
) -> Parsed:
    """How a column of type `found` becomes the field's type.

    Args:
        field: the contract's field.
        found: type of the column as read.
        form: in which text has its numbers.
        foreign: the source gave a type that no field has; nothing of it is taken.
    """
    column = pl.col(field.name)
    if found == pl.Null:
        return Parsed(column.cast(target(field)))
    if found == pl.String and not foreign:
        return _from_text(field, column, form)
    if field.type == "number" and (found.is_decimal() or found.is_integer()):
        return _from_decimal(field, column, found)
    value = _same_kind(field, column, found)
    if value is None:
        value = pl.repeat(None, pl.len(), dtype=target(field))
    return _or_wrong_type(value, column)


def _same_kind(field: Field, column: pl.Expr, found: pl.DataType) -> pl.Expr | None:
    """A typed column as the field's type; None when the types are of different kinds."""
    if field.type in ("date", "timestamp") and found.is_temporal():
        return _day_or_instant(field, column, found)
    if field.type == "integer" and found.is_integer():
        wide = column.cast(pl.Int128) if found == pl.UInt64 else column
        return _within(wide, *_INTEGERS).cast(pl.Int64, strict=False)
    if field.type == "string" and found.is_integer():
        return column.cast(pl.String)
    return None


def _day_or_instant(field: Field, column: pl.Expr, found: pl.DataType) -> pl.Expr | None:
    """A day is its midnight in Beijing, and that midnight is the day."""
    if isinstance(found, pl.Datetime):
        return _instant(column, found) if field.type == "timestamp" else _day_of(column, found)
    if found != pl.Date:
        return None
    day = _within(column, *_DAYS)
    if field.type == "date":
        return day
    return _within(_east(day.cast(pl.Datetime("us"))), *_MICROSECONDS)


def text_of(name: str, found: pl.DataType) -> pl.Expr:
    """A value as text that parses to the same value again; never fails."""
    column = pl.col(name)
    if isinstance(found, pl.Datetime):
        return _text_of_instant(column, found)
    if found == pl.Date:
        return pl.coalesce(
            _within(column, *_DAYS).dt.strftime("%Y-%m-%d"), column.to_physical().cast(pl.String)
        )
    return column.cast(pl.String)


def _or_wrong_type(value: pl.Expr, column: pl.Expr) -> Parsed:
    return Parsed(value, {"type": value.is_null() & column.is_not_null()})


def _within(column: pl.Expr, low: int, high: int) -> pl.Expr:
    """The values within bounds, in the column's own unit; NULL for the others."""
    first, last = pl.lit(low, pl.Int64), pl.lit(high, pl.Int64)
    return pl.when(column.to_physical().is_between(first, last)).then(column)


def _bounded(column: pl.Expr, found: pl.Datetime) -> pl.Expr:
    if found.time_unit == "ns":  # 64 bits of nanoseconds end in 2262
        return column
    low, high = (bound // _PER_UNIT[found.time_unit] for bound in _MICROSECONDS)
    return _within(column, low, high)


def _instant(column: pl.Expr, found: pl.Datetime) -> pl.Expr:
    exact = _exact(column, found)
    return exact.dt.convert_time_zone("UTC") if found.time_zone else _local(exact)


def _exact(column: pl.Expr, found: pl.Datetime) -> pl.Expr:
    """A time in microseconds; NULL beyond four digits of a year, or with finer parts."""
    exact = _bounded(column, found)
    if found.time_unit == "ns":
        exact = pl.when(column.to_physical() % 1000 == 0).then(column)
    return exact.dt.cast_time_unit("us")


def _local(naive: pl.Expr) -> pl.Expr:
    """Naive local time as an instant; NULL where summer time (1986-1991) makes it none or two."""
    clocks = naive.dt.replace_time_zone(CLOCKS, ambiguous="null", non_existent="null")
    found = (
        pl.when(naive < CLOCKS_SINCE)
        .then(_east(naive))
        .otherwise(clocks.dt.convert_time_zone("UTC"))
    )
    return _within(found, *_MICROSECONDS)


def _east(naive: pl.Expr) -> pl.Expr:
    """A time at +08:00 as an instant."""
    return naive.dt.replace_time_zone(OFFSET).dt.convert_time_zone("UTC")


def _day_of(column: pl.Expr, found: pl.Datetime) -> pl.Expr:
    """The date of a midnight; NULL at any other time of the day.

    A midnight is one without a zone, one by the clocks of Beijing (summer time in 1986-1991 too),
    or one at +08:00: the three never give an instant two dates.
    """
    exact = _within(_exact(column, found), *_MICROSECONDS)
    if found.time_zone is None:
        return _midnight(exact)
    utc = exact.dt.convert_time_zone("UTC")
    zones = (CLOCKS, OFFSET)
    clocks, east = (utc.dt.convert_time_zone(z).dt.replace_time_zone(None) for z in zones)
    since = pl.when(clocks >= CLOCKS_SINCE).then(clocks)
    return pl.coalesce(_midnight(since), _midnight(east))


def _midnight(naive: pl.Expr) -> pl.Expr:
    return pl.when(naive.to_physical() % _A_DAY == 0).then(naive).dt.date()


def _text_of_instant(column: pl.Expr, found: pl.Datetime) -> pl.Expr:
    """Beijing time to the microsecond; naive where it is no instant, a count where no date."""
    bounded = _bounded(column, found)
    naive = bounded if found.time_zone is None else bounded.dt.replace_time_zone(None)
    instant = _local(_exact(column, found)) if found.time_zone is None else bounded
    east = instant.dt.replace_time_zone(None).dt.offset_by("8h")
    form = "%Y-%m-%dT%H:%M:%S%.9f"
    return pl.coalesce(
        east.dt.strftime(form).str.replace("000$", "") + "+08:00",
        naive.dt.strftime(form).str.replace("000$", ""),
        column.to_physical().cast(pl.String),
    )


def _from_text(field: Field, column: pl.Expr, form: TextForm) -> Parsed:
    if field.type == "string":
        return Parsed(column)
    if field.type == "number":
        return _number(field, column, form)
    if field.type == "integer":
        text = digits(column, form, decimals=False) if form.grouped else column
        value = pl.when(text.str.contains(_INTEGER)).then(text).cast(pl.Int64, strict=False)
    elif field.type == "date":
        value = _text_date(field, column)
    else:
        value = _text_instant(field, column)
    return _or_wrong_type(value, column)


def _text_date(field: Field, column: pl.Expr) -> pl.Expr:
    if field.format:
        found = column.str.to_date(field.format, strict=False)
        return _written(_within(found, *_DAYS), column, field.format)
    shaped = pl.when(column.str.contains(_DATE)).then(column)
    return shaped.str.to_date("%Y-%m-%d", strict=False)


def _text_instant(field: Field, column: pl.Expr) -> pl.Expr:
    if field.format:
        naive = column.str.to_datetime(field.format, time_unit="us", strict=False)
        return _local(_written(_within(naive, *_MICROSECONDS), column, field.format))
    shaped = pl.when(column.str.contains(_INSTANT)).then(column)
    plain = shaped.str.replace(" ", "T", literal=True).str.replace("Z$", "+00:00")
    found = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False)
    return _within(found.dt.convert_time_zone("UTC"), *_MICROSECONDS)


def _written(value: pl.Expr, column: pl.Expr, form: str) -> pl.Expr:
    """Only values that were written exactly in the format: the parser skips blanks and signs."""
    shape = written(form)
    if shape is not None:
        return pl.when(column.str.contains(shape)).then(value)
    return pl.when(value.dt.strftime(form) == column).then(value)


def _number(field: Field, given: pl.Expr, form: TextForm) -> Parsed:
    column, numeric = given, given.str.contains(_NUMBER)
    if form.grouped:
        column = digits(given, form, decimals=True)
        numeric = pl.when(given.is_not_null()).then(column.is_not_null())
    precision, scale = field.precision or _WIDEST, field.scale or 0
    fraction = rf"(?:\.[0-9]{{1,{scale}}}0*)?" if scale else r"(?:\.0+)?"
    fits = rf"^-?0*[0-9]{{0,{precision - scale}}}{fraction}$"
    exact = numeric & column.str.contains(fits)
    kept = (
        column.str.replace(rf"(\.[0-9]{{{scale}}})0+$", "${1}")
        if scale
        else (column.str.replace(r"\.0+$", ""))
    )
    value = pl.when(exact).then(kept).cast(pl.Decimal(precision, scale), strict=False)
    return Parsed(value, {"scale": numeric & ~exact, "type": ~numeric})


def _from_decimal(field: Field, column: pl.Expr, found: pl.DataType) -> Parsed:
    """Exact decimals and integers, compared as whole numbers of their smallest unit."""
    precision, scale = field.precision or _WIDEST, field.scale or 0
    given = found.scale if isinstance(found, pl.Decimal) else 0
    units = column.to_physical().cast(pl.Int128)
    exact = pl.lit(value=True)
    if precision - scale + given < _WIDEST:
        most = pl.lit(10 ** (precision - scale + given), pl.Int128)
        exact &= units.is_between(-most, most, closed="none")
    if given > scale:
        exact &= units % pl.lit(10 ** (given - scale), pl.Int128) == 0
    value = pl.when(exact).then(column).cast(pl.Decimal(precision, scale), strict=False)
    return Parsed(value, {"scale": value.is_null() & column.is_not_null()})
