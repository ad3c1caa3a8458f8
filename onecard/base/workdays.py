"""Working days of China: weekdays, less the holidays, plus the days worked in their place.

The State Council's office publishes each year's arrangement near the end of the year before; the
library `chinesecalendar` carries it. For a year that it does not know yet, weekdays are counted
and the result says so (`clock` is `weekdays`): whoever shows a deadline shows that as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

Clock = Literal["holidays", "weekdays"]

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Due:
    """The last day of a period, and whether all holidays on the way were known."""

    day: date
    clock: Clock

    @property
    def warning(self) -> str:
        """What to tell people beside the day; empty when all holidays were known."""
        if self.clock == "holidays":
            return ""
        return (
            f"holidays of a year up to {self.day.year} are not known: {self.day} counts weekdays"
            " only and may come earlier than the law's; update chinesecalendar"
        )


def known(year: int) -> bool:
    """Whether that year's holidays are known."""
    return _official(date(year, 7, 1)) is not None


def is_workday(day: date) -> bool:
    """Whether people work on that day; of a year without known holidays: Monday to Friday."""
    official = _official(day)
    return day.weekday() < 5 if official is None else official


@lru_cache(4096)
def after(start: date, days: int) -> Due:
    """The last of so many working days; the first day itself does not count (民法典 art. 201).

    Args:
        start: the day on which the period begins.
        days: 1 or more.

    Raises:
        ValueError: fewer than one day.
    """
    if days < 1:
        msg = f"a period has 1 working day or more, not {days}"
        raise ValueError(msg)
    day, clock = start, "holidays"
    while days:
        day += _DAY
        official = _official(day)
        if official is None:
            clock = "weekdays"
        days -= is_workday(day)
    return Due(day, "holidays" if clock == "holidays" else "weekdays")


@lru_cache(4096)
def over_since(today: date, days: int) -> date:
    """The latest day on which a period of so many working days began that is over before today.

    Args:
        today: on which it is asked.
        days: as of `after`.

    Raises:
        ValueError: as `after`.
    """
    start = today - _DAY * days
    while after(start, days).day >= today:
        start -= _DAY
    return start


def between(start: date, end: date) -> int:
    """Working days after `start` up to and with `end`; negative when `end` comes first."""
    if end < start:
        return -between(end, start)
    return sum(is_workday(start + _DAY * n) for n in range(1, (end - start).days + 1))


@lru_cache(4096)
def _official(day: date) -> bool | None:
    """Whether that is a working day by the published arrangement; None: not published yet."""
    import chinese_calendar  # noqa: PLC0415 - only where needed

    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return None
