"""What a contract's rule asks for, written out with the titles of its fields."""

from __future__ import annotations

from typing import Literal

from schemas.models.condition import Condition
from schemas.models.contract import Contract
from schemas.models.rules import (
    Check,
    Compare,
    Implies,
    OfIdNumber,
    Pattern,
    Product,
    Range,
    Sum,
    TupleIn,
)

Language = Literal["en", "zh"]
_OPS = {"<": "<", "<=": "≤", "=": "=", ">=": "≥", ">": ">"}
_WORDS: dict[str, dict[Language, str]] = {
    "now": {"zh": "采集时刻", "en": "the time of the collect"},
    "absent": {"zh": "{0}为空", "en": "{0} is absent"},
    "there": {"zh": "{0}不为空", "en": "{0} is there"},
    "in": {"zh": "{0}为 {1}", "en": "{0} is {1}"},
    "not_in": {"zh": "{0}不为 {1}", "en": "{0} is not {1}"},
    "or": {"zh": " 或 ", "en": " or "},
    "and": {"zh": "，且", "en": " and "},
    "implies": {"zh": "当{0}时，{1}", "en": "where {0}: {1}"},
    "within": {"zh": "{0}，误差不超过 {1}", "en": "{0}, within {1}"},
    "pattern": {"zh": "{0}符合格式 {1}", "en": "{0} matches {1}"},
    "tuple": {"zh": "{0}的组合须在参照表 {1} 中", "en": "{0} together stand in the table {1}"},
    "sex_of": {"zh": "{0}与{1}第17位一致", "en": "{0} is what the 17th digit of {1} says"},
    "birth_date_of": {"zh": "{0}与{1}第7至14位一致", "en": "{0} is what digits 7 to 14 of {1} say"},
    "unique": {"zh": "{0}不得重复", "en": "no two rows have the same {0}"},
    "list": {"zh": "、", "en": ", "},
}


def formula(contract: Contract, rule: str, language: Language) -> str:
    """What a rule of the contract asks for; empty for a rule of the gate's own.

    Args:
        contract: of the dataset.
        rule: its name.
        language: of the words; field titles are Chinese, in English their names stand.
    """
    found = next((r for r in contract.rules if r.name == rule), None)
    return "" if found is None else _Writer(contract, language).check(found.check)


class _Writer:
    """Writes checks of one contract in one language."""

    def __init__(self, contract: Contract, language: Language) -> None:
        self._titles = {f.name: f.title for f in contract.fields}
        self._language: Language = language

    def check(self, check: Check) -> str:
        """The check in words."""
        if isinstance(check, Compare):
            return self._compare(check)
        if isinstance(check, Sum):
            parts = " + ".join(self._name(part) for part in check.parts)
            return self._within(f"{self._name(check.total)} = {parts}", check.tolerance)
        if isinstance(check, Product):
            parts = " × ".join(self._name(factor) for factor in check.factors)
            return self._within(f"{self._name(check.result)} = {parts}", check.tolerance)
        if isinstance(check, Range):
            return self._range(check)
        return self._other(check)

    def _other(self, check: Implies | Pattern | TupleIn | OfIdNumber | Check) -> str:
        if isinstance(check, Implies):
            when = self._say("and").join(self._condition(c) for c in check.when)
            return self._say("implies", when, self._condition(check.then))
        if isinstance(check, Pattern):
            return self._say("pattern", self._name(check.field), check.pattern)
        if isinstance(check, TupleIn):
            return self._say("tuple", self._names(check.columns), check.table)
        if isinstance(check, OfIdNumber):
            return self._say(check.check, self._name(check.field), self._name(check.id_number))
        return self._say("unique", self._names(check.fields))

    def _compare(self, check: Compare) -> str:
        right = self._name(check.right) if check.right else str(check.value)
        if check.value == "now":
            right = self._say("now")
        plus = f" + {check.plus}" if check.plus else ""
        return f"{self._name(check.left)} {_OPS[check.op]} {right}{plus}"

    def _range(self, check: Range) -> str:
        low = f"{check.min} ≤ " if check.min is not None else ""
        high = f" ≤ {check.max}" if check.max is not None else ""
        return f"{low}{self._name(check.field)}{high}"

    def _condition(self, condition: Condition) -> str:
        name = self._name(condition.field)
        if condition.null is not None:
            return self._say("absent" if condition.null else "there", name)
        if condition.in_ is not None:
            return self._say("in", name, self._say("or").join(map(str, condition.in_)))
        if condition.not_in is not None:
            return self._say("not_in", name, self._say("or").join(map(str, condition.not_in)))
        if condition.min is not None:
            return f"{name} ≥ {condition.min}"
        return f"{name} ≤ {condition.max}"

    def _within(self, equation: str, tolerance: str) -> str:
        return equation if tolerance == "0" else self._say("within", equation, tolerance)

    def _names(self, names: tuple[str, ...]) -> str:
        return self._say("list").join(self._name(name) for name in names)

    def _name(self, name: str) -> str:
        return self._titles[name] if self._language == "zh" else name

    def _say(self, word: str, *values: str) -> str:
        return _WORDS[word][self._language].format(*values)
