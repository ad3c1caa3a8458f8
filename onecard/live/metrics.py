"""What this process of the lane has done, as text for Prometheus, and the page that gives it.

Numbers, and names of datasets and agreements; no value of a row can be among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from onecard.daemon.figures_page import exposed, figures_page
from onecard.live.answered import Answered
from onecard.live.lane import Work
from onecard.observe.exposition import SUBJECT

if TYPE_CHECKING:
    from fastapi import FastAPI
    from prometheus_client.core import Metric

LOOKS = "onecard_live_looks", "Looks whether there is anything to do."
BATCHES = "onecard_live_batches", "Batches that ended, those that were held too."
FAILURES = "onecard_live_failures", "Looks and batches that failed."
LEASE = "onecard_live_lease", "1: this process has the lease."
CALLS = "onecard_live_calls", "Calls to the door by the code of the answer."
READY = "onecard_live_ready", "1: it can work."
"""Names of figures, and what they say; counters end in `_total`."""


class MeasuredLane(Protocol):
    """What is measured of the lane."""

    def work(self) -> tuple[Work, ...]:
        """All that it does, and what it has come to in this process."""
        ...

    def ready(self) -> bool:
        """Whether it can work."""
        ...


def create_page(lane: MeasuredLane, answered: Answered) -> FastAPI:
    """The application of `/metrics`; `onecard.daemon.serving` runs it.

    Args:
        lane: that is measured.
        answered: of its door.
    """
    return figures_page(lambda: exposition(lane, answered))


def exposition(lane: MeasuredLane, answered: Answered) -> bytes:
    """The figures of this moment as text.

    Args:
        lane: that is measured.
        answered: of its door.
    """
    return exposed(_Figures(lane, answered))


class _Figures:
    """A collector of Prometheus' client."""

    def __init__(self, lane: MeasuredLane, answered: Answered) -> None:
        self.lane, self.answered = lane, answered

    def collect(self) -> Iterator[Metric]:
        """Each figure with all its lines."""
        from prometheus_client.core import (  # noqa: PLC0415
            CounterMetricFamily,
            GaugeMetricFamily,
        )

        looks = CounterMetricFamily(*LOOKS, labels=SUBJECT)
        batches = CounterMetricFamily(*BATCHES, labels=SUBJECT)
        failures = CounterMetricFamily(*FAILURES, labels=SUBJECT)
        lease = GaugeMetricFamily(*LEASE, labels=SUBJECT)
        for work in self.lane.work():
            direction, _, subject = work.name.partition(" ")
            looks.add_metric((direction, subject), work.counts.looks)
            batches.add_metric((direction, subject), work.counts.batches)
            failures.add_metric((direction, subject), work.counts.failures)
            lease.add_metric((direction, subject), work.held)
        calls = CounterMetricFamily(*CALLS, labels=("code",))
        for code, number in self.answered.counts.items():
            calls.add_metric((code,), number)
        yield from (looks, batches, failures, lease, calls)
        yield GaugeMetricFamily(*READY, value=self.lane.ready())
