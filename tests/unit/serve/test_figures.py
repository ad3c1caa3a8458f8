"""Calls are counted once, by whichever thread, and as many numbers are kept as there are names."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families

from onecard.base.times import ZONE
from onecard.serve import codes
from onecard.serve.figures import Figures
from onecard.serve.metrics import exposition
from onecard.store.call_figures import Timed
from onecard.store.question_counts import Refused

AT = datetime(2026, 11, 24, 9, 59, 59, 7, tzinfo=ZONE)
HOUR = datetime(2026, 11, 24, 9, tzinfo=ZONE)
F09, HIS = "f09-hrss-health-card-query", "health-his"


def test_what_is_taken_is_counted_once_and_what_is_given_back_is_not_lost() -> None:
    figures = Figures(lambda: AT)
    figures.answered(F09, HIS, 0.02, found=True)
    taken = figures.take()
    assert taken.timed == {Timed(HOUR, F09, HIS, True, 25): 1}
    assert not figures.take().timed
    figures.answered(F09, HIS, 0.02, found=True)
    figures.refused(codes.PURPOSE, HIS, F09)
    figures.give_back(taken)
    again = figures.take()
    assert again.timed == {Timed(HOUR, F09, HIS, True, 25): 2}
    assert again.refused == {Refused(HOUR, HIS, F09, codes.PURPOSE.code): 1}
    assert figures.since_start().answered[0].calls == 2, (
        "what was taken still counts since the start"
    )


def test_each_call_counts_in_its_own_hour() -> None:
    now = [AT]
    figures = Figures(lambda: now[0])
    figures.answered(F09, HIS, 0.02, found=False)
    now[0] += timedelta(seconds=1)
    figures.answered(F09, HIS, 0.02, found=False)
    assert [line.hour for line in figures.take().timed] == [HOUR, HOUR + timedelta(hours=1)]


def test_threads_lose_nothing_and_count_nothing_twice() -> None:
    figures, taken = Figures(lambda: AT), Counter[Timed]()

    def count(_number: int) -> None:
        for _ in range(500):
            figures.answered(F09, HIS, 0.001, found=True)

    with ThreadPoolExecutor(8) as pool:
        done = pool.map(count, range(8))
        for _ in range(200):
            taken.update(figures.take().timed)
        list(done)
    taken.update(figures.take().timed)
    assert taken.total() == 4_000 == figures.since_start().answered[0].calls


def test_a_flood_of_strangers_is_one_number() -> None:
    figures = Figures(lambda: AT)
    for _ in range(10_000):
        figures.refused(codes.NOT_PROVED, "", "")
    assert figures.take().refused == {Refused(HOUR, "", "", codes.NOT_PROVED.code): 10_000}
    assert [r.calls for r in figures.since_start().refused] == [10_000]


class Measured:
    """A service whose figures a test sets."""

    def __init__(self, *, is_ready: bool = True) -> None:
        self.figures, self._ready = Figures(lambda: AT), is_ready

    def ready(self) -> bool:
        return self._ready


def read(measured: Measured) -> dict[tuple[str, ...], float]:
    """Every line by its name and its labels' values."""
    families = text_string_to_metric_families(exposition(measured).decode())
    return {(s.name, *s.labels.values()): s.value for f in families for s in f.samples}


def test_prometheus_gets_calls_refusals_and_a_whole_histogram() -> None:
    measured = Measured()
    for seconds, found in ((0.004, True), (0.02, True), (0.81, False), (70.0, True)):
        measured.figures.answered(F09, HIS, seconds, found=found)
    measured.figures.answered("", "city-app", 0.02, found=True)
    measured.figures.refused(codes.QUOTA_PERSON, HIS, F09)
    measured.figures.refused(codes.NOT_PROVED, "", "")
    found = read(measured)
    assert found["onecard_serve_calls_total", F09, HIS, "answered"] == 3
    assert found["onecard_serve_calls_total", F09, HIS, "none"] == 1
    assert found["onecard_serve_calls_total", "", "city-app", "answered"] == 1
    assert found["onecard_serve_refused_total", F09, HIS, "69"] == 1
    assert found["onecard_serve_refused_total", "", "", "40"] == 1
    bounds = {n[2]: v for n, v in found.items() if n[:2] == ("onecard_serve_seconds_bucket", F09)}
    told = {le: bounds[le] for le in ("0.005", "0.01", "0.025", "0.8", "1.0", "20.0", "+Inf")}
    assert list(told.values()) == [1, 1, 2, 2, 3, 3, 4]
    assert found["onecard_serve_seconds_count", F09] == 4
    assert round(found["onecard_serve_seconds_sum", F09], 3) == 70.834
    assert found["onecard_serve_ready",] == 1
    assert found["process_resident_memory_bytes",] > 0
    assert read(Measured(is_ready=False))["onecard_serve_ready",] == 0
