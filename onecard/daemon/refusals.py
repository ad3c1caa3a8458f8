"""Calls that were refused: counted by reason, said once a minute at most."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping

QUIET_S = 60.0
"""At least so long between two lines, however many calls are refused."""

log = logging.getLogger(__name__)


class Refusals:
    """Counts of refused calls, which name reasons and never what a call said.

    Args:
        steady_s: a clock that nobody sets, in seconds.
    """

    def __init__(self, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._steady_s = steady_s
        self._counted: Counter[str] = Counter()
        self._unsaid: Counter[str] = Counter()
        self._said_at = -QUIET_S

    @property
    def counts(self) -> Mapping[str, int]:
        """Refused calls by reason since the start."""
        return dict(self._counted)

    def count(self, reason: str) -> None:
        """Note one; the first in a minute is said, with those that were not said before it."""
        self._counted[reason] += 1
        self._unsaid[reason] += 1
        if self._steady_s() - self._said_at >= QUIET_S:
            self.say()

    def say(self) -> None:
        """Say what was not said yet."""
        if not self._unsaid:
            return
        counts = dict(sorted(self._unsaid.items()))
        listed = ", ".join(f"{reason} {number}" for reason, number in counts.items())
        log.warning("calls refused: %s", listed, extra={"event": "refused", "counts": counts})
        self._unsaid.clear()
        self._said_at = self._steady_s()
