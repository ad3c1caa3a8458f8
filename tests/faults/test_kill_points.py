"""F1, F22: a transfer process killed at every named point, and at random times, ends the same.

The run after the kill is the night's own, without any help: no flag, no repair.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from onecard.base import failpoints
from onecard.errors import ConfigError, InternalError
from tests.cities import Cities
from tests.faults.harness import Harness
from tests.sampling import how_often, sampled

RANDOM_KILLS = int(os.environ.get("ONECARD_RANDOM_KILLS") or how_often(10, 40))
KILL_LOG = os.environ.get("ONECARD_KILL_LOG")
"""A file that gets, for each random kill, the last point that was reached (`make kills`)."""
BATCHES = min(max(10, RANDOM_KILLS // 10), RANDOM_KILLS)
OTHERS = ("release.", "part", "lease.", "questions.", "ingest.")
"""A release is a person's act, a night reads nothing in partitions, only the live lane works under
leases, nobody asks about a person, and nobody brings anything: their points are killed at in
`tests/integration/test_release.py`, `test_workers.py`, `test_lane_kills.py`, `test_serve_kills.py`
and `test_ingest_kills.py`."""
OF_A_NIGHT = tuple(p for p in failpoints.POINTS if not p.startswith(OTHERS))
COUNTED = ("stage.checked#3", "load.after_commit#4", "send.leaving#2", "log.after_append#9")
"""The same points later in the night, in other datasets and in the second part of a parcel."""
QUICK = (
    *("stage.checked", "load.after_commit", "publish.before_commit", "disclose.after"),
    *("note.written", "send.after", "confirm.before_commit", "log.after_append#9"),
)
"""One of each step; `make test-nightly` kills at all others."""


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Harness]:
    """A city of 400 persons."""
    home = tmp_path_factory.mktemp("kill") / "stage"
    with (
        cities.start(home, persons=400, seed=23) as stage,
        Harness.of(stage) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def wanted(harness: Harness) -> dict[str, object]:
    """What a run without faults leaves, and how long it takes."""
    harness.fresh()
    harness.rerun()  # the first process of all waits for the server that it is forked from
    harness.fresh()
    started = time.monotonic()
    harness.rerun()
    assert harness.problems() == []
    return {**harness.state(), "seconds": time.monotonic() - started}


def same(harness: Harness, wanted: dict[str, object]) -> None:
    """Assert that a killed and repeated night left what one without faults leaves."""
    assert harness.problems() == []
    found = harness.state()
    for name, value in found.items():
        assert value == wanted[name], f"{name} differs"


def test_every_point_is_reached_in_a_normal_night(harness: Harness, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    harness.fresh()
    assert harness.run(ONECARD_TRACE_POINTS=str(trace)) == 0, harness.report.read_text()
    assert set(trace.read_text().split()) == set(OF_A_NIGHT)


@pytest.mark.fault("F01", "killed at every named point, the next run ends the same")
@pytest.mark.fault("F22", "a checkpoint is only written with the rows that it stands for")
@pytest.mark.parametrize("point", sampled([*OF_A_NIGHT, *COUNTED], QUICK))
def test_killed_at_a_point(harness: Harness, wanted: dict[str, object], point: str) -> None:
    harness.fresh()
    assert harness.run(ONECARD_KILL_AT=point) == -signal.SIGKILL
    harness.rerun()
    same(harness, wanted)


@pytest.mark.fault("F01", "killed at random times, the next run ends the same")
@pytest.mark.parametrize("batch", sampled(range(BATCHES), [0]))
def test_killed_at_random_times(
    harness: Harness, wanted: dict[str, object], batch: int, tmp_path: Path
) -> None:
    chance = random.Random(batch)
    for number in range(batch, RANDOM_KILLS, BATCHES):
        trace = tmp_path / f"trace-{number}"
        after = chance.uniform(0.02, 0.95) * float(str(wanted["seconds"]))
        while not killed(harness, after, trace):  # it was faster this time
            after *= 0.7
        harness.rerun()
        same(harness, wanted)
        if KILL_LOG:
            reached = trace.read_text().split() if trace.exists() else ["before the first"]
            with Path(KILL_LOG).open("a", encoding="utf-8") as log:
                log.write(reached[-1] + "\n")


def killed(harness: Harness, after: float, trace: Path) -> bool:
    """Whether a fresh night's process was killed after so many seconds, not done before."""
    trace.unlink(missing_ok=True)
    harness.fresh()
    return harness.kill_after(after, ONECARD_TRACE_POINTS=str(trace)) == -signal.SIGKILL


def test_a_point_that_is_not_in_the_list_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InternalError, match="points"):
        failpoints.reach("nowhere")
    monkeypatch.setenv("ONECARD_KILL_AT", "nowhere")
    with pytest.raises(ConfigError, match=r"known: anchor\.signed, .* and [0-9]+ more"):
        failpoints.reach("publish.merged")
    monkeypatch.setenv("ONECARD_KILL_AT", "publish.merged#x")
    with pytest.raises(ConfigError, match="third time"):
        failpoints.reach("publish.merged")
