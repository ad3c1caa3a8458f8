"""A contract's row rules as Polars expressions: True where a row breaks the rule.

NULL in a named field never breaks a rule, except where the rule is about NULL. Sums and products
are exact: decimals are compared as 128-bit whole numbers of one unit, never as floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl

from onecard.base.times import OFFSET, ZONE
from onecard.ports.row_gate import Reason
from quality.rows.parsing import INSTANT, target
from schemas.models import codes
from schemas.models.contract import Contract, Field
from schemas.models.rules import (
    Check,
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


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule of the contract with its compiled expression."""

    reason: Reason
    check: Check
    warns: bool
    build: Builder


def row_rules(contract: Contract) -> list[RowRule]:
    """The contract's rules of single rows, compiled.

    Args:
        contract: the dataset's contract.
    """
    compiled = [(rule, compile_rule(rule, contract)) for rule in contract.rules]
    return [
        RowRule(Reason(main_field(rule), rule.name), rule.check, rule.severity == "warning", build)
        for rule, build in compiled
        if build is not None
    ]


def warned(rules: Sequence[RowRule], good: pl.DataFrame, now: datetime) -> dict[Reason, int]:
    """How many good rows break each rule of severity warning, where any does.

    Args:
        rules: compiled.
        good: rows, typed columns by contract name.
        now: the transfer's aware time.
    """
    found: dict[Reason, int] = {}
    for rule in rules:
        if rule.warns:
            broken = good.select(rule.build(now).fill_null(value=False)).to_series()
            if number := int(broken.sum()):
                found[rule.reason] = found.get(rule.reason, 0) + number
    return found


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
    expression = _arithmetic(check, contract)
    return lambda _now: expression


def _arithmetic(check: Check, contract: Contract) -> pl.Expr:
    if isinstance(check, Sum):
        return _sum(check, contract)
    if isinstance(check, Product):
        return _product(check, contract)
    if isinstance(check, Range):
        return _range(check, contract.field(check.field))
    return _logical(check, contract)


def _logical(check: Check, contract: Contract) -> pl.Expr:
    if isinstance(check, Implies):
        when = pl.all_horizontal([_holds(c, contract) for c in check.when])
        return when & ~_holds(check.then, contract)
    if isinstance(check, Pattern):
        return ~pl.col(check.field).str.contains(rf"\A(?:{check.pattern})\z")
    if isinstance(check, TupleIn):
        return _tuple_in(check)
    if isinstance(check, OfIdNumber):
        return _of_id_number(check)
    msg = f"no engine for a rule of kind {check.check!r}"
    raise TypeError(msg)


def _compare(check: Compare, contract: Contract) -> Builder:
    field = contract.field(check.left)
    plus = pl.lit(check.plus.span) if check.plus else None
    left = pl.col(check.left)
    fixed = None if check.value in (None, "now") else literal(check.value, field)
    if check.right is not None:
        fixed = pl.col(check.right)
        left, fixed = _same_kind(field, contract.field(check.right))

    def build(now: datetime) -> pl.Expr:
        right = _now(now, field) if fixed is None else fixed
        if plus is not None:
            right = right + plus
        return ~{
            "<": left < right,
            "<=": left <= right,
            "=": left == right,
            ">=": left >= right,
            ">": left > right,
        }[check.op]

    return build


def _same_kind(left: Field, right: Field) -> tuple[pl.Expr, pl.Expr]:
    """Two columns to compare; an instant beside a date counts as its date in China."""
    kinds = {left.type, right.type}
    if kinds == {"date", "timestamp"}:
        return _as_date(left), _as_date(right)
    return pl.col(left.name), pl.col(right.name)


def _as_date(field: Field) -> pl.Expr:
    column = pl.col(field.name)
    return column if field.type == "date" else column.dt.convert_time_zone(OFFSET).dt.date()


def _now(now: datetime, field: Field) -> pl.Expr:
    if field.type == "date":
        return pl.lit(now.astimezone(ZONE).date())
    return pl.lit(now.astimezone(UTC)).cast(INSTANT)


def _range(check: Range, field: Field) -> pl.Expr:
    column, broken = pl.col(field.name), pl.lit(value=False)
    if check.min is not None:
        broken |= column < literal(check.min, field)
    if check.max is not None:
        broken |= column > literal(check.max, field)
    return broken


def _sum(check: Sum, contract: Contract) -> pl.Expr:
    fields = [contract.field(name) for name in check.fields]
    scale = max(f.scale or 0 for f in fields)
    total, *parts = (_units(field, scale) for field in fields)
    for part in parts:
        total = total - part
    return total.abs() > _whole(check.tolerance, scale)


def _product(check: Product, contract: Contract) -> pl.Expr:
    """Both sides in the result's smallest unit; the product is rounded half away from zero."""
    first, second = (contract.field(name) for name in check.factors)
    result = contract.field(check.result)
    scale = max(result.scale or 0, (first.scale or 0) + (second.scale or 0))
    spread = scale - (first.scale or 0) - (second.scale or 0)
    exact = _units(first, first.scale or 0) * _units(second, second.scale or 0)
    exact = exact * _wide(10**spread)
    step = 10 ** (scale - (result.scale or 0))
    rounded = (exact.abs() + _wide(step // 2)) // _wide(step)
    given = _units(result, result.scale or 0)
    difference = pl.when(exact < 0).then(rounded + given).otherwise(rounded - given)
    return difference.abs() > _whole(check.tolerance, result.scale or 0)


def _units(field: Field, scale: int) -> pl.Expr:
    """A decimal or integer column as a whole number of 10^-scale."""
    own = (field.scale or 0) if field.type == "number" else 0
    whole = pl.col(field.name).to_physical().cast(pl.Int128)
    return whole * _wide(10 ** (scale - own)) if scale > own else whole


def _wide(number: int) -> pl.Expr:
    return pl.lit(number, pl.Int128)


def _whole(tolerance: str, scale: int) -> pl.Expr:
    return _wide(int(Decimal(tolerance).scaleb(scale)))


def _holds(condition: Condition, contract: Contract) -> pl.Expr:
    """Whether a condition holds; a NULL field meets only `null: true`."""
    column, field = pl.col(condition.field), contract.field(condition.field)
    if condition.null is not None:
        return column.is_null() if condition.null else column.is_not_null()
    if condition.in_ is not None:
        holds = pl.any_horizontal([column == literal(v, field) for v in condition.in_])
    elif condition.not_in is not None:
        holds = pl.all_horizontal([column != literal(v, field) for v in condition.not_in])
    elif condition.min is not None:
        holds = column >= literal(condition.min, field)
    else:
        holds = column <= literal(condition.max, field)
    return holds.fill_null(value=False)


def _tuple_in(check: TupleIn) -> pl.Expr:
    rows = codes.table(check.table)
    known = ["\x1f".join(row[name] for name in check.columns) for row in rows]
    return ~pl.concat_str([pl.col(c) for c in check.columns], separator="\x1f").is_in(known)


def _of_id_number(check: OfIdNumber) -> pl.Expr:
    number = pl.col(check.id_number)
    if check.check == "sex_of":
        sex = pl.col(check.field)
        odd = number.str.slice(16, 1).is_in(["1", "3", "5", "7", "9"])
        return (odd & (sex != "1")) | (~odd & (sex != "2"))
    born = pl.col(check.field)
    spelled = born.dt.year() * 10_000 + born.dt.month().cast(pl.Int32) * 100 + born.dt.day()
    return number.str.slice(6, 8).cast(pl.Int32, strict=False) != spelled


def literal(value: Scalar | None, field: Field) -> pl.Expr:
    """A contract's literal as a value of the field's type.

    Raises:
        ValueError: it is no such value.
    """
    text = str(value)
    if field.type == "number":
        return pl.lit(Decimal(text)).cast(pl.Decimal(38, max(0, -_exponent(text))))
    if field.type == "integer":
        return pl.lit(int(text), pl.Int64)
    if field.type == "date":
        return pl.lit(date.fromisoformat(text))
    if field.type == "timestamp":
        instant = datetime.fromisoformat(text)
        local = instant if instant.tzinfo else instant.replace(tzinfo=ZONE)
        return pl.lit(local.astimezone(UTC)).cast(target(field))
    return pl.lit(text)


def _exponent(text: str) -> int:
    exponent = Decimal(text).as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
