"""A contract's row rules as Polars expressions: True where a row breaks the rule.

NULL in a named field never breaks a rule, except where the rule is about NULL.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from onecard.timespan import duration
from quality.parsing import ZONE
from schemas import codes
from schemas.contract import Contract
from schemas.rules import (
    Compare,
    Condition,
    Implies,
    OfIdNumber,
    Pattern,
    Product,
    Range,
    Rule,
    Scalar,
    Sum,
    TupleIn,
    Unique,
)

Builder = Callable[[datetime], pl.Expr]
"""Given the transfer's time, the expression of the rows that break the rule."""


def main_field(rule: Rule) -> str:
    """The field that a broken rule is reported on."""
    check = rule.check
    if isinstance(check, Implies):
        return check.then.field
    if isinstance(check, Sum):
        return check.total
    if isinstance(check, Product):
        return check.result
    if isinstance(check, Compare):
        return check.left
    if isinstance(check, TupleIn | Unique):
        return check.columns[-1]
    return check.field


def compile_rule(rule: Rule, contract: Contract) -> Builder | None:
    """The rule's expression; None for set rules, which PostgreSQL evaluates."""
    check = rule.check
    if isinstance(check, Unique):
        return None
    if isinstance(check, Compare):
        return _compare(check, contract)
    expression = _timeless(check, contract)
    return lambda _now: expression


def _timeless(check: Any, contract: Contract) -> pl.Expr:  # noqa: ANN401 - the rest of the union
    if isinstance(check, Sum):
        total: pl.Expr = pl.sum_horizontal(
            [_money(part) for part in check.parts], ignore_nulls=False
        )
        return (_money(check.total) - total).abs() > _decimal(check.tolerance)
    if isinstance(check, Product):
        return _product(check, contract)
    if isinstance(check, Implies):
        when = pl.all_horizontal([_holds(c, contract).fill_null(value=False) for c in check.when])
        return when & ~_holds(check.then, contract).fill_null(value=False)
    if isinstance(check, Range):
        low = pl.col(check.field) < _literal(check.min, check.field, contract)
        high = pl.col(check.field) > _literal(check.max, check.field, contract)
        return low if check.max is None else high if check.min is None else low | high
    if isinstance(check, Pattern):
        return ~pl.col(check.field).str.contains(rf"\A(?:{check.pattern})\z")
    if isinstance(check, TupleIn):
        return _tuple_in(check)
    return _of_id_number(check)


def _compare(check: Compare, contract: Contract) -> Builder:
    plus = duration(check.plus) if check.plus else None

    def build(now: datetime) -> pl.Expr:
        left = pl.col(check.left)
        if check.right is not None:
            right = pl.col(check.right)
        elif check.value == "now":
            local = now.astimezone(ZoneInfo(ZONE))
            right = (
                pl.lit(local.date())
                if contract.field(check.left).type == "date"
                else pl.lit(now.astimezone(UTC))
            )
        else:
            right = _literal(check.value, check.left, contract)
        if plus is not None:
            right = right + pl.lit(plus)
        return ~{
            "<": left < right,
            "<=": left <= right,
            "=": left == right,
            ">=": left >= right,
            ">": left > right,
        }[check.op]

    return build


def _product(check: Product, contract: Contract) -> pl.Expr:
    """Exact in integers: both sides scaled to the factors' common scale, then rounded half up."""
    first, second = (contract.field(name) for name in check.factors)
    result = contract.field(check.result)
    exact = _units(check.factors[0], first.scale) * _units(check.factors[1], second.scale)
    step = 10 ** ((first.scale or 0) + (second.scale or 0) - (result.scale or 0))
    rounded = (exact + step // 2) // step
    allowed = int(Decimal(check.tolerance).scaleb(result.scale or 0))
    difference: pl.Expr = (rounded - _units(check.result, result.scale)).abs()
    return difference > allowed


def _units(name: str, scale: int | None) -> pl.Expr:
    """A decimal column as a whole number of its smallest unit."""
    return (pl.col(name) * pl.lit(10 ** (scale or 0))).cast(pl.Int64)


def _holds(condition: Condition, contract: Contract) -> pl.Expr:
    column = pl.col(condition.field)
    if condition.null is not None:
        return column.is_null() if condition.null else column.is_not_null()
    if condition.in_ is not None:
        return column.is_in(list(condition.in_))
    if condition.not_in is not None:
        return column.is_not_null() & ~column.is_in(list(condition.not_in))
    if condition.min is not None:
        return column >= _literal(condition.min, condition.field, contract)
    return column <= _literal(condition.max, condition.field, contract)


def _tuple_in(check: TupleIn) -> pl.Expr:
    rows = codes.table(check.table)
    known = ["\x1f".join(row[name] for name in check.columns) for row in rows]
    return ~pl.concat_str([pl.col(c) for c in check.columns], separator="\x1f").is_in(known)


def _of_id_number(check: OfIdNumber) -> pl.Expr:
    number = pl.col(check.id_number)
    if check.check == "sex_of":
        odd = number.str.slice(16, 1).is_in(["1", "3", "5", "7", "9"])
        return pl.col(check.field) != pl.when(odd).then(pl.lit("1")).otherwise(pl.lit("2"))
    born = pl.col(check.field)
    spelled = born.dt.year() * 10_000 + born.dt.month().cast(pl.Int32) * 100 + born.dt.day()
    return number.str.slice(6, 8).cast(pl.Int32, strict=False) != spelled


def _money(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Decimal(38, 6))


def _decimal(text: str) -> pl.Expr:
    return pl.lit(Decimal(text)).cast(pl.Decimal(38, 6))


def _literal(value: Scalar | None, name: str, contract: Contract) -> pl.Expr:
    field = contract.field(name)
    if value is None:
        return pl.lit(None)
    if field.type == "number":
        return pl.lit(Decimal(str(value))).cast(pl.Decimal(field.precision or 38, field.scale or 0))
    if field.type == "integer":
        return pl.lit(int(value), pl.Int64)
    if field.type == "date":
        return pl.lit(date.fromisoformat(str(value)))
    return pl.lit(str(value))
