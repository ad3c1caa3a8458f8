"""A problem of data quality: a rule that rows of a dataset break, and what people have said of it.

    open → acknowledged → (its rows come right) → ended
         → accepted until a date, then open again

A problem ends by itself: when the last of its rows came right or left the source, as a collect has
seen; one of a rule that only warns, when a reading of the whole source finds it no more. It begins
anew when a row breaks the rule again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import date, datetime
from typing import Literal, get_args

from onecard.base import workdays
from onecard.base.times import ZONE
from onecard.base.workdays import Due
from onecard.errors import ConfigError

ProblemState = Literal["open", "acknowledged", "accepted"]
ProblemStanding = Literal["overdue", "open", "acknowledged", "accepted", "ended"]
STANDINGS: tuple[ProblemStanding, ...] = get_args(ProblemStanding)
"""How a problem stands on a day, the most urgent first."""


class ChangedMeanwhile(ConfigError):
    """Somebody else has done something since the page was read: it is to be read again."""


@dataclass(frozen=True, slots=True)
class KnownProblem:
    """A problem as the ledger knows it; times are the hub's.

    Attributes:
        field: of the rule; empty for a rule about the whole record.
        severity: `error` (rows are kept back) or `warning` (rows are counted).
        last_failed: how many rows the last collect that found it has counted.
        last_read: how many it has read.
        since: from when it is open this time.
        ended_at: when it ended; None while it is open.
        ended_by: the collect that saw its end; 0: none, or a person's.
        times: how many times it began.
        kept: whether rows of it stood in quarantine.
        open_rows: how many stand there now.
        owner: who has acknowledged it, or empty.
        version: of what people have said of it; the next word names it.
    """

    id: int
    dataset: str
    field: str
    rule: str
    severity: str
    first_seen: datetime
    last_seen: datetime
    last_transfer: int
    last_failed: int
    last_read: int
    since: datetime
    ended_at: datetime | None
    ended_by: int
    times: int
    kept: bool
    open_rows: int
    state: ProblemState
    owner: str
    accepted_until: date | None
    version: int

    @property
    def rows(self) -> int:
        """Rows that are wrong now: that stand in quarantine, or that were counted last."""
        if self.ended_at is not None:
            return 0
        return self.open_rows if self.kept else self.last_failed

    def due(self, days: int) -> Due:
        """The last day to put it right.

        Args:
            days: working days that its agency has.
        """
        return workdays.after(self.since.astimezone(ZONE).date(), days)

    def standing(self, today: date, days: int) -> ProblemStanding:
        """How it stands on a day.

        Args:
            today: the hub's day.
            days: working days that its agency has.
        """
        if self.ended_at is not None:
            return "ended"
        if self.accepted_until is not None and today <= self.accepted_until:
            return "accepted"
        if today > self.due(days).day:
            return "overdue"
        return "acknowledged" if self.state == "acknowledged" else "open"


@dataclass(frozen=True, slots=True)
class OpenProblems:
    """How many problems of a dataset have not ended.

    Attributes:
        overdue: how many of them are neither accepted nor in time.
        next_since: the day on which the first of the others began that is not accepted; None:
            there is none.
    """

    dataset: str
    problems: int
    overdue: int
    next_since: date | None


@dataclass(frozen=True, slots=True)
class OpenProblem:
    """A problem that has not ended, and the day on which it began; `rows` as of `KnownProblem`."""

    id: int
    dataset: str
    day: date
    rows: int


@dataclass(frozen=True, slots=True)
class ProblemEvent:
    """What a person said of a problem; `until` is given where it was accepted."""

    at: datetime
    event: Literal["acknowledged", "accepted", "reopened", "commented"]
    actor: str
    text: str = attribute(default="", repr=False)
    until: date | None = None


@dataclass(frozen=True, slots=True)
class ProblemDay:
    """A day on which rows broke the rule: how many, of how many that were read."""

    problem: int
    day: date
    failed: int
    rows_read: int


@dataclass(frozen=True, slots=True)
class WeekCompared:
    """How many rows broke a rule in the last seven days, and in the seven before.

    Attributes:
        days: on which any did, of a longer time, in order.
        failed: how many, day for day.
    """

    problem: int
    now: int
    before: int
    days: Sequence[date]
    failed: Sequence[int]
