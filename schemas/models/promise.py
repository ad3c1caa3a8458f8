"""How soon a query or verify flow answers: `freshness: p95 800ms`, by whoever runs the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass

from onecard.base.call_bounds import BOUNDS_MS

_FORM = re.compile(r"p([1-9][0-9]) ([1-9][0-9]{0,4})ms", re.ASCII)


@dataclass(frozen=True, slots=True)
class Promise:
    """Such a share of the answers is given within a time.

    Attributes:
        percent: of the answers.
        within_ms: milliseconds from the call to its answer, one of `BOUNDS_MS`.
    """

    percent: int
    within_ms: int

    @classmethod
    def of(cls, text: str) -> Promise | None:
        """Read one; None: it is not written so, or its time is no bound."""
        match = _FORM.fullmatch(text)
        if match is None or int(match[2]) not in BOUNDS_MS:
            return None
        return cls(int(match[1]), int(match[2]))

    def kept(self, within: int, answers: int) -> bool:
        """Whether it is kept; without answers it is.

        Args:
            within: how many answers came in time.
            answers: all of them.
        """
        return 100 * within >= self.percent * answers

    @property
    def shown(self) -> str:
        """For people: the same in every language."""
        return f"P{self.percent} ≤ {self.within_ms} ms"
