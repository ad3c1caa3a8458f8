"""Rules over several fields, in PostgreSQL. Decimals are `numeric`, never floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from . import forms
from .forms import Spec
from .on_postgres import date_of, faults, instant_of, listed, quoted

RuleDict = dict[str, Any]
Specs = dict[str, Spec]
Columns = Mapping[str, str]
"""Quoted columns by field."""

_OPS = {"<": "<", "<=": "<=", "=": "=", ">=": ">=", ">": ">"}


def broken(rule: RuleDict, specs: Specs, columns: Columns, now: str | None) -> str:
    """The condition of rows that break the rule, among those whose fields are each right.

    Args:
        rule: as the suite has it.
        specs: of the fields it names.
        columns: field → quoted column.
        now: ISO 8601 instant of the check; None: not asked for.
    """
    wanted = list(dict.fromkeys(forms.names(rule)))
    wrong = [c for n in wanted for c in faults(specs[n], columns[n], now).values()]
    if rule["check"] != "implies":
        wrong += [f"{columns[name]} IS NULL" for name in wanted]
    spoilt = " OR ".join(wrong) or "false"
    judged = _KINDS[rule["check"]](rule, specs, columns, now)
    return f"(CASE WHEN {spoilt} THEN false ELSE coalesce({judged}, false) END)"


def _typed(spec: Spec, x: str) -> str:
    if spec["type"] == "date":
        return date_of(spec, x)
    if spec["type"] == "timestamp":
        return instant_of(x)
    return f'({x} COLLATE "C")' if spec["type"] == "string" else f"CAST({x} AS numeric)"


def literal(value: Any, spec: Spec) -> str:  # noqa: ANN401 - YAML scalar
    """A rule's literal as a value of the field's type."""
    text = str(value)
    if spec["type"] in ("number", "integer"):
        return f"CAST({quoted(str(Decimal(text)))} AS numeric)"
    if spec["type"] == "string":
        return quoted(text)
    if spec["type"] == "date":
        return f"date {quoted(date.fromisoformat(text).isoformat())}"
    given = datetime.fromisoformat(text)
    return _utc(given if given.tzinfo else given.replace(tzinfo=forms.instant(None).tzinfo))


def _utc(at: datetime) -> str:
    return f"timestamp {quoted(at.astimezone(UTC).replace(tzinfo=None).isoformat())}"


def _compare(rule: RuleDict, specs: Specs, columns: Columns, now: str | None) -> str:
    spec = specs[rule["left"]]
    left = _typed(spec, columns[rule["left"]])
    if rule.get("right"):
        other = specs[rule["right"]]
        right = _typed(other, columns[rule["right"]])
        if {spec["type"], other["type"]} == {"date", "timestamp"}:
            left, right = _day(left, spec), _day(right, other)
    elif rule["value"] == "now":
        at = forms.instant(now)
        right = literal(at.date(), spec) if spec["type"] == "date" else _utc(at)
    else:
        right = literal(rule["value"], spec)
    if rule.get("plus_seconds"):
        right = f"({right} + interval '{int(rule['plus_seconds'])} seconds')"
    return f"NOT ({left} {_OPS[rule['op']]} {right})"


def _day(x: str, spec: Spec) -> str:
    """An instant's date in China."""
    if spec["type"] == "date":
        return x
    return f"CAST(({x} AT TIME ZONE 'UTC') AT TIME ZONE {quoted(forms.ZONE)} AS date)"


def _range(rule: RuleDict, specs: Specs, columns: Columns, _now: str | None) -> str:
    spec = specs[rule["field"]]
    x, tests = _typed(spec, columns[rule["field"]]), []
    if rule.get("min") is not None:
        tests.append(f"{x} < {literal(rule['min'], spec)}")
    if rule.get("max") is not None:
        tests.append(f"{x} > {literal(rule['max'], spec)}")
    return "(" + " OR ".join(tests) + ")"


def _sum(rule: RuleDict, specs: Specs, columns: Columns, _now: str | None) -> str:
    scale = max(specs[n].get("scale") or 0 for n in forms.names(rule))
    total = _typed(specs[rule["total"]], columns[rule["total"]])
    parts = [_typed(specs[n], columns[n]) for n in rule["parts"]]
    return f"abs({' - '.join([total, *parts])}) > {_tolerance(rule, scale)}"


def _product(rule: RuleDict, specs: Specs, columns: Columns, _now: str | None) -> str:
    """PostgreSQL's `round` of a numeric goes half away from zero."""
    scale = specs[rule["result"]].get("scale") or 0
    first, second = (_typed(specs[n], columns[n]) for n in rule["factors"])
    given = _typed(specs[rule["result"]], columns[rule["result"]])
    return f"abs(round({first} * {second}, {int(scale)}) - {given}) > {_tolerance(rule, scale)}"


def _tolerance(rule: RuleDict, scale: int) -> str:
    return f"trunc(CAST({quoted(str(Decimal(rule.get('tolerance', '0'))))} AS numeric), {scale})"


def _implies(rule: RuleDict, specs: Specs, columns: Columns, _now: str | None) -> str:
    when = [_holds(condition, specs, columns) for condition in rule["when"]]
    return f"({' AND '.join(when)} AND NOT {_holds(rule['then'], specs, columns)})"


def _holds(condition: RuleDict, specs: Specs, columns: Columns) -> str:
    """Whether a condition holds; a NULL field meets only `null: true`."""
    spec, column = specs[condition["field"]], columns[condition["field"]]
    if condition.get("null") is not None:
        return f"({column} IS {'' if condition['null'] else 'NOT '}NULL)"
    x = _typed(spec, column)
    if condition.get("in") is not None:
        test = f"{x} IN ({', '.join(literal(v, spec) for v in condition['in'])})"
    elif condition.get("not_in") is not None:
        test = f"{x} NOT IN ({', '.join(literal(v, spec) for v in condition['not_in'])})"
    elif condition.get("min") is not None:
        test = f"{x} >= {literal(condition['min'], spec)}"
    else:
        test = f"{x} <= {literal(condition['max'], spec)}"
    return f"coalesce({test}, false)"


def _pattern(rule: RuleDict, _specs: Specs, columns: Columns, _now: str | None) -> str:
    return f"NOT ({columns[rule['field']]} ~ {quoted(rule['regex'])})"


def _tuple_in(rule: RuleDict, _specs: Specs, columns: Columns, _now: str | None) -> str:
    row = ", ".join(columns[n] for n in rule["columns"])
    known = ", ".join(f"({listed(list(r))})" for r in rule["rows"])
    return f"({row}) NOT IN ({known})"


def _sex_of(rule: RuleDict, _specs: Specs, columns: Columns, _now: str | None) -> str:
    odd = f"substr({columns[rule['id_number']]}, 17, 1) IN ('1', '3', '5', '7', '9')"
    return f"{columns[rule['field']]} <> (CASE WHEN {odd} THEN '1' ELSE '2' END)"


def _birth_date_of(rule: RuleDict, specs: Specs, columns: Columns, _now: str | None) -> str:
    born = _typed(specs[rule["field"]], columns[rule["field"]])
    return f"substr({columns[rule['id_number']]}, 7, 8) <> to_char({born}, 'YYYYMMDD')"


_KINDS: dict[str, Callable[[RuleDict, Specs, Columns, str | None], str]] = {
    "compare": _compare,
    "range": _range,
    "sum": _sum,
    "product": _product,
    "implies": _implies,
    "pattern": _pattern,
    "tuple_in": _tuple_in,
    "sex_of": _sex_of,
    "birth_date_of": _birth_date_of,
}
