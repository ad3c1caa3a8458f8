"""F48, F50: clocks that are ten minutes off, and sources that tell numbers twice or out of order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.cities import Cities
from tests.faults.lane_process import LaneProcess, none_left
from tests.faults.lane_town import AGREEMENTS, EVENTS, TEN_MINUTES, LaneTown, settled
from tests.sampling import sampled
from tests.waiting import until

REJECTED = (
    "SELECT coalesce(sum(quarantined), 0)::int FROM ledger.transfer"
    " WHERE subject = %s AND status = 'published'"
)


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[LaneTown]:
    """Each test has its own: what a wrong clock has let in or kept out tells in the next one."""
    home = tmp_path_factory.mktemp("lane-clocks")
    with cities.start(home / "stage", persons=300, seed=5) as stage, settled(stage, home) as found:
        yield found


def at(town: LaneTown, minutes: int) -> str:
    """The hub's clock, so many minutes off."""
    return (town.stage.city.now(0) + timedelta(minutes=minutes)).isoformat()


def ends_well(town: LaneTown, *running: LaneProcess) -> None:
    for process in running:
        process.end()
    town.sound()
    town.no_lease_left()
    town.night_finds_nothing()


@pytest.mark.fault("F48", "the hub's clock is off: what it took for future comes when it is right")
@pytest.mark.parametrize("minutes", sampled((-10, 10), [-10]))
def test_a_lane_whose_clock_is_off(town: LaneTown, minutes: int) -> None:
    wrong = town.lane(ONECARD_NOW=at(town, minutes))
    with none_left(wrong):
        until(lambda: town.works(wrong), "its leases")
        before = town.number(REJECTED, EVENTS)
        town.report()
        if minutes < 0:
            until(lambda: town.number(REJECTED, EVENTS) > before, "the rows are rejected")
            assert all(town.missing(name) for name in AGREEMENTS)
        else:
            town.arrived()
        wrong.end()
    right = town.lane()
    with none_left(right):
        town.arrived()
        ends_well(town, right)


@pytest.mark.fault("F48", "of two, one's clock is off: leases go by the database's")
def test_one_of_two_has_a_clock_that_is_off(town: LaneTown) -> None:
    one, other = town.lane(ONECARD_NOW=at(town, 10)), town.lane()
    with none_left(one, other):
        until(lambda: town.works(one) and town.works(other), "both have work")
        with town.load():
            town.arrived(AGREEMENTS[0])
        town.arrived()
        ends_well(town, one, other)


@pytest.mark.fault("F48", "the source's clock is ahead or behind: nothing is lost")
@pytest.mark.parametrize("off", sampled((-TEN_MINUTES, TEN_MINUTES), [-TEN_MINUTES]))
def test_a_source_whose_clock_is_off(town: LaneTown, off: int) -> None:
    lane = town.lane()
    with none_left(lane):
        town.report()
        town.arrived()
        event = town.event(0, off)
        town.odd.add(event["event_seq"])
        before = town.number(REJECTED, EVENTS)
        town.store(event)
        if off > 0:
            until(lambda: town.number(REJECTED, EVENTS) > before, "the row is rejected")
            lane.end()
            lane = town.lane(ONECARD_NOW=at(town, 10))
        with none_left(lane):
            town.arrived()
            ends_well(town, lane)


@pytest.mark.fault("F50", "rows and numbers told twice count once; later ones that come first, too")
def test_a_source_repeats_and_reorders(town: LaneTown) -> None:
    lane = town.lane()
    with none_left(lane):
        twice = town.event(0)
        another = {**twice, "event_id": "01939998-0000-7000-8000-000000000002"}
        town.store(twice, another, twice)
        earlier, later = town.event(1), town.event(1)
        town.store(later, earlier)  # at once: each consumer has them in order
        town.arrived()
        late, early = town.event(2), town.event(2)
        town.odd.add(late["event_seq"])
        town.store(early)
        town.arrived_but(late["event_seq"])
        town.store(late)
        town.arrived()
        for agreement in AGREEMENTS:
            came = town.arrivals.first(agreement)
            assert came.index(earlier["event_seq"]) < came.index(later["event_seq"])
        ends_well(town, lane)
