"""Token buckets: a burst, then a rate; bounded however many keys there are."""

from __future__ import annotations

import pytest

from onecard.base.token_bucket import TokenBucket, TokenBuckets
from tests.waking import Clocks


def test_a_burst_then_a_rate() -> None:
    clocks = Clocks()
    bucket = TokenBucket(2.0, 3, clocks.steady)
    assert [bucket.take() for _ in range(3)] == [0.0] * 3
    assert bucket.take() == pytest.approx(0.5)
    clocks.go_on(0.25)
    assert bucket.wait() == pytest.approx(0.25)
    clocks.go_on(0.5)
    assert [bucket.take() > 0, bucket.take() > 0] == [False, True]


def test_it_never_holds_more_than_a_burst() -> None:
    clocks = Clocks()
    bucket = TokenBucket(100.0, 2, clocks.steady)
    clocks.go_on(3600)
    assert [bucket.take() > 0 for _ in range(3)] == [False, False, True]


def test_keys_have_buckets_of_their_own() -> None:
    buckets = TokenBuckets(1.0, 1, 10, Clocks().steady)
    assert [buckets.take("a"), buckets.take("b")] == [0.0, 0.0]
    assert buckets.take("a") > 0
    assert buckets.wait("c") == 0.0
    assert len(buckets) == 2, "who took nothing is not kept"


def test_the_least_recently_used_bucket_goes_first() -> None:
    buckets = TokenBuckets(1.0, 1, 2, Clocks().steady)
    for key in ("a", "b", "a", "c"):
        buckets.take(key)
    assert len(buckets) == 2
    assert [buckets.wait(key) > 0 for key in "abc"] == [True, False, True]
