"""Figures of calls about single persons: how many, how they ended, how long they took.

Names of agreements, callers and codes, and numbers; nothing of what a call says can be among them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

QUANTILES = (50, 95, 99)
"""Percentiles that are shown, of nearest rank."""

FEW_CALLS = 20
"""Percentiles of fewer calls say little, which is said beside them."""

RefusalKind = Literal[
    "identity",
    "form",
    "unavailable",
    "permission",
    "purpose",
    "case",
    "misuse",
    "quota",
    "repetition",
    "privacy",
    "other",
]
"""The rules that calls are refused by, as reports tell of them: `identity`: not proved, at another
time, or once more; `form`: not as described; `permission`: stopped, or no such agreement for this
caller; `misuse`: its operator is suspended; `repetition`: an earlier request that cannot be
answered again."""

KINDS: tuple[RefusalKind, ...] = get_args(RefusalKind)
_CODES: Mapping[RefusalKind, str] = {
    "identity": "40 41 42 44",
    "form": "43 46 47 48 63",
    "unavailable": "50",
    "permission": "60 61 62",
    "purpose": "64",
    "case": "65",
    "misuse": "73",
    "quota": "66 67 68 69",
    "repetition": "70 71",
    "privacy": "72",
}
_BY_CODE = {code: kind for kind, codes in _CODES.items() for code in codes.split()}


def kind_of(code: str) -> RefusalKind:
    """The rule that a code of docs/asking.md stands for."""
    return _BY_CODE.get(code, "other")


@dataclass(frozen=True, slots=True)
class AnsweredCalls:
    """Calls of one system under one agreement that were answered.

    Attributes:
        agreement: its id; empty: residents' look-ups of their own data.
        caller: the system's sid.
        found: answers that say something of a person.
        nothing: answers that say that nothing can be said.
        times: all of them by how long they took: at most so many milliseconds
            (`onecard.base.call_bounds`).
    """

    agreement: str
    caller: str
    found: int
    nothing: int
    times: Mapping[int, int]

    @property
    def calls(self) -> int:
        """All that were answered."""
        return self.found + self.nothing

    def quantile(self, percent: int) -> int | None:
        """Milliseconds within which this share of the answers came, at most; None without any.

        Args:
            percent: above 0, at most 100.
        """
        rank, passed = math.ceil(percent * self.calls / 100), 0
        for bound, number in sorted(self.times.items()):
            passed += number
            if passed >= rank > 0:
                return bound
        return None

    def within(self, milliseconds: int) -> int:
        """How many came within a time.

        Args:
            milliseconds: a bound.
        """
        return sum(number for bound, number in self.times.items() if bound <= milliseconds)


@dataclass(frozen=True, slots=True)
class RefusedCalls:
    """Calls that were refused with one code.

    Attributes:
        agreement: its id; empty where nobody was proved, or there is none of that name.
        caller: the system's sid; empty where nobody was proved.
        code: of docs/asking.md.
    """

    agreement: str
    caller: str
    code: str
    calls: int

    @property
    def kind(self) -> RefusalKind:
        """By which rule."""
        return kind_of(self.code)


@dataclass(frozen=True, slots=True)
class TimedCalls:
    """Answered calls of one outcome and one bound, as they are counted.

    Attributes:
        found: whether something was said.
        at_most_ms: they took no longer.
    """

    agreement: str
    caller: str
    found: bool
    at_most_ms: int
    calls: int


def answered(counted: Iterable[TimedCalls]) -> list[AnsweredCalls]:
    """Counts, gathered by agreement and caller, in their order.

    Args:
        counted: in any order; what stands in several lines is added up.
    """
    times: dict[tuple[str, str], Counter[int]] = {}
    found: Counter[tuple[str, str, bool]] = Counter()
    for line in counted:
        name = line.agreement, line.caller
        times.setdefault(name, Counter())[line.at_most_ms] += line.calls
        found[(*name, line.found)] += line.calls
    return [
        AnsweredCalls(*name, found[(*name, True)], found[(*name, False)], times[name])
        for name in sorted(times)
    ]


def together(calls: Iterable[AnsweredCalls]) -> AnsweredCalls:
    """All of them as one, without names.

    Args:
        calls: of any agreements and callers.
    """
    found = nothing = 0
    times: Counter[int] = Counter()
    for line in calls:
        found, nothing = found + line.found, nothing + line.nothing
        times.update(line.times)
    return AnsweredCalls("", "", found, nothing, times)
