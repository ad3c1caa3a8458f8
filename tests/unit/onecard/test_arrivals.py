"""Whether data came in time, by the day: freshness, days off, what was held or failed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from onecard.stewardship import arrivals
from onecard.store.arrivals import DayOfCollects
from schemas.models import catalogue
from schemas.models.contract import Contract
from schemas.models.values import Duration

KNOWN = catalogue.load()
DAILY = KNOWN.contract("health/health_visit")
EVENTS = KNOWN.contract("hrss/card_status_event")
SATURDAY = date(2026, 11, 28)
TODAY = date(2026, 11, 24)
"""A Tuesday."""


def within(days: int) -> Contract:
    return DAILY.model_copy(update={"freshness": Duration(f"P{days}D")})


def course(
    contract: Contract, first: date, *, ahead: int = 0, today: date = TODAY, **came: str
) -> str:
    """A letter a day from the first one to today and so many beyond.

    Args:
        contract: says how fresh the data must be.
        first: day.
        ahead: days after today.
        today: the hub's day.
        came: by day (`d20`), status of the last collect; `both`: one published, the last failed.
    """
    found = [
        DayOfCollects(
            "x/y",
            date(2026, 11, int(day[1:])),
            status in ("published", "both"),
            "failed" if status == "both" else status,
        )
        for day, status in came.items()
    ]
    days = [first + timedelta(days=n) for n in range((today - first).days + ahead + 1)]
    letters = dict(zip(arrivals.ARRIVALS, "TLMHFDn?", strict=True))
    stands = arrivals.course(contract, found, days, today)
    assert list(stands) == days
    return "".join(letters[stands[day]] for day in days)


def test_each_working_day_is_due_and_days_off_are_not() -> None:
    """From Thursday: two days, a week-end, a Monday without data, and today."""
    assert course(DAILY, date(2026, 11, 19), d18="published", d19="published", d20="published") == (
        "TTnnMM"
    )


def test_what_comes_after_it_was_due_is_late() -> None:
    assert course(DAILY, date(2026, 11, 19), d18="published", d24="published") == "MMMMML"


def test_freshness_of_days_counts_from_the_newest_publication() -> None:
    came = {"d17": "published", "d20": "published"}
    assert course(within(3), date(2026, 11, 17), **came) == "TnnTnnMM"
    assert course(within(3), date(2026, 11, 17), d17="published") == "TnnMMMMM"


def test_a_deadline_on_a_day_off_is_on_the_next_working_day() -> None:
    assert arrivals.due_after(within(3), date(2026, 11, 25)) == date(2026, 11, 30)
    assert arrivals.due_after(DAILY, date(2026, 9, 30)) == date(2026, 10, 8)
    assert arrivals.due_after(within(2), date(2026, 11, 24)) == date(2026, 11, 26)


def test_the_live_lane_is_due_on_every_day() -> None:
    assert arrivals.due_after(EVENTS, date(2026, 11, 27)) == SATURDAY
    came = dict.fromkeys(("d20", "d21", "d23"), "published")
    assert course(EVENTS, date(2026, 11, 20), **came) == "TTMLD"


@pytest.mark.parametrize(("status", "letter"), [("held", "H"), ("failed", "F")])
def test_what_was_held_or_failed_is_said_on_days_off_too(status: str, letter: str) -> None:
    found = course(DAILY, date(2026, 11, 20), d20="published", d21=status, d23=status, d24=status)
    assert found == f"T{letter}n{letter}{letter}"


def test_a_failure_after_a_publication_of_the_day_takes_nothing_away() -> None:
    assert course(DAILY, date(2026, 11, 23), d20="published", d23="both", d24="published") == "TT"


def test_a_collect_that_is_under_way_is_no_publication() -> None:
    assert course(DAILY, date(2026, 11, 23), d20="published", d23="running") == "MM"


def test_the_coming_days_follow_from_today() -> None:
    published = {"d23": "published"}
    assert course(DAILY, TODAY, ahead=7, **published) == "DDDDnnDD"
    assert course(DAILY, TODAY, ahead=3, d10="published") == "MDDD"
    assert course(within(3), TODAY, ahead=7, **published) == "nnDnnnDn"


def test_what_never_came_is_due_on_no_day_that_anybody_knows() -> None:
    assert course(DAILY, date(2026, 11, 23), ahead=1) == "???"
    assert course(DAILY, date(2026, 11, 23), d23="failed") == "F?"
    assert course(DAILY, date(2026, 11, 22), d23="published") == "?TD"
