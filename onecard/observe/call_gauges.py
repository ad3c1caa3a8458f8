"""Calls about single persons, as gauges by agreement and caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from onecard.model.call_figures import QUANTILES
from onecard.operations.calls import Calls

if TYPE_CHECKING:
    from prometheus_client import Gauge

LABELS = ("agreement", "caller")


def call_gauges(found: Calls, gauge: Callable[..., Gauge]) -> None:
    """Set the gauges; of who has not called, only that there were none, and the promise.

    Args:
        found: calls of late.
        gauge: makes one of a name, a text and labels.
    """
    calls = gauge("calls", "Answered calls of the last 24 hours, by outcome.", *LABELS, "outcome")
    refused = gauge("calls_refused", "Refused calls of the last 24 hours.", *LABELS, "code")
    took = gauge("call_seconds", "They took at most so long.", *LABELS, "quantile")
    promise = gauge("call_promise_seconds", "What the agreement promises.", *LABELS)
    within = gauge("calls_within_promise", "Answered within what it promises.", *LABELS)
    for line in found.lines:
        labels = line.name, line.caller
        calls.labels(*labels, "answered").set(line.answered.found)
        calls.labels(*labels, "none").set(line.answered.nothing)
        for percent in QUANTILES:
            value = line.answered.quantile(percent)
            if value is not None:
                took.labels(*labels, percent / 100).set(value / 1_000)
        if line.agreement is not None and line.agreement.promise is not None:
            promise.labels(*labels).set(line.agreement.promise.within_ms / 1_000)
            within.labels(*labels).set(line.in_time or 0)
    for refusal in found.refused:
        refused.labels(refusal.agreement, refusal.caller, refusal.code).set(refusal.calls)
