"""Working days are those of the published arrangements; of unknown years, weekdays, and said so."""

from __future__ import annotations

import itertools
import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from onecard.base import workdays

YEARS = (2023, 2024, 2025, 2026)


def arrangement(folder: Path) -> dict[date, bool]:
    """Off (True) or worked (False), of every day that an official paper names."""
    found: dict[date, bool] = {}
    for file in sorted(folder.glob("holiday-cn-*.json")):
        for day in json.loads(file.read_text(encoding="utf-8"))["days"]:
            found[date.fromisoformat(day["date"])] = day["isOffDay"]
    return found


@pytest.mark.parametrize("year", YEARS)
def test_every_day_of_the_year_equals_the_published_arrangement(domain: Path, year: int) -> None:
    folder = domain / "holidays"
    if not (folder / f"holiday-cn-{year}.json").exists():
        pytest.skip(f"the arrangement of {year} is absent: ../shared/domain/holidays")
    named = arrangement(folder)
    assert sum(day.year == year for day in named) > 20
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(366)]
    for day in (d for d in days if d.year == year):
        wanted = not named[day] if day in named else day.weekday() < 5
        assert workdays.is_workday(day) is wanted, day


def test_a_period_skips_the_holidays_and_counts_days_worked_in_their_place() -> None:
    """2026-10-01 to 07 are off; Saturday 10 October is worked."""
    assert workdays.after(date(2026, 9, 30), 1) == workdays.Due(date(2026, 10, 8), "holidays")
    assert workdays.after(date(2026, 9, 30), 3) == workdays.Due(date(2026, 10, 10), "holidays")
    assert workdays.after(date(2026, 11, 24), 10) == workdays.Due(date(2026, 12, 8), "holidays")


def test_a_period_that_begins_on_a_day_off_begins_with_the_next_working_day() -> None:
    assert workdays.after(date(2026, 11, 28), 1).day == date(2026, 11, 30)


def test_a_year_without_known_holidays_counts_weekdays_and_says_so() -> None:
    later = next(year for year in range(2027, 2100) if not workdays.known(year))
    monday = next(d for d in (date(later, 5, n) for n in range(1, 8)) if d.weekday() == 0)
    due = workdays.after(monday, 5)
    assert due == workdays.Due(monday + timedelta(days=7), "weekdays")
    assert "not known" in due.warning
    assert workdays.is_workday(monday)
    assert not workdays.is_workday(monday - timedelta(days=1))
    assert workdays.after(date(later - 1, 12, 31), 1).clock == "weekdays"


def test_known_holidays_need_no_warning() -> None:
    assert workdays.known(2026)
    assert workdays.after(date(2026, 11, 24), 10).warning == ""


def test_days_between_are_counted_in_both_directions() -> None:
    start, end = date(2026, 9, 30), date(2026, 10, 10)
    assert workdays.between(start, end) == 3
    assert workdays.between(end, start) == -3
    assert workdays.between(start, start) == 0


def test_a_period_has_at_least_a_day() -> None:
    with pytest.raises(ValueError, match="not 0"):
        workdays.after(date(2026, 11, 24), 0)


def test_a_period_is_over_for_what_began_up_to_a_day_and_for_nothing_later() -> None:
    first = date(2026, 1, 5)
    for n, days in itertools.product(range(400), (1, 5, 10, 20)):
        today = first + timedelta(days=n)
        over = workdays.over_since(today, days)
        assert workdays.after(over, days).day < today
        assert workdays.after(over + timedelta(days=1), days).day >= today
