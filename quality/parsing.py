"""From what a source gives to the contract's types: a bad value costs its row, not the batch."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from schemas.contract import Field

ZONE = "Asia/Shanghai"
INSTANT = pl.Datetime("us", "UTC")

_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:?[0-9]{2})$"
_INTEGER = r"^-?[0-9]{1,18}$"
_NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A column of the contract's type, and expressions that name its bad rows.

    Attributes:
        value: the typed column.
        faults: rule → boolean expression, True where a non-NULL value breaks it.
    """

    value: pl.Expr
    faults: dict[str, pl.Expr]


def target(field: Field) -> pl.DataType:
    """Polars type of a field."""
    if field.type == "number":
        return pl.Decimal(field.precision or 38, field.scale or 0)
    kinds: dict[str, pl.DataType] = {
        "string": pl.String(),
        "date": pl.Date(),
        "timestamp": INSTANT,
        "integer": pl.Int64(),
    }
    return kinds[field.type]


def parse(field: Field, found: pl.DataType) -> Parsed:
    """How a column of type `found` becomes the field's type."""
    column = pl.col(field.name)
    if found == pl.Null:
        return Parsed(pl.lit(None, target(field)).alias(field.name), {})
    if found == pl.String:
        return _from_text(field, column)
    if field.type == "number":
        return _decimal(field, column, found)
    if field.type == "timestamp" and isinstance(found, pl.Datetime):
        return Parsed(_instant(column, found), {})
    if _same_kind(field, found):
        return Parsed(column.cast(target(field)), {})
    return Parsed(pl.lit(None, target(field)).alias(field.name), {"type": column.is_not_null()})


def _same_kind(field: Field, found: pl.DataType) -> bool:
    if field.type == "integer":
        return found.is_integer()
    if field.type == "date":
        return found == pl.Date
    return field.type == "string" and found.is_integer()


def _instant(column: pl.Expr, found: pl.Datetime) -> pl.Expr:
    exact = column.dt.cast_time_unit("us")
    if found.time_zone is None:
        exact = exact.dt.replace_time_zone(ZONE, ambiguous="null", non_existent="null")
    return exact.dt.convert_time_zone("UTC")


def _from_text(field: Field, column: pl.Expr) -> Parsed:
    if field.type == "string":
        return Parsed(column, {})
    if field.type == "number":
        return _decimal(field, column, pl.String())
    if field.type == "integer":
        value = pl.when(column.str.contains(_INTEGER)).then(column).cast(pl.Int64, strict=False)
    elif field.type == "date":
        shaped = pl.when(column.str.contains(_DATE)).then(column) if not field.format else column
        value = shaped.str.to_date(field.format or "%Y-%m-%d", strict=False)
    else:
        value = _text_instant(field, column)
    return Parsed(value, {"type": value.is_null() & column.is_not_null()})


def _text_instant(field: Field, column: pl.Expr) -> pl.Expr:
    if field.format:
        naive = column.str.to_datetime(field.format, time_unit="us", strict=False)
        local = naive.dt.replace_time_zone(ZONE, ambiguous="null", non_existent="null")
        return local.dt.convert_time_zone("UTC")
    shaped = pl.when(column.str.contains(_INSTANT)).then(column)
    plain = shaped.str.replace(" ", "T", literal=True).str.replace("Z$", "+00:00")
    return plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False)


def _decimal(field: Field, column: pl.Expr, found: pl.DataType) -> Parsed:
    precision, scale = field.precision or 38, field.scale or 0
    if not (found == pl.String or found.is_decimal() or found.is_integer()):
        return Parsed(pl.lit(None, target(field)).alias(field.name), {"type": column.is_not_null()})
    text = column if found == pl.String else column.cast(pl.String)
    whole = precision - scale
    fits = (
        rf"^-?0*[0-9]{{1,{whole}}}(\.[0-9]{{1,{scale}}}0*)?$"
        if scale
        else rf"^-?0*[0-9]{{1,{whole}}}(\.0*)?$"
    )
    numeric, exact = text.str.contains(_NUMBER), text.str.contains(fits)
    kept = text.str.replace(rf"(\.[0-9]{{{scale}}})0+$", "${1}")
    value = pl.when(exact).then(kept).cast(pl.Decimal(precision, scale), strict=False)
    faults = {"scale": numeric & ~exact}
    if found == pl.String:
        faults["type"] = ~numeric
    return Parsed(value, faults)
