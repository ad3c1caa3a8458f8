"""Who is not there, not in scope or restricted: the time that the answer takes does not tell."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from onecard.serve.door import STEP_S
from tests.asked import F10, AskedHub, asked_hub, person
from tests.sampling import how_often

DEAD, IDLE, NOBODY = person(2), person(4), person(900)


@pytest.fixture
def asked(tmp_path: Path, hub_database: str) -> Iterator[AskedHub]:
    with asked_hub(tmp_path / "hub", hub_database) as found:
        for number in range(100, 400):
            found.card(person(number))
        found.card(DEAD)
        found.insert("health/death_notice", person_id18=DEAD.id_number)
        found.card(IDLE, fin_status="1")
        with found.serving():
            yield found


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_the_time_does_not_tell_why_nothing_is_said(asked: AskedHub) -> None:
    """2,000 calls in random order: no pair of reasons can be told apart better than by chance.

    For each pair of reasons, how often a call of one takes longer than a call of the other: a half,
    where the time says nothing. With some 660 calls of each, chance alone stays within 0.04 of it
    in 99 of 100 runs (Mann-Whitney); steps of `STEP_S` make most times equal, which count half. The
    bound is twice as wide, for a machine that does other things meanwhile.
    """
    chance = random.Random(7)
    reasons = {"not there": NOBODY, "outside the scope": IDLE, "dead": DEAD}
    taken: dict[str, list[int]] = defaultdict(list)
    asked.execute("SELECT 1")
    for _ in range(how_often(2_000, 6_000)):
        reason = chance.choice(sorted(reasons))
        asked.execute("DELETE FROM ledger.question_count")
        asked.execute("DELETE FROM ledger.question_watch")  # so many misses would be misuse
        body = asked.body(F10, reasons[reason])
        start = time.perf_counter()
        answer = asked.post(F10, body)
        taken[reason].append(round((time.perf_counter() - start) / STEP_S * 4))
        assert answer.json()["result"]["outcome"] == "none"
    for one, other in (("not there", "outside the scope"), ("not there", "dead")):
        assert abs(longer(taken[one], taken[other]) - 0.5) < 0.08, (one, other)


def longer(one: list[int], other: list[int]) -> float:
    """How often a value of one is above a value of the other; equal ones count half."""
    wins = sum((a > b) + (a == b) / 2 for a in one for b in other)
    return wins / (len(one) * len(other))


def test_the_measure_finds_a_difference() -> None:
    chance = random.Random(3)
    one = [chance.gauss(10, 2) for _ in range(600)]
    other = [chance.gauss(11, 2) for _ in range(600)]
    assert abs(longer([round(x) for x in one], [round(x) for x in other]) - 0.5) > 0.08
