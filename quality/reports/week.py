"""The problems that are pursued in one week (周调度), beside the month's circular.

A problem is listed while rows of the week break its rule, or while it was found since the first day
of the month before and is not known to be right. Its last day is that of the monthly list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import polars as pl

from onecard.store import report_frames
from onecard.store.database import Connection
from onecard.store.report_frames import Span
from quality.reports import facts as ledger_facts
from quality.reports import problems
from quality.reports.facts import Period, before, following, midnight
from quality.reports.problems import ListedProblem
from quality.reports.scope import CITY, Figures, Month, ReportScope
from quality.reports.standings import TOTAL
from schemas.models.catalogue import Catalogue

WeekState = Literal["overdue", "soon", "new", "open", "ticket", "gone"]
ORDER: tuple[WeekState, ...] = ("overdue", "soon", "new", "open", "ticket", "gone")
"""In which order they are pursued."""
WEEK = timedelta(days=7)
_DAY = timedelta(days=1)
FRAMES = ("collects", "rules", "tickets")
"""Of what the list is made."""
What = tuple[str, str, str]
"""Dataset, field and rule."""


@dataclass(frozen=True, slots=True)
class WeekLine:
    """One problem in one week.

    Attributes:
        now: rows of this week that broke the rule; `before`: of the week before.
        state: `soon` is due within the week after; `new` was first found in this week.
    """

    problem: ListedProblem
    now: int
    before: int
    state: WeekState

    @property
    def key(self) -> str:
        """Key of its numbers: `week.<dataset>.<field>.<rule>`."""
        return self.problem.key.replace("problem.", "week.", 1)


@dataclass(frozen=True, slots=True)
class WeekContent:
    """Everything that a weekly page shows.

    Attributes:
        monday: the first day of the week.
        figures: numbers by key; `states.<unit>.<state>` counts problems.
    """

    scope: ReportScope
    monday: date
    as_of: datetime
    lines: list[WeekLine]
    figures: Figures

    @property
    def sunday(self) -> date:
        """The last day of the week."""
        return self.monday + WEEK - _DAY

    def units(self) -> list[str]:
        """Datasets, or agencies of the city, of which problems are listed."""
        return [u for u in self.scope.units() if self.figures[f"states.{u}.listed"]]


class WeekMaker:
    """Makes the weekly lists of several agencies from one reading of the ledger."""

    def __init__(
        self, connection: Connection, known: Catalogue, monday: date, now: datetime
    ) -> None:
        """Read the ledger.

        Args:
            connection: of the hub's database.
            known: contracts and agreements.
            monday: the first day of the week.
            now: the hub's time.
        """
        self._connection, self._known, self._monday, self._now = connection, known, monday, now
        self._lines = sorted(self._found(), key=_order)

    def content(self, agency: str) -> WeekContent:
        """The list of one agency, or of the whole city."""
        scope = ReportScope.of(self._known, agency)
        ids = scope.members(TOTAL)
        lines = [line for line in self._lines if line.problem.contract.id in ids]
        figures: Figures = {}
        for line in lines:
            figures |= {f"{line.key}.now": line.now, f"{line.key}.before": line.before}
        for unit in (*scope.units(), TOTAL):
            own = scope.members(unit)
            states = [line.state for line in lines if line.problem.contract.id in own]
            figures |= {f"states.{unit}.{state}": states.count(state) for state in ORDER}
            figures[f"states.{unit}.listed"] = len(states)
        return WeekContent(scope, self._monday, self._now, lines, figures)

    def _found(self) -> Iterator[WeekLine]:
        now, earlier = self._failed(self._monday), self._failed(self._monday - WEEK)
        first, newest = self._listed()
        for what, p in newest.items():
            failed = now.get(what, 0)
            if failed or p.status != "gone":
                yield WeekLine(p, failed, earlier.get(what, 0), self._state(p, first[what]))

    def _state(self, p: ListedProblem, first: date) -> WeekState:
        if p.status != "open":
            return p.status
        if p.due < self._monday + 2 * WEEK:
            return "soon"
        return "new" if first >= self._monday else "open"

    def _listed(self) -> tuple[dict[What, date], dict[What, ListedProblem]]:
        """The day on which each problem was first found; and how it stands in its newest month."""
        sunday = self._monday + WEEK - _DAY
        start = before(self._monday.replace(day=1))
        span = Period(start, sunday + _DAY)
        found = ledger_facts.read(self._connection, span, self._now, FRAMES)
        today = min(self._now.date(), sunday)
        first: dict[What, date] = {}
        newest: dict[What, ListedProblem] = {}
        city, levels = ReportScope.of(self._known, CITY), self._known.service_levels
        for month in _months(start, sunday):
            at = Month(found, city, month)
            for p in problems.listed(self._connection, at, levels, today, sampled=False):
                what = (p.contract.id, p.field, p.rule)
                first.setdefault(what, p.first_day)
                newest[what] = p
        return first, newest

    def _failed(self, monday: date) -> dict[What, int]:
        """Rows that broke each rule in the week from that day on."""
        span = Span(midnight(monday, self._now), midnight(monday + WEEK, self._now))
        frame = report_frames.frame(self._connection, "rules", span)
        by = frame.group_by("dataset", "field", "rule").agg(pl.col("failed").sum())
        return {(d, f, r): n for d, f, r, n in by.iter_rows()}


def named(monday: date) -> str:
    """A week as ISO 8601 names it, e.g. `2026-W45`."""
    return f"{monday:%G-W%V}"


def _months(start: date, last: date) -> Iterable[date]:
    month = start
    while month <= last:
        yield month
        month = following(month)


def _order(line: WeekLine) -> tuple[int, int, str]:
    return ORDER.index(line.state), -line.problem.failed, line.problem.key
