"""Rules against misuse at their limits: each fires, and stays silent one call before; times given."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from onecard.base import workdays
from onecard.base.times import ZONE
from onecard.model.misuse import CallOperator, Suspension
from onecard.serve.misuse import KIND, Inspection, far_above
from onecard.store import database, expiry, retention, suspensions, watched
from onecard.store.database import Connection
from onecard.store.watched import OperatorCount, WatchedCall
from schemas.models.callers import CallerSystem
from schemas.models.misuse import KEPT, FarAbove, MisuseRules

NOW = datetime(2026, 11, 24, 10, tzinfo=ZONE)
HIS, FUND = "health-his", "hf-withdrawal"
F09, F11 = "f09-hrss-health-card-query", "f11-hrss-housing_fund-retirement-query"
CALLERS = {
    HIS: CallerSystem(agency="health", title="系统", title_en="System"),
    FUND: CallerSystem.model_validate(
        {
            "agency": "housing_fund",
            "title": "系统",
            "title_en": "System",
            "hours": {"days": "workdays", "from": "08:30", "to": "17:30"},
        }
    ),
}
TEXTS = {"title": "规则", "title_en": "Rule"}
RULES: dict[str, dict[str, object]] = {
    "order": {"persons": 4, "within": "PT6H", "suspend": "PT4H"},
    "misses": {"misses": 5, "percent": 50, "within": "PT1H", "suspend": "PT4H"},
    "person": {"operators": 3, "within": "P1D", "suspend": "PT2H"},
    "hours": {"calls": 3, "within": "P1D", "suspend": "PT8H"},
    "above": {"calls": 100, "times": 3, "others": 2, "within": "PT1H", "suspend": "PT4H"},
}
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def rules(**changes: Mapping[str, object]) -> MisuseRules:
    """The rules of these tests; some of them otherwise."""
    found = {name: TEXTS | rule | dict(changes.get(name, {})) for name, rule in RULES.items()}
    return MisuseRules.model_validate(found)


class Record:
    """Calls on record, and looks at them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.calls = 0

    def call(self, operator: str, **more: Any) -> None:
        """A call of an operator; each is about another person of another series, and answered."""
        self.calls += 1
        values = {
            "at": NOW,
            "agreement": F09,
            "caller": HIS,
            "operator": operator,
            "person": self.calls,
            "series": self.calls,
            "answered": True,
            **more,
        }
        for name in ("person", "series"):
            values[name] = int(values[name]).to_bytes(8, "big")
        watched.note(self.connection, [WatchedCall(**values)])

    def look(self, now: datetime = NOW, **changes: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Operator, rule and number of new suspensions."""
        hits = Inspection(rules(**changes), CALLERS, now, "tester").run(self.connection)
        assert hits is not None
        return [(hit.who.operator, hit.rule, hit.number) for hit in hits]

    def open(self, now: datetime = NOW) -> list[tuple[str, str]]:
        """Operators and rules that hold."""
        return [(s.operator, s.rule) for s in suspensions.open_ones(self.connection, now)]

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What a statement gives."""
        done = self.connection.execute(statement.encode(), values)
        return done.fetchall() if done.description else []


@pytest.fixture
def record(hub_database: str) -> Iterator[Record]:
    with database.connect(hub_database, autocommit=True) as connection:
        yield Record(connection)


# --- each rule


def test_persons_in_order(record: Record) -> None:
    for person in (101, 102, 103, 103, 103):
        record.call("N1", person=person, series=1)
    for person in range(10):  # of as many series
        record.call("N2", person=person)
    for operator in ("N3", "N4", "N5", "N6"):
        record.call(operator, person=200 + int(operator[1]), series=1)
    assert record.look() == []
    record.call("N1", person=104, series=1)
    assert record.look() == [("N1", "order", 4)]


def test_many_misses(record: Record) -> None:
    for _ in range(4):
        record.call("N1", answered=False)
        record.call("N1")
    assert record.look() == []
    record.call("N1", answered=False)
    record.call("N1")
    assert record.look() == [("N1", "misses", 5)], "five of ten are a half"


def test_misses_among_many_answers_are_none(record: Record) -> None:
    for _ in range(5):
        record.call("N1", answered=False)
    for _ in range(6):
        record.call("N1")
    assert record.look() == []
    record.call("N1", answered=False)
    assert record.look() == [("N1", "misses", 6)]


def test_one_person_asked_for_by_many(record: Record) -> None:
    for operator in ("N1", "N2", "N1"):
        record.call(operator, person=7)
    assert record.look() == []
    record.call("N3", person=7)
    record.call("N4", person=8)
    assert record.look() == [("N3", "person", 3)], "who came first is not suspended"
    record.call("N1", person=7)
    assert record.look() == []
    record.call("N5", person=7)
    assert record.look() == [("N5", "person", 3)]


@pytest.mark.parametrize(
    ("clock", "outside"),
    [
        ("2026-11-24T08:29:59", True),
        ("2026-11-24T08:30:00", False),
        ("2026-11-24T17:29:59", False),
        ("2026-11-24T17:30:00", True),
        ("2026-11-21T10:00:00", True),  # a Saturday
        ("2026-10-01T10:00:00", True),  # a Thursday, and the national holiday
        ("2026-10-10T10:00:00", False),  # a Saturday that is worked in place of it
    ],
)
def test_outside_office_hours(record: Record, clock: str, outside: bool) -> None:
    at = datetime.fromisoformat(f"{clock}+08:00")
    for _ in range(2):
        record.call("N1", caller=FUND, agreement=F11, at=at)
    for _ in range(9):
        record.call("N2", at=at)  # of a system that works day and night
    assert record.look(at) == []
    record.call("N1", caller=FUND, agreement=F11, at=at)
    assert record.look(at) == ([("N1", "hours", 3)] if outside else [])


def test_the_days_of_these_tests_are_what_they_should_be() -> None:
    days = {date(2026, 11, 24): True, date(2026, 11, 21): False}
    days |= {date(2026, 10, 1): False, date(2026, 10, 10): True}
    assert {day: workdays.is_workday(day) for day in days} == days


def test_far_above_the_others(record: Record) -> None:
    for operator in ("N2", "N3"):
        for _ in range(2):
            record.call(operator)
    for _ in range(5):
        record.call("N1")
    for _ in range(9):
        record.call("N1", caller=FUND)  # alone at its system: nobody to compare with
    assert record.look(above={"calls": 6}) == []
    record.call("N1")
    assert record.look(above={"calls": 7}) == [], "too few calls to be any trouble"
    record.call("N1")
    assert record.look(above={"calls": 7}) == [("N1", "above", 7)]


@pytest.mark.parametrize(
    ("number", "others", "found"),
    [
        (60, [12, 12, 12, 12, 12], True),
        (59, [12, 12, 12, 12, 12], False),
        (60, [1, 1, 12, 99, 99], True),
        (60, [1, 1, 13, 99, 99], False),
        (600, [1, 1, 1, 1], False),
    ],
)
def test_how_far_above_is_far(number: int, others: list[int], found: bool) -> None:
    rule = FarAbove.model_validate(
        TEXTS | {"calls": 60, "times": 5, "others": 5, "within": "PT1H", "suspend": "PT4H"}
    )
    busy = [OperatorCount(HIS, "N1", number)]
    all_of_them = [*busy, *(OperatorCount(HIS, f"N{n + 2}", c) for n, c in enumerate(others))]
    elsewhere = [OperatorCount(FUND, f"N{n}", 1) for n in range(9)]
    assert far_above(rule, busy, [*all_of_them, *elsewhere]) == (busy if found else [])


def test_calls_of_earlier_do_not_count(record: Record) -> None:
    for number in range(4):
        at = NOW - timedelta(hours=6) + (SECOND if number else timedelta())
        record.call("N1", person=number, series=1, at=at)
    assert record.look() == []
    record.call("N2", person=9, at=NOW - KEPT)
    record.call("N3", person=9, at=NOW - KEPT + SECOND)
    record.call("N4", person=9)
    assert record.look() == []
    record.call("N1", person=5, series=1)
    record.call("N5", person=9)
    assert record.look() == [("N1", "order", 4), ("N5", "person", 3)]


# --- what becomes of it


def in_order(record: Record, count: int, first: int = 0, at: datetime = NOW) -> None:
    for number in range(first, first + count):
        record.call("N1", person=500 + number, series=1, at=at)


def test_a_suspension_is_one_has_an_end_and_the_same_calls_make_no_other(record: Record) -> None:
    in_order(record, 4)
    assert record.look() == [("N1", "order", 4)]
    in_order(record, 2, 4)  # were under way when it was suspended
    assert record.look() == []
    end = NOW + timedelta(hours=4)
    assert record.open(end - SECOND) == [("N1", "order")]
    assert record.open(end) == []
    in_order(record, 1, 10, end)
    assert record.look(end) == [], "what has led to a suspension does not count again"
    in_order(record, 1, 20, end)
    assert record.look(end) == [("N1", "order", 4)]
    assert record.ask("SELECT count(*) FROM ledger.operator_suspension") == [(2,)]


def test_who_is_suspended_by_one_rule_can_be_so_by_another(record: Record) -> None:
    in_order(record, 4)
    for _ in range(5):
        record.call("N1", answered=False)
    assert record.look() == [("N1", "order", 4), ("N1", "misses", 5)]
    who = CallOperator(HIS, "N1")
    assert suspensions.lift(record.connection, who, NOW, "official", "need") == ["misses", "order"]
    assert record.open() == []


def test_a_person_lifts_it_and_the_calls_are_done_with(record: Record) -> None:
    in_order(record, 4)
    assert record.look() == [("N1", "order", 4)]
    later, who = NOW + MINUTE, CallOperator(HIS, "N1")
    asked = [who, CallOperator(FUND, "N1")]
    assert suspensions.ask_open(record.connection, asked, later).all() == [who]
    assert suspensions.lift(record.connection, who, later, "official", "need") == ["order"]
    assert suspensions.lift(record.connection, who, later, "official", "need") == []
    assert suspensions.ask_open(record.connection, asked, later).all() == []
    in_order(record, 3, 10, later)
    assert record.look(later) == []
    in_order(record, 1, 20, later)
    assert record.look(later) == [("N1", "order", 4)]


def test_what_is_on_record_of_it(record: Record) -> None:
    for number in range(4):
        record.call("N1", person=number, series=1, agreement=(F09, F11)[number % 2])
    record.look()
    (found,) = suspensions.open_ones(record.connection, NOW)
    end = NOW + timedelta(hours=4)
    assert found == Suspension(
        *(found.id, "health", HIS, "N1", "order", NOW, end, 4, 4, [F09, F11], None, None, None)
    )
    suspensions.lift(record.connection, found.who, NOW, "official", "need")
    entries = record.ask("SELECT kind, subject, actor, body FROM ledger.audit ORDER BY seq")
    bodies = [(*entry[:3], json.loads(entry[3])) for entry in entries]
    suspended = {"operator": "N1", "rule": "order", "number": 4, "allowed": 4}
    released = {"operator": "N1", "rules": ["order"], "reason": "need"}
    assert bodies == [
        (KIND, HIS, "tester", suspended | {"until": "2026-11-24T14:00:00+08:00"}),
        ("operator.released", HIS, "official", released),
    ]


def test_one_process_looks_at_a_time_and_each_call_is_looked_at(hub_database: str) -> None:
    with (
        database.connect(hub_database, autocommit=True) as one,
        database.connect(hub_database, autocommit=True) as other,
    ):
        first, second = Record(one), Record(other)
        in_order(first, 4)
        with one.transaction():
            assert watched.looked_at(one) == 0
            assert Inspection(rules(), CALLERS, NOW, "tester").run(other) is None
        assert second.look() == [("N1", "order", 4)]
        assert first.look() == []


def test_what_failed_is_looked_at_again(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    in_order(record, 4)

    def broken(*_: object) -> bool:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(suspensions, "suspend", broken)
        with pytest.raises(ConnectionError):
            record.look()
    assert record.look() == [("N1", "order", 4)]


def test_a_caller_that_is_gone_is_suspended_too(record: Record) -> None:
    in_order(record, 4)
    hits = Inspection(rules(), {}, NOW, "tester").run(record.connection)
    assert [hit.rule for hit in hits or ()] == ["order"]
    assert record.ask("SELECT agency FROM ledger.operator_suspension") == [("",)]


def test_lines_are_kept_for_a_day_and_suspensions_as_long_as_calls(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.call("N1", at=NOW - KEPT)
    record.call("N1", at=NOW - KEPT - SECOND)
    expiry.tidy(record.connection, NOW)
    assert record.ask("SELECT at FROM ledger.question_watch") == [(NOW - KEPT,)]
    assert record.look() == []
    expiry.tidy(record.connection, NOW + KEPT)
    assert record.look() == []
    in_order(record, 4)
    assert record.look() == [("N1", "order", 4)], "also after all lines had gone"
    monkeypatch.setattr(retention, "oldest_month", lambda today: today)
    expiry.expire(record.connection, NOW)
    assert len(record.open()) == 1
    expiry.expire(record.connection, NOW + timedelta(days=1))
    assert record.open() == []
