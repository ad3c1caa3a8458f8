"""The one registry of the privacy gate's rules: what each is, and the function that evaluates it.

Titles, texts, actions and order stand in `rules.yaml`; the functions stand in the modules named
in `MODULES` and join by `@rule("PR-03")`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from onecard.base.frozen import Frozen
from onecard.ports.privacy_gate import Action, Batch, Plan
from schemas.models.strict_yaml import parse
from schemas.models.values import build

if TYPE_CHECKING:
    import polars as pl

    from onecard.ports.sink import Sent

FILE = Path(__file__).parent / "rules.yaml"
MODULES = ("rules_agreement", "rules_basis", "rules_rows", "rules_values", "rules_statistics")
Phase = Literal["agreement", "rows", "answer"]


class RuleText(Frozen):
    """What a rule says.

    Attributes:
        action: what a hit does: `block` the delivery, `quarantine` the row, `warn`, `alert`
            a person, or note it for the `audit`.
        phase: about the agreement (once), the rows (each batch) or the receiver's answer.
    """

    action: Action
    phase: Phase
    title: str
    text: str
    basis: str


class RuleTexts(Frozen):
    """The whole file, in order of evaluation."""

    rules: Mapping[str, RuleText]


@dataclass(frozen=True)
class Evidence:
    """What a rule looks at: always the plan; a batch in phase `rows`; the answer at the end."""

    plan: Plan
    batch: Batch | None = None
    first: bool = True
    sent: Sent | None = None
    passed: int = 0

    @property
    def rows(self) -> Batch:
        """The batch of a rule of phase `rows`."""
        if self.batch is None:
            msg = "a rule about rows was evaluated without rows"
            raise ValueError(msg)
        return self.batch


@dataclass(frozen=True)
class Ruling:
    """What a rule found.

    Attributes:
        applicable: False when the rule has nothing to say about this agreement.
        checked: rows or facts that were looked at.
        hits: of these, how many break the rule.
        detail: field names and reasons; never a value.
        withheld: rows that stay back without blocking (True = stays), for rules that say so.
        quarantined: per field, the rows to quarantine (True = quarantine).
    """

    applicable: bool = True
    checked: int = 0
    hits: int = 0
    detail: str = ""
    withheld: pl.Series | None = None
    quarantined: Mapping[str, pl.Series] | None = None


NOT_APPLICABLE = Ruling(applicable=False)
Evaluate = Callable[[Evidence], Ruling]
_functions: dict[str, Evaluate] = {}


def rule(name: str) -> Callable[[Evaluate], Evaluate]:
    """Register the function of a rule."""

    def register(function: Evaluate) -> Evaluate:
        if name in _functions:
            msg = f"rule {name} has two functions"
            raise ValueError(msg)
        _functions[name] = function
        return function

    return register


@cache
def texts() -> Mapping[str, RuleText]:
    """All rules in order of evaluation."""
    document = parse(FILE)
    return build(RuleTexts, document.data, document).rules


@cache
def functions() -> Mapping[str, Evaluate]:
    """The function of each rule.

    Raises:
        ValueError: a rule lacks its function, or a function its rule.
    """
    for module in MODULES:
        import_module(f"quality.privacy.{module}")
    if set(_functions) != set(texts()):
        msg = f"rules and functions differ: {sorted(set(_functions) ^ set(texts()))}"
        raise ValueError(msg)
    return dict(_functions)


def fact(problem: str) -> Ruling:
    """The verdict about one fact: broken when there is a problem."""
    return Ruling(checked=1, hits=int(bool(problem)), detail=problem)
