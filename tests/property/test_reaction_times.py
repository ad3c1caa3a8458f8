"""Percentiles of the histogram against those of the very numbers, however many and however spread."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.model.reaction import ERROR, QUANTILES, SHORTEST_S, ReactionTimes, buckets_of
from tests.sampling import how_often

seconds = st.one_of(
    st.floats(0, 10),
    st.floats(0, 86_400 * 400),
    st.sampled_from([0.0, SHORTEST_S, 1.0, 60.0, 3_600.0, 86_400.0]),
)
REPEATS = how_often(300, 20_000)


def counted(numbers: list[float]) -> ReactionTimes:
    found = Counter(buckets_of(np.array(numbers, dtype=np.float64)).tolist())
    return ReactionTimes("an agreement", "loss", found)


def nearest_rank(numbers: list[float], share: float) -> float:
    return sorted(numbers)[math.ceil(share * len(numbers)) - 1]


@settings(max_examples=REPEATS, deadline=None)
@given(st.lists(seconds, min_size=1, max_size=200))
def test_every_percentile_is_true_within_the_stated_error(numbers: list[float]) -> None:
    found = counted(numbers)
    assert found.events == len(numbers)
    for share in (0.01, *QUANTILES, 1.0):
        told, exact = found.quantile(share), nearest_rank(numbers, share)
        assert told is not None
        assert abs(told - exact) <= ERROR * exact * (1 + 1e-9) + SHORTEST_S


@settings(max_examples=REPEATS, deadline=None)
@given(st.lists(seconds, min_size=1), st.lists(seconds, min_size=1))
def test_histograms_that_are_added_are_that_of_all(one: list[float], other: list[float]) -> None:
    both = Counter(counted(one).buckets) + Counter(counted(other).buckets)
    assert ReactionTimes("an agreement", "loss", both).buckets == counted(one + other).buckets


@settings(max_examples=REPEATS, deadline=None)
@given(st.lists(seconds, min_size=2))
def test_what_took_longer_is_in_no_lower_bucket(numbers: list[float]) -> None:
    buckets = buckets_of(np.array(sorted(numbers), dtype=np.float64))
    assert (np.diff(buckets) >= 0).all()
    assert buckets.min() >= 0
