"""How fast events reach their consumers, as gauges by agreement and kind of event."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from onecard.model.reaction import QUANTILES
from onecard.operations.reactions import ReactionLine

if TYPE_CHECKING:
    from prometheus_client import Gauge

LABELS = ("agreement", "kind")


def reaction_gauges(found: Iterable[ReactionLine], gauge: Callable[..., Gauge]) -> None:
    """Set the gauges; of a kind without events only how many wait, and its limit.

    Args:
        found: of each agreement and kind.
        gauge: makes one of a name, a text and labels.
    """
    seconds = gauge(
        "reaction_seconds",
        "Event to confirmation in the last 24 hours, within 5%.",
        *LABELS,
        "quantile",
    )
    events = gauge("reaction_events", "Events behind the percentiles.", *LABELS)
    apart = gauge("reaction_unmeasured_events", "Events in no percentile, by why.", *LABELS, "why")
    late = gauge("reaction_late_events", "Confirmed after their limit, by cause.", *LABELS, "cause")
    limit = gauge("reaction_limit_seconds", "The limit, where it is a span.", *LABELS)
    waiting = gauge("reaction_waiting_events", "Published, not confirmed yet.", *LABELS)
    oldest = gauge("reaction_oldest_waiting_seconds", "How long the oldest waits.", *LABELS)
    for line in found:
        labels, times = (line.agreement.id, line.name), line.times
        for share in QUANTILES:
            value = times.quantile(share)
            if value is not None:
                seconds.labels(*labels, share).set(value)
        events.labels(*labels).set(times.events)
        apart.labels(*labels, "ahead").set(times.ahead)
        apart.labels(*labels, "later").set(times.later)
        for breach in line.breaches:
            late.labels(*labels, breach.cause).inc(breach.events)
        if line.limit is not None and line.limit.span is not None:
            limit.labels(*labels).set(line.limit.span.total_seconds())
        waiting.labels(*labels).set(line.waiting.events if line.waiting else 0)
        oldest.labels(*labels).set(line.waited_s)
