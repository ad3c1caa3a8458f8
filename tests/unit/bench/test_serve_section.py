"""The section on single persons: which figures its limits are held against."""

from __future__ import annotations

from dataclasses import replace

from bench.serve_section import Figures, Phase, Record, section, typical


def phase(name: str, rate: float, milliseconds: float = 10.0) -> Phase:
    """A thousand calls at a rate, nineteen in twenty of them as fast as said, the others slower."""
    took = [milliseconds / 1000] * 950 + [milliseconds / 100] * 50
    return Phase(name, took, 0, 1000 / rate, 1.0, 1.0, 1.0)


RECORD = Record(1000, 0, 0, 0, (2, 2), "")
FIGURES = Figures(
    rows=2_000_000,
    rounds=3,
    closed=[phase("8 connections", 100.0), phase("64 connections", 500.0)],
    bare=phase("bare", 1400.0),
    steady=[phase("200 calls/s", 200.0), phase("known", 190.0)],
    long=phase("100,000 calls", 450.0),
    megabytes=[200.0, 210.0, 205.0],
    record=RECORD,
)


def held(figures: Figures) -> dict[str, bool]:
    return {limit.name.partition(":")[0]: limit.holds for limit in section(figures).limits}


def test_limits_are_of_the_most_connections_and_of_the_steady_rate() -> None:
    assert all(held(FIGURES).values())
    slow = replace(FIGURES, closed=[phase("8 connections", 500.0), phase("64 connections", 399.0)])
    assert not held(slow)["64 connections"]
    late = replace(FIGURES, steady=[phase("200 calls/s", 200.0, 51.0), FIGURES.steady[1]])
    assert not held(late)["200 calls/s"]


def test_an_answer_that_is_not_on_record_once_is_seen() -> None:
    name = "answers that are on record once, percent"
    assert held(FIGURES)[name]
    for bad in (replace(RECORD, missing=1), replace(RECORD, twice=1)):
        assert not held(replace(FIGURES, record=bad))[name]
    assert "1 missing, 0 twice" in replace(RECORD, missing=1).sentence()


def test_memory_that_grows_and_a_bare_handler_that_is_faster_are_seen() -> None:
    assert not held(replace(FIGURES, megabytes=[200.0, 221.0]))["memory, last to first fifth"]
    faster = replace(FIGURES, bare=phase("bare", 1501.0))
    assert not held(faster)["the bare handler, times as fast"]


def test_the_typical_round_has_the_median_rate() -> None:
    rounds = [phase("a", 100.0), phase("b", 300.0), phase("c", 200.0)]
    assert typical(rounds).name == "c"
