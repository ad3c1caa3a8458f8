"""What this process of the service has answered, as text for Prometheus, and the page of it.

Numbers, ids of agreements, sids and codes: nothing that a call says, of whom or by whom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from onecard.base.call_bounds import BOUNDS_MS
from onecard.daemon.figures_page import exposed, figures_page
from onecard.model.call_figures import AnsweredCalls
from onecard.serve.case import ANSWERED, NONE
from onecard.serve.figures import Figures

if TYPE_CHECKING:
    from fastapi import FastAPI
    from prometheus_client.core import Metric

READY = "onecard_serve_ready", "1: it can answer."
CALLS = "onecard_serve_calls", "Answered calls by agreement, caller and outcome."
REFUSED = "onecard_serve_refused", "Refused calls by agreement, caller and code."
SECONDS = "onecard_serve_seconds", "How long answered calls took, from arrival to answer."
"""Names of figures, and what they say; counters end in `_total`. No agreement: residents' look-ups,
or, of refused calls, none that is known; no caller: nobody was proved."""


class MeasuredService(Protocol):
    """What is measured of the service."""

    @property
    def figures(self) -> Figures:
        """Of the calls of this process."""
        ...

    def ready(self) -> bool:
        """Whether it can answer."""
        ...


def create_page(service: MeasuredService) -> FastAPI:
    """The application of `/metrics`; `onecard.daemon.serving` runs it.

    Args:
        service: that is measured.
    """
    return figures_page(lambda: exposition(service))


def exposition(service: MeasuredService) -> bytes:
    """The figures of this moment as text.

    Args:
        service: that is measured.
    """
    return exposed(_Collector(service))


class _Collector:
    """A collector of Prometheus' client."""

    def __init__(self, service: MeasuredService) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Each figure with all its lines."""
        from prometheus_client.core import (  # noqa: PLC0415 - only where it is asked for
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        since = self._service.figures.since_start()
        calls = CounterMetricFamily(*CALLS, labels=("agreement", "caller", "outcome"))
        for line in since.answered:
            for outcome, number in ((ANSWERED, line.found), (NONE, line.nothing)):
                calls.add_metric((line.agreement, line.caller, outcome), number)
        refused = CounterMetricFamily(*REFUSED, labels=("agreement", "caller", "code"))
        for found in since.refused:
            refused.add_metric((found.agreement, found.caller, found.code), found.calls)
        seconds = HistogramMetricFamily(*SECONDS, labels=("agreement",))
        for agreement, times in _by_agreement(since.answered).items():
            took = since.seconds[agreement]
            seconds.add_metric((agreement,), _cumulated(times), sum_value=took)
        yield from (calls, refused, seconds)
        yield GaugeMetricFamily(*READY, value=self._service.ready())


def _by_agreement(answered: list[AnsweredCalls]) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    for line in answered:
        times = found.setdefault(line.agreement, {})
        for bound, number in line.times.items():
            times[bound] = times.get(bound, 0) + number
    return found


def _cumulated(times: Mapping[int, int]) -> list[tuple[str, float]]:
    """Calls up to each bound, in seconds; the last bound holds whatever took longer too."""
    passed, found = 0, []
    for bound in BOUNDS_MS:
        passed += times.get(bound, 0)
        found.append((str(bound / 1_000), float(passed)))
    return [*found[:-1], ("+Inf", float(passed))]
