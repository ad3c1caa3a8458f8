"""Rules over several fields, on pandas. Decimals are exact (fractions), never floats."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from . import forms
from .forms import Spec
from .on_pandas import PandasMask, faults, matches, moments

RuleDict = dict[str, Any]
Specs = dict[str, Spec]
Columns = dict[str, Any]
"""Typed values by field: arrays of fractions, datetime64[us] or text, None or NaT for NULL."""

OPS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


def broken(rule: RuleDict, specs: Specs, frame: Any, now: str | None) -> PandasMask:  # noqa: ANN401
    """Rows that break the rule, among those whose fields are each right.

    Args:
        rule: as the suite has it.
        specs: of the fields it names.
        frame: columns by contract name, texts or None.
        now: ISO 8601 instant of the check; None: not asked for.
    """
    wanted = forms.names(rule)
    sound = np.ones(len(frame), dtype=bool)
    for name in dict.fromkeys(wanted):
        for mask in faults(specs[name], frame[name], now).values():
            sound &= ~mask
    if rule["check"] != "implies":
        for name in wanted:
            sound &= frame[name].notna().to_numpy()
    columns = {name: _typed(specs[name], frame[name][sound]) for name in wanted}
    result = np.zeros(len(frame), dtype=bool)
    if sound.any():
        result[sound] = _KINDS[rule["check"]](rule, specs, columns, now)
    return result


def _typed(spec: Spec, column: Any) -> Any:  # noqa: ANN401 - pandas to numpy
    values = column.astype(object).to_numpy()
    null = pd.isna(values)
    if spec["type"] in ("date", "timestamp"):
        found = np.full(len(values), np.datetime64("NaT"), dtype="datetime64[us]")
        found[~null] = moments(spec, [str(v) for v in values[~null]])
        return found
    found = np.full(len(values), None, dtype=object)
    convert = str if spec["type"] == "string" else Fraction
    found[~null] = [convert(v) for v in values[~null]]
    return found


def literal(value: Any, spec: Spec) -> Any:  # noqa: ANN401 - of the field's type
    """A rule's literal as a value of the field's type."""
    text = str(value)
    if spec["type"] in ("number", "integer"):
        return Fraction(text)
    if spec["type"] == "string":
        return text
    if spec["type"] == "date":
        return np.datetime64(date.fromisoformat(text), "us")
    given = datetime.fromisoformat(text)
    return _utc(given if given.tzinfo else given.replace(tzinfo=forms.instant(None).tzinfo))


def _utc(at: datetime) -> Any:  # noqa: ANN401 - datetime64
    return np.datetime64(at.replace(tzinfo=None) - (at.utcoffset() or timedelta()), "us")


def _compare(rule: RuleDict, specs: Specs, columns: Columns, now: str | None) -> PandasMask:
    left, spec = columns[rule["left"]], specs[rule["left"]]
    if rule.get("right"):
        right = columns[rule["right"]]
        kinds = {spec["type"], specs[rule["right"]]["type"]}
        if kinds == {"date", "timestamp"}:
            left, right = _day(left, spec), _day(right, specs[rule["right"]])
    elif rule["value"] == "now":
        at = forms.instant(now)
        right = literal(at.date(), spec) if spec["type"] == "date" else _utc(at)
    else:
        right = literal(rule["value"], spec)
    if rule.get("plus_seconds"):
        right = right + np.timedelta64(rule["plus_seconds"], "s")
    return ~np.asarray(OPS[rule["op"]](left, right), dtype=bool)


def _day(column: Any, spec: Spec) -> Any:  # noqa: ANN401 - datetime64
    """An instant's date in China."""
    if spec["type"] == "date":
        return column
    local = pd.Series(column).dt.tz_localize("UTC").dt.tz_convert(forms.ZONE)
    return local.dt.tz_localize(None).dt.normalize().to_numpy(dtype="datetime64[us]")


def _range(rule: RuleDict, specs: Specs, columns: Columns, _now: str | None) -> PandasMask:
    column, spec = columns[rule["field"]], specs[rule["field"]]
    found = np.zeros(len(column), dtype=bool)
    if rule.get("min") is not None:
        found |= np.asarray(column < literal(rule["min"], spec), dtype=bool)
    if rule.get("max") is not None:
        found |= np.asarray(column > literal(rule["max"], spec), dtype=bool)
    return found


def _sum(rule: RuleDict, specs: Specs, columns: Columns, _now: str | None) -> PandasMask:
    scale = max(specs[n].get("scale") or 0 for n in forms.names(rule))
    total = columns[rule["total"]] - sum(columns[n] for n in rule["parts"])
    return np.array([abs(v) > _tolerance(rule, scale) for v in total], dtype=bool)


def _product(rule: RuleDict, specs: Specs, columns: Columns, _now: str | None) -> PandasMask:
    """The product is rounded half away from zero to the result's scale."""
    scale = specs[rule["result"]].get("scale") or 0
    first, second = (columns[n] for n in rule["factors"])
    pairs = zip(first * second, columns[rule["result"]], strict=True)
    off = [abs(_rounded(exact, scale) - given) for exact, given in pairs]
    return np.array([v > _tolerance(rule, scale) for v in off], dtype=bool)


def _rounded(exact: Fraction, scale: int) -> Fraction:
    units = int(abs(exact) * 10**scale + Fraction(1, 2))
    return Fraction(units if exact >= 0 else -units, 10**scale)


def _tolerance(rule: RuleDict, scale: int) -> Fraction:
    return Fraction(int(Fraction(rule.get("tolerance", "0")) * 10**scale), 10**scale)


def _implies(rule: RuleDict, specs: Specs, columns: Columns, _now: str | None) -> PandasMask:
    found = ~_holds(rule["then"], specs, columns)
    for condition in rule["when"]:
        found &= _holds(condition, specs, columns)
    return found


def _holds(condition: RuleDict, specs: Specs, columns: Columns) -> PandasMask:
    """Whether a condition holds; a NULL field meets only `null: true`."""
    column, spec = columns[condition["field"]], specs[condition["field"]]
    null = pd.isna(column)
    if condition.get("null") is not None:
        return null if condition["null"] else ~null
    found, here = np.zeros(len(column), dtype=bool), column[~null]
    if condition.get("in") is not None or condition.get("not_in") is not None:
        listed: list[Any] = condition.get("in") or condition.get("not_in") or []
        wanted = {literal(v, spec) for v in listed}
        inside = np.array([v in wanted for v in here], dtype=bool)
        found[~null] = inside if condition.get("in") is not None else ~inside
    elif condition.get("min") is not None:
        found[~null] = np.asarray(here >= literal(condition["min"], spec), dtype=bool)
    else:
        found[~null] = np.asarray(here <= literal(condition["max"], spec), dtype=bool)
    return found


def _pattern(rule: RuleDict, _specs: Specs, columns: Columns, _now: str | None) -> PandasMask:
    return ~matches(columns[rule["field"]].tolist(), rule["regex"])


def _tuple_in(rule: RuleDict, _specs: Specs, columns: Columns, _now: str | None) -> PandasMask:
    known = {tuple(row) for row in rule["rows"]}
    rows = zip(*(columns[n] for n in rule["columns"]), strict=True)
    return np.array([row not in known for row in rows], dtype=bool)


def _sex_of(rule: RuleDict, _specs: Specs, columns: Columns, _now: str | None) -> PandasMask:
    pairs = zip(columns[rule["id_number"]], columns[rule["field"]], strict=True)
    return np.array([s != ("1" if n[16] in "13579" else "2") for n, s in pairs], dtype=bool)


def _birth_date_of(rule: RuleDict, _specs: Specs, columns: Columns, _now: str | None) -> PandasMask:
    born = np.datetime_as_string(columns[rule["field"]], unit="D")
    pairs = zip(columns[rule["id_number"]], born, strict=True)
    return np.array([n[6:14] != day.replace("-", "") for n, day in pairs], dtype=bool)


_KINDS: dict[str, Callable[[RuleDict, Specs, Columns, str | None], PandasMask]] = {
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
