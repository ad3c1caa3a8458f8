"""F52: all processes of the live lane are dead; whoever does its work needs no leave of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cities import Cities
from tests.faults.lane_process import none_left
from tests.faults.lane_town import AGREEMENTS, EVENTS, LaneTown, settled
from tests.waiting import until


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[LaneTown]:
    home = tmp_path_factory.mktemp("lane-dead")
    with cities.start(home / "stage", persons=300, seed=5) as stage, settled(stage, home) as found:
        yield found


@pytest.mark.fault("F52", "all killed in a burst: plain transfers go on at once; a lane comes back")
def test_all_processes_are_dead(town: LaneTown) -> None:
    one, other = town.lane(), town.lane()
    with none_left(one, other):
        until(lambda: town.works(one) and town.works(other), "both have work")
        with town.load():
            town.arrived(AGREEMENTS[0])
            one.kill()
            other.kill()
            assert town.holders(), "their leases are not over yet"
        town.report()
        hub = town.stage.hub(0)
        hub.collect(EVENTS).run()
        for agreement in AGREEMENTS:
            hub.deliver(agreement).run()
        town.arrived()
        town.sound()
    back = town.lane()
    with none_left(back):
        with town.load():
            town.arrived(AGREEMENTS[0])
        town.arrived()
        back.end()
    town.sound()
    town.no_lease_left()
    town.night_finds_nothing()
