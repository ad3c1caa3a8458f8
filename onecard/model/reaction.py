"""How long events take to their consumers: a histogram whose figures are true within 5%.

Seconds are counted in buckets whose bounds grow by a constant factor, so that any percentile is
told with the same relative error, whatever the number of events and however histograms are added
(Masson, Rim, Lee: DDSketch, VLDB 2019). Percentiles are of nearest rank.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

ERROR = 0.05
"""A percentile is at most so far from the true one, as a share of it."""

SHORTEST_S = 0.01
"""Whatever took less is counted as this long."""

AHEAD = -1
"""Bucket of events whose own time is later than their publication: two clocks differ, or an event
takes effect later. They are counted, and in no percentile."""

LATER = -2
"""Bucket of events that came within a consumer's reach only after they were published: of a person
who enrolled since, or of a card that was not known yet. They are counted, and in no percentile."""

FEW = 20
"""Percentiles of fewer events say little, which is said beside them."""

QUANTILES = (0.5, 0.95, 0.99)

_GROWTH = (1 + ERROR) / (1 - ERROR)

Cause = Literal[
    "source",
    "collect",
    "collect_failed",
    "collect_held",
    "delivery",
    "consumer",
    "blocked",
    "held",
    "suspended",
    "order",
]
"""Where a late event has spent most of its time: `source`: its agency offered it late, or was out
of reach; `collect`: nobody collected, or it took long; `collect_failed`, `collect_held`: collects
meanwhile did; `delivery`: nobody delivered; `consumer`: it was away, refused, or took long;
`blocked`: the privacy gate stopped deliveries; `held`: one waited for a person; `suspended`:
nothing was permitted to leave; `order`: a new card waited until others had blocked the old one."""

CAUSES: tuple[Cause, ...] = get_args(Cause)


def buckets_of(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    """The bucket of each number of seconds; 0 holds whatever is shorter than `SHORTEST_S`."""
    import numpy as np  # noqa: PLC0415 - only where rows flow

    longer = np.maximum(seconds, SHORTEST_S) / SHORTEST_S
    return np.ceil(np.log(longer) / math.log(_GROWTH)).astype(np.int16)


def seconds_of(bucket: int) -> float:
    """The number of seconds that stands for a bucket: at most `ERROR` from all that it holds."""
    return SHORTEST_S * _GROWTH**bucket * (1 - ERROR) if bucket else SHORTEST_S


@dataclass(frozen=True, slots=True)
class ReactionTimes:
    """How long events of one kind took to one agreement's consumer.

    Attributes:
        buckets: number of events by bucket, `AHEAD` and `LATER` among them.
    """

    agreement: str
    kind: str
    buckets: Mapping[int, int]

    @property
    def events(self) -> int:
        """Those that were measured."""
        return sum(n for bucket, n in self.buckets.items() if bucket >= 0)

    @property
    def ahead(self) -> int:
        """Those whose own time is later than their publication."""
        return self.buckets.get(AHEAD, 0)

    @property
    def later(self) -> int:
        """Those that came within reach after their publication."""
        return self.buckets.get(LATER, 0)

    def quantile(self, share: float) -> float | None:
        """Seconds within which this share of the events was confirmed; None without events.

        Args:
            share: above 0, at most 1.
        """
        rank, passed = math.ceil(share * self.events), 0
        for bucket, number in sorted(self.buckets.items()):
            passed += number if bucket >= 0 else 0
            if passed >= rank > 0:
                return seconds_of(bucket)
        return None


@dataclass(frozen=True, slots=True)
class Breach:
    """Events of one kind that one consumer confirmed too late, in one hour.

    Attributes:
        since: beginning of the hour in which they were confirmed, by the hub's clock.
        allowed: the limit, as its file said it then.
        events: how many.
        worst: seconds of the slowest.
        first_at: when the first of them was confirmed.
        last_at: when the last of them was.
    """

    agreement: str
    kind: str
    cause: Cause
    allowed: str
    since: datetime
    events: int
    worst: float
    first_at: datetime
    last_at: datetime


def joined(breaches: Iterable[Breach]) -> list[Breach]:
    """Those of several hours as one for each agreement, kind, cause and limit.

    Args:
        breaches: of any hours.
    """
    found: dict[tuple[str, str, Cause, str], Breach] = {}
    for b in breaches:
        key = (b.agreement, b.kind, b.cause, b.allowed)
        known = found.get(key)
        found[key] = b if known is None else _added(known, b)
    return [found[key] for key in sorted(found)]


def _added(one: Breach, other: Breach) -> Breach:
    return Breach(
        one.agreement,
        one.kind,
        one.cause,
        one.allowed,
        min(one.since, other.since),
        one.events + other.events,
        max(one.worst, other.worst),
        min(one.first_at, other.first_at),
        max(one.last_at, other.last_at),
    )
