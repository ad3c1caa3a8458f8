"""What the door of this process has answered, as text for Prometheus, and the page with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from onecard.daemon.figures_page import exposed, figures_page
from onecard.ingest.codes import CODES

if TYPE_CHECKING:
    from fastapi import FastAPI
    from prometheus_client.core import Metric

CALLS = "onecard_ingest_calls", "Calls to the door for uploads, by the code of the answer."
"""Name of the figure, and what it says; it ends in `_total`."""


def create_page(answered: Mapping[str, int]) -> FastAPI:
    """The application of `/metrics`; `onecard.daemon.serving` runs it.

    Args:
        answered: answers by code, as the door counts them.
    """
    return figures_page(lambda: exposed(_Figures(answered)))


class _Figures:
    """A collector of Prometheus' client."""

    def __init__(self, answered: Mapping[str, int]) -> None:
        self._answered = answered

    def collect(self) -> Iterator[Metric]:
        """A line for each code of the closed list, also for those that were never given."""
        from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415 - only when asked

        calls = CounterMetricFamily(*CALLS, labels=("code",))
        for code in CODES:
            calls.add_metric((code.code,), self._answered.get(code.code, 0))
        yield calls
