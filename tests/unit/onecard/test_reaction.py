"""What is counted apart is in no percentile; breaches of several hours are told as one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from onecard.base.times import ZONE
from onecard.model.reaction import (
    AHEAD,
    LATER,
    SHORTEST_S,
    Breach,
    ReactionTimes,
    joined,
    seconds_of,
)

AT = datetime(2026, 11, 24, 9, tzinfo=ZONE)
BREACH = Breach("f01", "loss", "consumer", "PT60S", AT, 3, 90.0, AT, AT + timedelta(minutes=5))


def test_events_ahead_of_their_time_and_later_ones_are_in_no_percentile() -> None:
    times = ReactionTimes("f01", "loss", {AHEAD: 90, LATER: 10, 0: 1, 50: 3})
    assert (times.events, times.ahead, times.later) == (4, 90, 10)
    assert times.quantile(0.25) == SHORTEST_S
    assert times.quantile(0.5) == times.quantile(1.0) == seconds_of(50)


@pytest.mark.parametrize("buckets", [{}, {AHEAD: 5}, {LATER: 5}])
def test_nothing_measured_has_no_percentile(buckets: dict[int, int]) -> None:
    assert ReactionTimes("f01", "loss", buckets).quantile(0.95) is None


def test_breaches_of_several_hours_are_one_and_of_several_causes_are_not() -> None:
    hour = timedelta(hours=1)
    later = replace(
        BREACH, since=AT + hour, events=2, worst=300.0, first_at=AT + hour, last_at=AT + hour
    )
    other = replace(BREACH, cause="held")
    found = joined([later, other, BREACH])
    assert [(b.cause, b.events, b.worst) for b in found] == [
        ("consumer", 5, 300.0),
        ("held", 3, 90.0),
    ]
    assert (found[0].first_at, found[0].last_at, found[0].since) == (AT, AT + hour, AT)
