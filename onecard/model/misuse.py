"""Operators of callers who misuse the query and verify service, and their suspensions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schemas.models.misuse import RuleName


class CallOperator(NamedTuple):
    """Who asks: an operator's number means something at its caller only.

    Attributes:
        caller: sid of the system.
        operator: number at the caller's side, no name.
    """

    caller: str
    operator: str


@dataclass(frozen=True, slots=True)
class MisuseHit:
    """An operator who has reached the limit of a rule.

    Attributes:
        number: what was counted.
        allowed: the limit.
        span_s: seconds that count.
        line: the newest call that was looked at.
    """

    who: CallOperator
    rule: RuleName
    number: int
    allowed: int
    span_s: float
    line: int


@dataclass(frozen=True, slots=True)
class Suspension:
    """An operator who is not answered, by one rule.

    Attributes:
        agency: to which the caller belongs.
        until: it ends then, unless a person has lifted it before.
        number: what was counted.
        allowed: the limit that it reached.
        agreements: under which the operator had asked.
        lifted_by: who has lifted it; None: nobody.
    """

    id: int
    agency: str
    caller: str
    operator: str
    rule: str
    at: datetime
    until: datetime
    number: int
    allowed: int
    agreements: list[str]
    lifted_at: datetime | None
    lifted_by: str | None
    reason: str | None

    @property
    def who(self) -> CallOperator:
        """Caller and operator."""
        return CallOperator(self.caller, self.operator)
