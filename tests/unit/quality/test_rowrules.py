"""Each kind of contract rule: what it catches, what NULL does, and one defect, one reason."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("either_path")

DATE, TIME = {"type": "date"}, {"type": "timestamp"}
NUMBER = {"type": "number", "precision": 12, "scale": 2}


def fields(**kinds):
    return [{"name": name, **kind} for name, kind in kinds.items()]


CASES = {
    "compare fields": (
        fields(a=DATE, b=DATE),
        {"check": "compare", "left": "a", "op": ">", "right": "b"},
        {"a": ["2024-01-02", "2024-01-01", None, "2024-01-01"], "b": ["2024-01-01"] * 3 + [None]},
        [[], ["a:rule_0"], [], []],
    ),
    "compare with plus": (
        fields(a=TIME, b=TIME),
        {"check": "compare", "left": "a", "op": "<=", "right": "b", "plus": "P3D"},
        {
            "a": ["2024-01-04T00:00:00Z", "2024-01-04T00:00:00.000001Z"],
            "b": ["2024-01-01T00:00:00Z"] * 2,
        },
        [[], ["a:rule_0"]],
    ),
    "a date against today in China": (
        fields(a=DATE),
        {"check": "compare", "left": "a", "op": "<=", "value": "now"},
        {"a": ["2026-11-24", "2026-11-25"]},
        [[], ["a:rule_0"]],
    ),
    "an instant against now and five minutes": (
        fields(a=TIME),
        {"check": "compare", "left": "a", "op": "<=", "value": "now", "plus": "PT5M"},
        {"a": ["2026-11-24T23:35:00+08:00", "2026-11-24T15:35:01Z"]},
        [[], ["a:rule_0"]],
    ),
    "a date beside an instant is its date in China": (
        fields(a=DATE, b=TIME),
        {"check": "compare", "left": "a", "op": "=", "right": "b"},
        {"a": ["2024-01-02", "2024-01-02"], "b": ["2024-01-01T16:00:00Z", "2024-01-01T15:59:59Z"]},
        [[], ["a:rule_0"]],
    ),
    "compare a number with a literal": (
        fields(a=NUMBER),
        {"check": "compare", "left": "a", "op": "=", "value": "1.50"},
        {"a": ["1.5", "1.51"]},
        [[], ["a:rule_0"]],
    ),
    "compare an instant with a literal": (
        fields(a=TIME),
        {"check": "compare", "left": "a", "op": ">=", "value": "2024-01-01T00:00:00+08:00"},
        {"a": ["2023-12-31T16:00:00Z", "2023-12-31T15:59:59Z"]},
        [[], ["a:rule_0"]],
    ),
    "sum": (
        fields(t=NUMBER, a=NUMBER, b={"type": "number", "precision": 12, "scale": 8}),
        {"check": "sum", "total": "t", "parts": ["a", "b"], "tolerance": "0.01"},
        {
            "t": ["3.00", "3.01", "3.01", "3.02", None, "9.00"],
            "a": ["1"] * 5 + [None],
            "b": ["2", "2", "1.99999999", "2", "9", "9"],
        },
        [[], [], ["t:rule_0"], ["t:rule_0"], [], []],
    ),
    "product rounds half away from zero": (
        fields(r=NUMBER, a=NUMBER, b={"type": "number", "precision": 5, "scale": 4}),
        {"check": "product", "result": "r", "factors": ["a", "b"]},
        {
            "r": ["0.13", "0.12", "-0.13", "-0.12", "9999999999.00", "1.00"],
            "a": ["0.50", "0.50", "-0.50", "-0.50", "9999999999.00", None],
            "b": ["0.25", "0.25", "0.25", "0.25", "1", "1"],
        },
        [[], ["r:rule_0"], [], ["r:rule_0"], [], []],
    ),
    "product into a finer scale": (
        fields(r={"type": "number", "precision": 12, "scale": 4}, a=NUMBER, b={"type": "integer"}),
        {"check": "product", "result": "r", "factors": ["a", "b"], "tolerance": "0.001"},
        {"r": ["3.0010", "3.0011"], "a": ["1.50", "1.50"], "b": ["2", "2"]},
        [[], ["r:rule_0"]],
    ),
    "implies": (
        fields(a={}, b={}),
        {
            "check": "implies",
            "when": [{"field": "a", "in": ["x"]}],
            "then": {"field": "b", "null": False},
        },
        {"a": ["x", "x", "y", None], "b": ["1", None, None, None]},
        [[], ["b:rule_0"], [], []],
    ),
    "a NULL meets only null: true": (
        fields(a={}, b=NUMBER),
        {
            "check": "implies",
            "when": [{"field": "a", "not_in": ["x"]}],
            "then": {"field": "b", "min": "0.005"},
        },
        {"a": ["y", "y", "y", "x", None], "b": ["1", "0", None, "0", "0"]},
        [[], ["b:rule_0"], ["b:rule_0"], [], []],
    ),
    "implies over dates and integers": (
        fields(a={"type": "integer"}, b=DATE),
        {
            "check": "implies",
            "when": [{"field": "a", "in": [1, 2]}],
            "then": {"field": "b", "max": "2024-01-01"},
        },
        {"a": ["1", "2", "3"], "b": ["2024-01-01", "2024-01-02", "2024-01-02"]},
        [[], ["b:rule_0"], []],
    ),
    "range": (
        fields(a=NUMBER),
        {"check": "range", "field": "a", "min": "0.05", "max": "0.12"},
        {"a": ["0.05", "0.12", "0.04", "0.13", None]},
        [[], [], ["a:rule_0"], ["a:rule_0"], []],
    ),
    "pattern on the whole value": (
        fields(a={}),
        {"check": "pattern", "field": "a", "pattern": "a|bc"},
        {"a": ["a", "bc", "ac", "abc", None]},
        [[], [], ["a:rule_0"], ["a:rule_0"], []],
    ),
    "tuple_in": (
        fields(from_status={}, event_type={}, to_status={}),
        {
            "check": "tuple_in",
            "columns": ["from_status", "event_type", "to_status"],
            "table": "card_transition",
        },
        {"from_status": ["1", "1", None], "event_type": ["zz"] * 3, "to_status": ["1"] * 3},
        [["to_status:rule_0"], ["to_status:rule_0"], []],
    ),
    "birth date of the ID number": (
        fields(i={"semantic": "id_number"}, d=DATE),
        {"check": "birth_date_of", "id_number": "i", "field": "d"},
        {"i": ["11010519491231002X"] * 2 + [None], "d": ["1949-12-31", "1949-12-30", "1949-12-30"]},
        [[], ["d:rule_0"], []],
    ),
    "sex of the ID number": (
        fields(i={"semantic": "id_number"}, s={}),
        {"check": "sex_of", "id_number": "i", "field": "s"},
        {"i": ["11010519491231002X"] * 2 + [None], "s": ["2", "1", "1"]},
        [[], ["s:rule_0"], []],
    ),
    "unique is PostgreSQL's": (
        fields(a={}),
        {"check": "unique", "columns": ["a"]},
        {"a": ["x", "x"]},
        [[], []],
    ),
    "one defect has one reason": (
        fields(i={"semantic": "id_number"}, d=DATE),
        {"check": "birth_date_of", "id_number": "i", "field": "d"},
        {"i": ["110105194912310021", "11010519491231002X"], "d": ["1949-12-30", "x"]},
        [["i:id_number.checksum"], ["d:type"]],
    ),
    "warnings reject nothing": (
        fields(a=NUMBER),
        {"check": "range", "field": "a", "min": "1", "severity": "warning"},
        {"a": ["0"]},
        [[]],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_rule(break_rules, case: str) -> None:
    made, rule, columns, expected = CASES[case]
    assert break_rules(made, dict(rule), columns) == expected
