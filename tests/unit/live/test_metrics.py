"""What Prometheus reads of a lane's process: its work, its leases, the answers of its door."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from onecard.daemon.serving import serve
from onecard.live import calls
from onecard.live.answered import Answered
from onecard.live.door import create_app
from onecard.live.lane import Work
from onecard.live.metrics import create_page, exposition
from onecard.live.runner import WorkCounts
from tests.waking import EVENTS, Lane, call

COLLECT, DELIVER = f"collect {EVENTS}", "deliver f01"


@dataclass
class Measured:
    """A lane whose figures a test sets."""

    is_ready: bool = True
    counts: dict[str, WorkCounts] = field(
        default_factory=lambda: {COLLECT: WorkCounts(7, 2, 1), DELIVER: WorkCounts()}
    )

    def work(self) -> tuple[Work, ...]:
        return tuple(Work(n, c, held=n == COLLECT) for n, c in self.counts.items())

    def ready(self) -> bool:
        return self.is_ready


def read(text: str) -> dict[tuple[str, ...], float]:
    """Every line by its name and its labels' values."""
    families = text_string_to_metric_families(text)
    return {(s.name, *s.labels.values()): s.value for f in families for s in f.samples}


def test_work_and_leases_by_direction_and_subject() -> None:
    found = read(exposition(Measured(), Answered()).decode())
    of = {
        "onecard_live_looks_total": 7,
        "onecard_live_batches_total": 2,
        "onecard_live_failures_total": 1,
        "onecard_live_lease": 1,
    }
    for name, value in of.items():
        assert found[name, "collect", EVENTS] == value
        assert found[name, "deliver", "f01"] == 0
    assert found["onecard_live_ready",] == 1
    assert found["process_resident_memory_bytes",] > 0
    assert (
        read(exposition(Measured(is_ready=False), Answered()).decode())["onecard_live_ready",] == 0
    )


@pytest.fixture
def page() -> Iterator[tuple[str, str]]:
    """A door and the page of its figures; no gate in common."""
    answered = Answered()
    door = serve(create_app(Lane(), answered=answered), "127.0.0.1", 0)
    figures = serve(create_page(Measured(), answered), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{door.port}", f"http://127.0.0.1:{figures.port}"
    finally:
        door.close()
        figures.close()


def test_the_page_counts_the_doors_answers_and_the_door_has_no_page(
    page: tuple[str, str],
) -> None:
    door, figures = page
    for headers in (call(), call(), {}):
        requests.post(f"{door}/events/{EVENTS}", headers=headers, timeout=10)
    answer = requests.get(f"{figures}/metrics", timeout=10)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = read(answer.text)
    counted = {code: found["onecard_live_calls_total", code] for code in ("00", "01", "40", "45")}
    assert counted == {"00": 1, "01": 1, "40": 1, "45": 0}
    assert {name[1] for name in found if name[0] == "onecard_live_calls_total"} == {
        a.code for a in calls.ANSWERS
    }
    assert requests.get(f"{door}/metrics", timeout=10).status_code == 404
    assert requests.get(f"{figures}/readyz", timeout=10).status_code == 404
