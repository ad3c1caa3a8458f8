"""F44: of two processes of the live lane, one is cut off from the database, or sleeps.

The other takes its work over: the fence of every lease that it had falls, and whatever it does when
it comes back changes nothing.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from sqlalchemy.engine import make_url

from tests.cities import Cities
from tests.faults.lane_process import LaneProcess, none_left
from tests.faults.lane_town import (
    AGREEMENTS,
    EVENTS,
    FOLDER,
    HTTP,
    TOKENS,
    LaneTown,
    settled,
)
from tests.faults.proxy import TcpProxy, tcp_proxy
from tests.sampling import sampled
from tests.waiting import until

FENCES = "SELECT name, fence FROM ledger.lease WHERE name NOT LIKE 'process %%'"
HELD_BY = (
    "SELECT name FROM ledger.lease WHERE strpos(holder, %s) > 0 AND name NOT LIKE 'process %%'"
)
UNDER_WAY = "SELECT id FROM ledger.transfer WHERE finished_at IS NULL"
UNLOCKED = (FOLDER, HTTP, TOKENS)
"""A table may be locked by who sleeps in the middle of a transaction with it, until they wake."""
PUBLISHING = ("publish.merged", "publish.before_commit", "publish.after_commit")
SENDING = ("deliver.locked", "send.leaving", "send.after", "confirm.before_commit")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[LaneTown]:
    home = tmp_path_factory.mktemp("lane-cut-off")
    with cities.start(home / "stage", persons=300, seed=5) as stage, settled(stage, home) as found:
        yield found


@pytest.fixture
def cable(town: LaneTown) -> Iterator[TcpProxy]:
    """Between a process and the hub's database."""
    url = make_url(town.address)
    with tcp_proxy(url.host or "127.0.0.1", url.port or 5432) as found:
        yield found


def through(town: LaneTown, cable: TcpProxy) -> LaneProcess:
    """A process whose database is behind the cable."""
    url = make_url(town.address).set(host="127.0.0.1", port=cable.port)
    return town.lane(ONECARD_DATABASE_URL=url.render_as_string(hide_password=False))


def fences(town: LaneTown) -> dict[str, int]:
    return {name: int(fence) for name, fence in town.ask(FENCES)}


def work_of(town: LaneTown, process: LaneProcess) -> set[str]:
    return {name for (name,) in town.ask(HELD_BY, process.holder)}


def taken_over(town: LaneTown, lost: set[str], before: dict[str, int]) -> None:
    """Wait until another has all that one had, each under a higher fence."""
    until(lambda: all(fences(town)[name] > before[name] for name in lost), "the fences fall")


@pytest.mark.fault(
    "F44", "cut off in mid-burst, its fences fall; it comes back and shares the work"
)
@pytest.mark.parametrize("how", sampled(("hold", "drop"), ["hold"]))
def test_one_is_cut_off_from_the_database(town: LaneTown, cable: TcpProxy, how: str) -> None:
    one, other = through(town, cable), town.lane()
    with none_left(one, other):
        until(lambda: town.works(one) and town.works(other), "both have work")
        with town.load():
            town.arrived(FOLDER)
            before, lost = fences(town), work_of(town, one)
            getattr(cable, how)()
            taken_over(town, lost, before)
        town.arrived(*UNLOCKED)
        assert len(town.holders()) == 1
        cable.flow()
        until(lambda: town.works(one), "it has work again")
        with town.load():
            town.arrived(FOLDER)
        town.arrived()
        for process in (one, other):
            process.end()
    town.sound()
    town.no_lease_left()
    town.night_finds_nothing()


@pytest.mark.fault("F44", "asleep in mid-transfer, its locks are freed; awake, it changes nothing")
@pytest.mark.parametrize(
    "point", sampled([*PUBLISHING, *SENDING], ["publish.before_commit", "send.leaving"])
)
def test_one_sleeps_in_the_middle_of_a_transfer(town: LaneTown, point: str) -> None:
    one = town.lane(ONECARD_STOP_AT=point)
    with none_left(one):
        town.report()
        one.stopped()
        before, lost = fences(town), work_of(town, one)
        asleep = [number for (number,) in town.ask(UNDER_WAY)]
        assert lost
        other = town.lane()
        with none_left(other):
            town.report()
            taken_over(town, lost, before)
            town.arrived(*UNLOCKED)
            one.signal(signal.SIGCONT)
            until(lambda: town.works(one), "it has work again")
            town.report()
            town.arrived()
            statement = (
                "SELECT count(*) FROM ledger.transfer WHERE id = ANY(%s) AND status = ANY(%s)"
            )
            assert town.number(statement, asleep, ["published", "confirmed"]) == 0
            for process in (one, other):
                process.end()
    town.sound()
    town.no_lease_left()
    town.night_finds_nothing()


@pytest.mark.fault("F44", "alone asleep in a transaction, the database ends it: a night goes on")
@pytest.mark.parametrize(
    "point", sampled(("publish.merged", "publish.before_commit"), ["publish.merged"])
)
def test_a_lane_that_is_alone_sleeps_in_a_transaction(town: LaneTown, point: str) -> None:
    """With the shortest patience six idle seconds; as it is set by default, five minutes."""
    alone = town.lane(ONECARD_STOP_AT=point, ONECARD_PATIENCE="1")
    with none_left(alone):
        town.report()
        alone.stopped()
        idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        until(lambda: not town.number(idle + " AND datname = current_database()"), "its end")
        hub = town.stage.hub(0)
        hub.collect(EVENTS).run()
        for agreement in AGREEMENTS:
            hub.deliver(agreement).run()
        assert all(not town.missing(name) for name in AGREEMENTS)
        alone.signal(signal.SIGCONT)
        town.report()
        town.arrived()
        alone.end()
    town.sound()
    town.no_lease_left()
    town.night_finds_nothing()
