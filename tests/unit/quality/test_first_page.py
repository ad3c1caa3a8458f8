"""What got worse, and what is to be done: made of a month's content."""

from __future__ import annotations

from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from onecard.base.times import ZONE
from onecard.store import database
from quality.reports import scheme
from quality.reports.content import Maker
from quality.reports.pages import Writer
from quality.reports.problems import ListedProblem, ProblemStatus
from quality.reports.scope import ReportScope
from quality.reports.standings import Standing
from quality.reports.tasks import tasks
from quality.reports.worse import MOST, worse
from schemas.models import catalogue

SCHEME = scheme.load()
KNOWN = catalogue.load()
CARDS, EVENTS = "hrss/card_master", "hrss/card_status_event"
AS_OF = datetime(2026, 11, 27, 7, tzinfo=ZONE)
"""A Friday."""


def problem(
    rule: str, failed: int, status: ProblemStatus = "open", due: int = 20, dataset: str = CARDS
) -> ListedProblem:
    return ListedProblem(
        number=f"WT-{rule}",
        contract=KNOWN.contract(dataset),
        field="name",
        rule=rule,
        severity="error",
        failed=failed,
        of=1_000,
        sample=None,
        first_day=date(2026, 11, 2),
        due=date(2026, 11, due),
        clock="holidays",
        status=status,
        times=0,
    )


def month(**more: Any) -> Any:
    """A month of the first agency's datasets, in which all was well."""
    scope = ReportScope.of(KNOWN, "hrss")
    figures: dict[str, Any] = {"days": 27, "ticket.overdue": 0}
    for contract in scope.contracts:
        key = f"collect.{contract.id}"
        figures |= {f"{key}.rows_read": 1_000, f"{key}.days": 27, f"{key}.failed": 0}
    base = {
        "scope": scope,
        "as_of": AS_OF,
        "figures": figures,
        "previous": dict(figures),
        "problems": [],
        "standings": {"total": Standing("total", score=99.0)},
        "earlier": {"total": Standing("total", score=99.0)},
    }
    return SimpleNamespace(**(base | more))


def test_nothing_to_do_where_nothing_went_wrong() -> None:
    assert tasks(month(), SCHEME) == []
    found = worse(month(), SCHEME)
    assert (found.units, found.kpis, found.problems) == ((), (), ())


def test_the_first_of_each_kind_comes_before_the_second_of_any() -> None:
    found = month(
        problems=[
            problem("r1", 90, "overdue"),
            problem("r2", 80, "overdue"),
            problem("r3", 70, "overdue", dataset=EVENTS),
            problem("r4", 60, "open", due=30),
            problem("r5", 50, "open", due=28),
            problem("r6", 40, "gone"),
        ]
    )
    found.figures["ticket.overdue"] = 2
    found.figures[f"collect.{EVENTS}.failed"] = 3
    found.figures[f"collect.{EVENTS}.days"] = 20
    listed = [(t.kind, t.problem.rule if t.problem else "") for t in tasks(found, SCHEME)]
    assert listed == [
        ("overdue", "r1"),
        ("tickets", ""),
        ("failed", ""),
        ("late", ""),
        ("open", "r5"),
        ("overdue", "r3"),
        ("open", "r4"),
    ]


def test_what_is_late_already_has_three_working_days() -> None:
    found = month(problems=[problem("r1", 90, "overdue", due=9), problem("r2", 80, due=30)])
    late, waiting = tasks(found, SCHEME)
    assert (late.due.day, late.unit, late.agency) == (date(2026, 12, 2), CARDS, "hrss")
    assert waiting.due.day == date(2026, 11, 30)


def test_a_source_that_sent_nothing_is_the_first_thing_and_not_late_as_well() -> None:
    found = month()
    found.figures |= {f"collect.{CARDS}.rows_read": 0, f"collect.{CARDS}.days": 0}
    assert [(t.kind, t.contract.id if t.contract else "") for t in tasks(found, SCHEME)] == [
        ("silent", CARDS)
    ]


def test_in_the_city_overdue_problems_stand_by_agency() -> None:
    found = month(
        scope=ReportScope.of(KNOWN, "bureau"),
        problems=[
            problem("r1", 90, "overdue", dataset="health/death_notice"),
            problem("r2", 80, "overdue"),
            problem("r3", 70, "overdue", dataset=EVENTS),
        ],
    )
    for contract in found.scope.contracts:
        key = f"collect.{contract.id}"
        found.figures |= {f"{key}.rows_read": 1, f"{key}.days": 27, f"{key}.failed": 0}
    assert [(t.unit, t.problem.rule if t.problem else "") for t in tasks(found, SCHEME)] == [
        ("hrss", "r2"),
        ("health", "r1"),
    ]


def test_what_got_worse_is_judged_by_shares_and_the_largest_loss_comes_first() -> None:
    found = month(
        problems=[problem("r1", 10), problem("r2", 30), problem("r3", 20), problem("r4", 5)],
        standings={
            "total": Standing("total", score=97.0, missed=("filled", "blocked", "timely")),
            CARDS: Standing(CARDS, score=97.04),
            EVENTS: Standing(EVENTS, score=90.0),
            "new": Standing("new", score=10.0),
        },
        earlier={
            CARDS: Standing(CARDS, score=97.09),  # both are written 97.0
            EVENTS: Standing(EVENTS, score=95.0),
            "new": Standing("new"),
        },
    )
    found.figures |= {"kpi.filled.part": 90, "kpi.filled.of": 100}
    found.previous |= {"kpi.filled.part": 95, "kpi.filled.of": 100}
    found.figures |= {"kpi.blocked.part": 3, "kpi.blocked.of": 100}  # a maximum
    found.previous |= {"kpi.blocked.part": 2, "kpi.blocked.of": 100}
    found.figures |= {"kpi.timely.part": 90, "kpi.timely.of": 100}  # missed, but better
    found.previous |= {"kpi.timely.part": 80, "kpi.timely.of": 100}
    found.previous |= {problem("r3", 0).key: 20, problem("r4", 0).key: 9}
    got = worse(found, SCHEME)
    assert got.units == (EVENTS,)
    assert got.kpis == ("filled", "blocked")
    assert [p.rule for p in got.problems] == ["r2", "r1"]
    assert MOST == 2


@pytest.mark.parametrize("lacking", ["figures", "previous"])
def test_a_month_without_rows_is_compared_with_nothing(lacking: str) -> None:
    found = month(problems=[problem("r1", 10)])
    getattr(found, lacking)[f"collect.{CARDS}.rows_read"] = 0
    assert worse(found, SCHEME).problems == ()


def test_a_month_of_which_nothing_is_known_is_not_to_be_kept_so(hub_database: str) -> None:
    with database.connect(hub_database, autocommit=True) as connection:
        found = Maker(connection, KNOWN, SCHEME, date(2026, 11, 1), AS_OF).content("hrss")
    page = Writer(KNOWN, SCHEME, "zh").monthly(found)
    assert "保持现有水平" not in page
    assert "<p>无。</p>" in page.partition("三件要办的事")[2].partition("六性水平与评级")[0]
