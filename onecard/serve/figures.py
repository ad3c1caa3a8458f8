"""Figures of calls, counted in memory: a call costs a few additions, refused or not.

What was counted since the last beat is added to the ledger by the keeper, in one statement however
many calls there were; what was counted since the start is what Prometheus and `/v1/health` get. As
many numbers are kept as there are agreements, callers that are proved, codes and bounds: who calls,
and how often, makes them no more.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from onecard.base.call_bounds import bound_of
from onecard.daemon.codes import Code
from onecard.model.call_figures import AnsweredCalls, RefusedCalls, TimedCalls, answered
from onecard.store.call_figures import Timed
from onecard.store.question_counts import Refused


@dataclass(frozen=True, slots=True)
class Counted:
    """Calls of a second or more, by the hour."""

    timed: Counter[Timed] = field(default_factory=Counter)
    refused: Counter[Refused] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class SinceStart:
    """All calls of a process.

    Attributes:
        seconds: that answered calls took, all together, by agreement.
    """

    answered: list[AnsweredCalls]
    refused: list[RefusedCalls]
    seconds: Mapping[str, float]


class Figures:
    """Counts calls; for any thread.

    Args:
        now: the hub's clock, at +08:00.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._fresh = Counted()
        self._timed: Counter[tuple[str, str, bool, int]] = Counter()
        self._refused: Counter[tuple[str, str, str]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def answered(self, agreement: str, caller: str, seconds: float, *, found: bool) -> None:
        """Count a call that was answered.

        Args:
            agreement: its id; empty: a resident's look-up.
            caller: sid of the system.
            seconds: from its arrival to its answer.
            found: whether something is said.
        """
        line = agreement, caller, found, bound_of(seconds)
        hour = self._hour()
        with self._lock:
            self._fresh.timed[Timed(hour, *line)] += 1
            self._timed[line] += 1
            self._seconds[agreement] += seconds

    def refused(self, code: Code, caller: str, agreement: str) -> None:
        """Count a call that was refused.

        Args:
            code: that was answered.
            caller: sid, where it is proved; else empty.
            agreement: its id, where there is one; else empty.
        """
        hour = self._hour()
        with self._lock:
            self._fresh.refused[Refused(hour, caller, agreement, code.code)] += 1
            self._refused[agreement, caller, code.code] += 1

    def take(self) -> Counted:
        """What was counted since it was last taken."""
        with self._lock:
            taken, self._fresh = self._fresh, Counted()
        return taken

    def give_back(self, counted: Counted) -> None:
        """What was taken and could not be written, for the next time."""
        with self._lock:
            self._fresh.timed.update(counted.timed)
            self._fresh.refused.update(counted.refused)

    def since_start(self) -> SinceStart:
        """All that this process has answered and refused."""
        with self._lock:
            timed, refused = dict(self._timed), dict(self._refused)
            seconds = dict(self._seconds)
        return SinceStart(
            answered(TimedCalls(*line, number) for line, number in timed.items()),
            [RefusedCalls(*line, number) for line, number in sorted(refused.items())],
            seconds,
        )

    def _hour(self) -> datetime:
        return self._now().replace(minute=0, second=0, microsecond=0)
