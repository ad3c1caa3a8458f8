"""Whether the data of a dataset came in time, day by day: what its contract's freshness asks.

By whole days: freshness counts from the day of the newest publication (`PT24H`: the next day), and
a deadline that falls on a day off is on the next working day, as the law has it (民法典 art. 203).
Datasets of the event lane are due each day: cards are lost on holidays as well. What was held or
failed is said on any day, due or not, on which nothing else came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from onecard.base import workdays
from onecard.store import arrivals
from onecard.store.arrivals import DayOfCollects
from onecard.store.database import Connection
from schemas.models.contract import Contract

Arrival = Literal["in_time", "late", "missing", "held", "failed", "due", "not_due", "unknown"]
"""`missing`: it was due, and nothing came. `due`: it still can come in time. `unknown`: it never
came yet, so that nobody can say when it is due."""
ARRIVALS: tuple[Arrival, ...] = (
    *("in_time", "late", "missing", "held", "failed", "due", "not_due", "unknown"),
)
BACK = timedelta(weeks=5)
AHEAD = timedelta(weeks=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Course:
    """A dataset's days, the oldest first."""

    contract: Contract
    days: Mapping[date, Arrival]


@dataclass(frozen=True, slots=True)
class Calendar:
    """Five weeks and the coming one.

    Attributes:
        days: all of them; today is among them.
        complete: the holidays of all these days are known.
    """

    days: tuple[date, ...]
    today: date
    courses: tuple[Course, ...]
    complete: bool

    def counted(self, arrival: Arrival) -> int:
        """How many datasets stand so today."""
        return sum(course.days[self.today] == arrival for course in self.courses)


def calendar(connection: Connection, contracts: Iterable[Contract], today: date) -> Calendar:
    """The calendar of some datasets, by their ids.

    Args:
        connection: of the hub's database.
        contracts: of datasets that are collected.
        today: the hub's day.
    """
    listed = sorted(contracts, key=lambda contract: contract.id)
    days = tuple(today - BACK + _DAY * n for n in range((BACK + AHEAD).days + 1))
    found = arrivals.days_of_collects(connection, [c.id for c in listed], days[0], today)
    by: dict[str, list[DayOfCollects]] = {}
    for line in found:
        by.setdefault(line.dataset, []).append(line)
    return Calendar(
        days,
        today,
        tuple(Course(c, course(c, by.get(c.id, []), days, today)) for c in listed),
        all(workdays.known(year) for year in {day.year for day in days}),
    )


def due_after(contract: Contract, published: date) -> date:
    """The last day on which the next publication is in time.

    Args:
        contract: says how fresh its data must be.
        published: the day of the newest publication.
    """
    due = published + max(_DAY, _DAY * -(-contract.freshness.span // _DAY))
    while contract.lane != "event" and not workdays.is_workday(due):
        due += _DAY
    return due


def course(
    contract: Contract, found: Collection[DayOfCollects], days: Sequence[date], today: date
) -> dict[date, Arrival]:
    """How a dataset stands on each day.

    Args:
        contract: of the dataset.
        found: what became of its collects, some day before the first one too.
        days: the oldest first.
        today: the hub's day.
    """
    return dict(_days(contract, {line.day: line for line in found}, days, today))


def _days(
    contract: Contract, known: Mapping[date, DayOfCollects], days: Sequence[date], today: date
) -> Iterator[tuple[date, Arrival]]:
    last = max((d for d, line in known.items() if d < days[0] and line.came), default=None)
    for day in days:
        due = due_after(contract, last) if last else None
        if day > today:
            yield day, "unknown" if due is None else "due" if day == due else "not_due"
            last = day if day == due else last
            continue
        line = known.get(day)
        came = line is not None and line.came
        yield day, _came(day, due) if came else _absent(line, due, day, today)
        if came or (day == today and due is not None and due <= today):
            last = day  # what is due today, or was before, is expected today


def _came(day: date, due: date | None) -> Arrival:
    return "in_time" if due is None or day <= due else "late"


def _absent(line: DayOfCollects | None, due: date | None, day: date, today: date) -> Arrival:
    """Nothing was published on a day that has come."""
    if line is not None and line.newest in ("held", "failed"):
        return "held" if line.newest == "held" else "failed"
    if due is None:
        return "unknown"
    if day < due:
        return "not_due"
    return "due" if day == due == today else "missing"
