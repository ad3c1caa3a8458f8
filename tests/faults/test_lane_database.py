"""F47: the hub's database is restarted, or crashes, while the live lane works."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from demo.rehearsal import start
from tests.cities import Cities
from tests.faults.lane_process import none_left
from tests.faults.lane_town import FOLDER, LaneTown, settled
from tests.faults.server import OwnServer
from tests.sampling import how_often, sampled

ROUNDS = how_often(2, 10)
POINTS = ("stage.checked", "load.after_commit", "publish.merged", "send.leaving", "send.after")


@pytest.fixture(scope="module")
def town(
    tmp_path_factory: pytest.TempPathFactory, server: OwnServer, cities: Cities
) -> Iterator[LaneTown]:
    """A town, all of it in a server of its own."""
    home = tmp_path_factory.mktemp("lane-database")
    with (
        start(
            home / "stage", persons=300, seed=5, postgres=server.url, servers=cities.agencies
        ) as stage,
        settled(stage, home) as found,
    ):
        yield found


@pytest.mark.fault("F47", "restarted and crashed in a burst, the lane waits and goes on by itself")
@pytest.mark.parametrize("mode", sampled(("fast", "immediate"), ["immediate"]))
def test_the_database_is_restarted_in_a_burst(town: LaneTown, server: OwnServer, mode: str) -> None:
    lane = town.lane()
    with none_left(lane):
        for _ in range(ROUNDS):
            with town.load():
                town.arrived(FOLDER)
                server.restart(mode)
                town.arrived(FOLDER)
            town.arrived()
            town.sound()
        assert lane.alive
        lane.end()
    town.sound()
    town.no_lease_left()
    town.night_finds_nothing()


@pytest.mark.fault("F47", "restarted at a point of a transfer, which is done again")
@pytest.mark.parametrize("point", sampled(POINTS, ["load.after_commit"]))
def test_the_database_crashes_at_a_point(town: LaneTown, server: OwnServer, point: str) -> None:
    lane = town.lane(ONECARD_STOP_AT=point)
    with none_left(lane):
        town.report()
        lane.stopped()
        server.restart("immediate")
        os.kill(lane.pid, signal.SIGCONT)
        town.report()
        town.arrived()
        lane.end()
    town.sound()
    town.no_lease_left()
