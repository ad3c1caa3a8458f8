"""F43: processes of the live lane killed at every named point, and at random times under load.

The next process goes on without any help; in the end all is as after a night without faults.
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
from tests.cities import Cities
from tests.faults.lane_process import LaneProcess, none_left
from tests.faults.lane_town import LaneTown, settled
from tests.sampling import LONG, how_often, sampled
from tests.waiting import until

RANDOM_KILLS = int(os.environ.get("ONECARD_RANDOM_KILLS") or how_often(12, 200))
QUICK_KILLS = 3
"""Of them, in `make test`."""
KILL_LOG = os.environ.get("ONECARD_KILL_LOG")
"""A file that gets, for each random kill, the last point that was reached (`make lane-kills`)."""
OF_A_LANE = tuple(
    p for p in failpoints.POINTS if not p.startswith(("release.", "part", "questions.", "ingest."))
)
COUNTED = ("publish.before_commit#2", "send.leaving#3", "lease.taken#4", "log.after_append#7")
"""The same points in a later batch, at another consumer, with part of the leases taken."""
QUICK = ("load.after_commit", "publish.before_commit", "send.after", "lease.taken#4")
"""Some of each step, in `make test`."""
EACH = 1 if LONG else 4
"""`make test-nightly` kills at one in so many of the others, `make test-long` at all."""
KILLED_AT = [*QUICK, *[p for p in (*OF_A_LANE, *COUNTED) if p not in QUICK][::EACH]]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[LaneTown]:
    """A town with one event that the gate rejects at each reading."""
    home = tmp_path_factory.mktemp("lane-kills")
    with cities.start(home / "stage", persons=300, seed=5) as stage, settled(stage, home) as found:
        rejected = "01939998-0000-7000-8000-000000000001"
        at = stage.city.now(0).isoformat()
        times = {"occurred_at": at, "effective_at": at}
        found.store({**found.bodies[0], **times, "event_id": rejected, "AAZ502": "?"})
        yield found


def takes_over(town: LaneTown) -> None:
    """Another process ends all that is left, and all is as it should be."""
    process = town.lane()
    with none_left(process):
        town.arrived()
        process.end()
    town.sound()
    town.no_lease_left()


def test_every_point_is_reached_in_the_lane(town: LaneTown, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    process = town.lane(ONECARD_TRACE_POINTS=str(trace))
    with none_left(process):
        until(lambda: town.works(process), "its leases")
        town.report()
        town.arrived()
        process.end()
    assert set(trace.read_text().split()) == set(OF_A_LANE)
    town.sound()
    town.night_finds_nothing()


@pytest.mark.fault("F43", "killed at every named point, the next process ends it as a night does")
@pytest.mark.parametrize("point", sampled(KILLED_AT, QUICK))
def test_killed_at_a_point(town: LaneTown, point: str) -> None:
    process = town.lane(ONECARD_KILL_AT=point)
    with none_left(process), town.load(0.2):
        if point == "lease.returned":
            until(lambda: town.works(process), "its leases")
            process.signal(signal.SIGTERM)
        process.killed()
    takes_over(town)
    town.night_finds_nothing()


@pytest.mark.fault("F43", "of two, one killed at a point: the other does all the work")
@pytest.mark.parametrize("point", sampled(("send.after", "publish.before_commit"), ["send.after"]))
def test_the_other_of_two_goes_on(town: LaneTown, point: str) -> None:
    other = town.lane(ONECARD_KILL_AT=point)
    until(lambda: town.works(other), "its leases")  # who comes first keeps the collect
    one = town.lane()
    with none_left(one, other):
        with town.load(0.2):
            other.killed()
        town.arrived()
        assert one.alive
        one.end()
    town.sound()
    town.no_lease_left()


def killed_at_random(
    town: LaneTown, chance: random.Random, running: LaneProcess, trace: Path
) -> LaneProcess:
    """Kill a process at a random time under load; returns the next one, when all has come."""
    with town.load(chance.uniform(0.005, 0.1)):
        time.sleep(chance.uniform(0.02, 1.5))
        running.kill()
    if KILL_LOG:
        reached = trace.read_text().split() if trace.exists() else []
        with Path(KILL_LOG).open("a", encoding="utf-8") as log:
            log.write((reached or ["before the first"])[-1] + "\n")
    trace.unlink(missing_ok=True)
    following = town.lane(ONECARD_TRACE_POINTS=str(trace))
    try:
        if chance.random() < 0.8:  # the others are killed while they catch up
            town.arrived()
            town.sound()
    except BaseException:
        following.kill()
        raise
    return following


@pytest.mark.fault("F43", "killed at random times under load, the next process ends it the same")
@pytest.mark.parametrize(
    "kills", [QUICK_KILLS, pytest.param(RANDOM_KILLS - QUICK_KILLS, marks=pytest.mark.nightly)]
)
@pytest.mark.timeout(900 + 30 * RANDOM_KILLS)
def test_killed_at_random_times_under_load(town: LaneTown, kills: int, tmp_path: Path) -> None:
    trace, chance = tmp_path / "trace", random.Random(kills)
    running = town.lane(ONECARD_TRACE_POINTS=str(trace))
    try:
        for _ in range(kills):
            running = killed_at_random(town, chance, running, trace)
        town.arrived()
        running.end()
    finally:
        running.kill()
    town.sound()
    town.no_lease_left()
    town.night_finds_nothing()
