"""Rules against misuse as SQL, against the same rules in plain loops, over any calls and looks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.base.times import ZONE
from onecard.model.misuse import CallOperator
from onecard.serve.misuse import Inspection
from onecard.store import database, suspensions, watched
from onecard.store.database import Connection
from onecard.store.watched import WatchedCall
from schemas.models.callers import CallerSystem
from schemas.models.misuse import MisuseRules
from tests.cities import empty_hub
from tests.sampling import how_often

START = datetime(2026, 11, 23, 15, tzinfo=ZONE)  # a Monday
HIS, FUND = "health-his", "hf-withdrawal"
HOURS = (9, 17)
CALLERS = {
    HIS: CallerSystem(agency="health", title="系统", title_en="System"),
    FUND: CallerSystem.model_validate(
        {
            "agency": "housing_fund",
            "title": "系统",
            "title_en": "System",
            "hours": {"days": "every_day", "from": "09:00", "to": "17:00"},
        }
    ),
}
TEXTS = {"title": "规则", "title_en": "Rule"}
RULES = MisuseRules.model_validate(
    {
        "order": TEXTS | {"persons": 3, "within": "PT2H", "suspend": "PT1H"},
        "misses": TEXTS | {"misses": 3, "percent": 60, "within": "PT3H", "suspend": "PT30M"},
        "person": TEXTS | {"operators": 3, "within": "PT4H", "suspend": "PT2H"},
        "hours": TEXTS | {"calls": 3, "within": "P1D", "suspend": "PT1H"},
        "above": TEXTS | {"calls": 4, "times": 2, "others": 2, "within": "PT2H", "suspend": "PT1H"},
    }
)
calls = st.tuples(
    st.just("call"),
    st.sampled_from([HIS, HIS, FUND]),
    st.integers(1, 4),  # operator
    st.integers(1, 5),  # person; its series is its number's half
    st.booleans(),
)
steps = st.lists(
    st.one_of(
        calls,
        calls,
        calls,
        st.tuples(st.just("wait"), st.integers(1, 200)),
        st.tuples(st.just("look")),
        st.tuples(st.just("lift"), st.sampled_from([HIS, FUND]), st.integers(1, 4)),
    ),
    min_size=5,
    max_size=70,
)


@dataclass
class Line:
    """A call as the reference keeps it."""

    number: int
    at: datetime
    who: tuple[str, str]
    person: int
    answered: bool


@dataclass
class Reference:
    """The rules once more, by loops over lists."""

    lines: list[Line] = field(default_factory=list)
    after: int = 0
    done: dict[tuple[tuple[str, str], str], int] = field(default_factory=dict)
    until: dict[tuple[tuple[str, str], str], datetime] = field(default_factory=dict)

    def look(self, now: datetime) -> set[tuple[str, str, str, int]]:
        fresh = [line for line in self.lines if line.number > self.after]
        hits = []
        for name, rule in RULES.by_name().items():
            found = getattr(self, f"_{name}")(fresh, self._counting(name, now - rule.within.span))
            hits += [(who, name, number) for who, number in found]
        made = set()
        last = self.lines[-1].number if self.lines else 0
        for who, name, number in hits:
            if self.until.get((who, name), now) > now:
                continue
            self.done[who, name] = last
            self.until[who, name] = now + RULES.by_name()[name].suspend.span
            made.add((*who, name, number))
        self.after = last
        return made

    def lift(self, who: tuple[str, str], now: datetime) -> list[str]:
        held = [name for (w, name), end in self.until.items() if w == who and end > now]
        for name in held:
            self.until[who, name] = now
        return sorted(held)

    def _counting(self, name: str, since: datetime) -> Callable[[Line], bool]:
        return lambda line: line.at > since and line.number > self.done.get((line.who, name), 0)

    def _of(self, fresh: list[Line], counts: Callable[[Line], bool]) -> Any:
        for who in sorted({line.who for line in fresh}):
            yield who, [line for line in self.lines if line.who == who and counts(line)]

    def _order(self, fresh: list[Line], counts: Callable[[Line], bool]) -> Any:
        for who, mine in self._of(fresh, counts):
            by_series = defaultdict(set)
            for line in mine:
                by_series[line.person // 2].add(line.person)
            most = max((len(persons) for persons in by_series.values()), default=0)
            if most >= RULES.order.persons:
                yield who, most

    def _misses(self, fresh: list[Line], counts: Callable[[Line], bool]) -> Any:
        for who, mine in self._of(fresh, counts):
            missed = sum(not line.answered for line in mine)
            if missed >= RULES.misses.misses and missed * 100 >= RULES.misses.percent * len(mine):
                yield who, missed

    def _person(self, fresh: list[Line], counts: Callable[[Line], bool]) -> Any:
        worst: dict[tuple[str, str], int] = {}
        for person in {line.person for line in fresh}:
            about = [line for line in self.lines if line.person == person and counts(line)]
            order = list(dict.fromkeys(line.who for line in about))
            for place, who in enumerate(order, 1):
                again = any(line.number > self.after for line in about if line.who == who)
                if place >= RULES.person.operators and again:
                    worst[who] = max(worst.get(who, 0), place)
        yield from worst.items()

    def _hours(self, fresh: list[Line], counts: Callable[[Line], bool]) -> Any:
        for who, mine in self._of(fresh, counts):
            late = [line for line in mine if not HOURS[0] <= line.at.hour < HOURS[1]]
            if who[0] == FUND and len(late) >= RULES.hours.calls:
                yield who, len(late)

    def _above(self, fresh: list[Line], counts: Callable[[Line], bool]) -> Any:
        rule = RULES.above
        for who, mine in self._of(fresh, counts):
            since = self.now - rule.within.span
            volumes: dict[tuple[str, str], int] = defaultdict(int)
            for line in self.lines:
                if line.at > since and line.who[0] == who[0] and line.who != who:
                    volumes[line.who] += 1
            others = list(volumes.values())
            if len(mine) < rule.calls or len(others) < rule.others:
                continue
            if len(mine) >= rule.times * median(others):
                yield who, len(mine)

    now: datetime = START


@pytest.fixture(scope="module")
def connection(quick_postgres: str, shared_folder: Path) -> Iterator[Connection]:
    with (
        empty_hub(quick_postgres, shared_folder) as address,
        database.connect(address, autocommit=True) as found,
    ):
        yield found


@settings(max_examples=how_often(40, 1_000), deadline=None)
@given(taken=steps)
def test_rules_count_what_plain_loops_count(connection: Connection, taken: Any) -> None:
    connection.execute(
        "TRUNCATE ledger.question_watch, ledger.operator_suspension RESTART IDENTITY"
    )
    watched.set_looked_at(connection, 0)
    reference, now = Reference(), START
    for step in [*taken, ("look",)]:
        kind, *values = step
        if kind == "wait":
            now += timedelta(minutes=values[0])
        elif kind == "call":
            caller, operator, person, answered = values
            call_ = WatchedCall(
                now,
                "f09",
                caller,
                f"N{operator}",
                person.to_bytes(8, "big"),
                (person // 2).to_bytes(8, "big"),
                answered,
            )
            watched.note(connection, [call_])
            number = len(reference.lines) + 1
            who = (caller, f"N{operator}")
            reference.lines.append(Line(number, now, who, person, answered))
        elif kind == "lift":
            who = (values[0], f"N{values[1]}")
            rules = suspensions.lift(connection, CallOperator(*who), now, "official", "need")
            assert rules == reference.lift(who, now)
        else:
            reference.now = now
            hits = Inspection(RULES, CALLERS, now, "tester").run(connection)
            assert hits is not None
            made = [(*hit.who, hit.rule, hit.number) for hit in hits]
            assert len(made) == len(set(made))
            assert set(made) == reference.look(now)
