"""Times of calls fall between fixed bounds; percentiles are bounds; codes are told by rule."""

from __future__ import annotations

import math
import random

import pytest
import yaml

from onecard.base.call_bounds import BOUNDS_MS, bound_of
from onecard.model.call_figures import (
    KINDS,
    QUANTILES,
    AnsweredCalls,
    TimedCalls,
    answered,
    kind_of,
    together,
)
from onecard.serve.codes import ANSWERED, CODES
from quality.reports import words


def test_a_time_falls_below_its_bound_and_above_the_one_before() -> None:
    assert [bound_of(s) for s in (0.0, 0.005, 0.0051, 0.8, 0.8001, 60.0, 600.0)] == [
        *(5, 5, 10, 800, 1_000, 60_000, 60_000),
    ]
    assert list(BOUNDS_MS) == sorted(set(BOUNDS_MS))
    for bound in BOUNDS_MS:
        assert bound_of(bound / 1_000) == bound, "what takes exactly so long is within it"


@pytest.mark.parametrize("number", [1, 2, 19, 20, 21, 99, 100, 101, 1_000])
def test_a_percentile_is_the_least_bound_of_the_nearest_rank(number: int) -> None:
    chance = random.Random(number)
    took = sorted(chance.expovariate(10) for _ in range(number))
    lines = [TimedCalls("f09", "his", chance.random() < 0.5, bound_of(s), 1) for s in took]
    (found,) = answered(lines)
    assert found.calls == number
    for percent in QUANTILES:
        exact = took[math.ceil(percent * number / 100) - 1]
        assert found.quantile(percent) == bound_of(exact)
    for bound in BOUNDS_MS:
        within = sum(s <= bound / 1_000 for s in took)
        assert found.within(bound) == within, "the share within a bound is counted"


def test_without_calls_there_is_no_percentile() -> None:
    nothing = AnsweredCalls("f09", "his", 0, 0, {})
    assert [nothing.quantile(p) for p in QUANTILES] == [None] * 3
    assert together([]).calls == 0


def test_lines_are_gathered_by_agreement_and_caller() -> None:
    lines = [
        TimedCalls("f10", "bank", True, 25, 2),
        TimedCalls("f09", "his", False, 25, 3),
        TimedCalls("f09", "his", True, 25, 4),
        TimedCalls("f09", "his", True, 800, 1),
    ]
    found = answered(lines)
    assert found == [
        AnsweredCalls("f09", "his", 5, 3, {25: 7, 800: 1}),
        AnsweredCalls("f10", "bank", 2, 0, {25: 2}),
    ]
    assert together(found) == AnsweredCalls("", "", 7, 3, {25: 9, 800: 1})


def test_every_code_that_refuses_has_a_rule_and_every_rule_a_word() -> None:
    refusing = [code.code for code in CODES if code is not ANSWERED]
    assert {code: kind_of(code) for code in refusing if kind_of(code) == "other"} == {}
    assert {kind_of(code) for code in refusing} | {"other"} == set(KINDS)
    there = yaml.safe_load(words.FILE.read_text(encoding="utf-8"))
    assert {name for name in there if name.startswith("refused_")} == {
        f"refused_{kind}" for kind in KINDS
    }
