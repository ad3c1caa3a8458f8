"""Processes share the work: each its part, and all of it when the others are gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from onecard.base import timeouts
from onecard.live import keeper
from onecard.live.keeper import Keeper
from onecard.live.pace import Pace
from onecard.store import database, leases, locks
from onecard.store.database import Connection
from onecard.store.leases import PROCESS

WORK = [f"deliver f{number}" for number in range(5)]
PACE = Pace(span=3600.0)


@pytest.fixture
def session(hub_database: str) -> Iterator[Connection]:
    with database.connect(hub_database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def one(hub_database: str) -> Keeper:
    return Keeper(hub_database, PACE, lambda: WORK)


@pytest.fixture
def other(hub_database: str) -> Keeper:
    return Keeper(hub_database, PACE, lambda: WORK)


def lapse(connection: Connection) -> None:
    """The time of every lease is over."""
    connection.execute("UPDATE ledger.lease SET until = clock_timestamp() - interval '1 second'")


def held(keeper: Keeper) -> list[str]:
    return [name for name in WORK if keeper.holds(name)]


def test_who_is_alone_has_everything(session: Connection, one: Keeper) -> None:
    assert not one.alive
    assert one.lease(WORK[0]) is None
    one.renew(session)
    assert held(one) == WORK
    assert one.alive
    found = one.lease(WORK[0])
    assert found is not None
    leases.check(session, found)


def test_who_comes_gets_a_share_once_the_work_in_hand_has_ended(
    session: Connection, one: Keeper, other: Keeper
) -> None:
    one.renew(session)
    other.renew(session)
    assert held(other) == []
    one.renew(session)
    assert held(one) == WORK  # what is in hand is not taken away
    for name in WORK:
        one.lease(name)  # between two batches
    one.renew(session)
    other.renew(session)
    assert (len(held(one)), len(held(other))) == (3, 2)
    assert sorted(held(one) + held(other)) == WORK
    one.renew(session)
    assert len(held(one)) == 3


def test_who_ends_leaves_everything_at_once(
    session: Connection, one: Keeper, other: Keeper
) -> None:
    one.renew(session)
    one.end()
    assert held(one) == []
    other.renew(session)
    assert held(other) == WORK


def test_what_another_has_taken_is_lost_with_a_word(
    session: Connection, one: Keeper, other: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    one.renew(session)
    mine = one.lease(WORK[0])
    assert mine is not None
    lapse(session)
    other.renew(session)
    assert held(other) == WORK
    one.renew(session)
    assert held(one) == []
    assert f"lease lost: {WORK[0]}" in caplog.text


def test_work_that_is_no_more_is_returned(session: Connection, hub_database: str) -> None:
    wanted = list(WORK)
    keeper = Keeper(hub_database, PACE, lambda: wanted)
    keeper.renew(session)
    wanted.remove(WORK[0])
    keeper.renew(session)
    assert keeper.lease(WORK[0]) is None
    keeper.renew(session)
    standing = {line.name: line.held for line in leases.standing(session)}
    assert [name for name in WORK if standing[name]] == WORK[1:]


def test_who_could_not_renew_in_time_begins_nothing(session: Connection, hub_database: str) -> None:
    keeper = Keeper(hub_database, Pace(span=0.0), lambda: WORK)
    keeper.renew(session)
    assert held(keeper) == WORK
    assert not keeper.alive
    assert keeper.lease(WORK[0]) is None


def test_who_has_no_work_to_do_counts_for_no_share(
    session: Connection, hub_database: str, one: Keeper
) -> None:
    wanted = list(WORK)
    idle = Keeper(hub_database, PACE, lambda: wanted)
    idle.renew(session)
    wanted.clear()
    idle.renew(session)
    assert [line.held for line in leases.standing(session) if line.name.startswith(PROCESS)] == [
        True
    ], "what it has in hand is still its own"
    for name in WORK:
        idle.lease(name)
    for each in (idle, idle, one):
        each.renew(session)
    assert held(one) == WORK
    assert idle.alive
    wanted.extend(WORK)
    idle.renew(session)
    one.renew(session)
    for name in WORK:
        one.lease(name)
    one.renew(session)
    idle.renew(session)
    assert (len(held(one)), len(held(idle))) == (3, 2)


def test_a_process_that_is_stopped_loses_its_sessions_with_its_leases(
    session: Connection, hub_database: str, one: Keeper, other: Keeper
) -> None:
    one.renew(session)
    mine, again = one.lease(WORK[0]), one.lease(WORK[1])
    assert mine is not None
    assert again is not None
    address = timeouts.named(hub_database, one.holder)
    with (
        psycopg.connect(address, autocommit=True) as sending,
        psycopg.connect(address) as publishing,
        database.connect(hub_database) as stranger,
    ):
        locks.hold(sending, locks.Kind.DELIVERY, "f1")
        lapse(session)
        leases.check(publishing, mine)
        leases.renew(session, [again], 3600.0)  # it was heard of: it only publishes for long
        other.renew(session)
        assert held(other) == WORK[2:]
        assert (works(sending), works(publishing)) == (True, True)
        leases.give_back(session, again)
        other.renew(session)
        assert (works(sending), works(publishing), works(stranger)) == (False, False, True)
        assert mine.name in held(other)


def works(connection: Connection) -> bool:
    try:
        connection.execute("SELECT")
    except psycopg.OperationalError:
        return False
    return True


def test_it_goes_on_whatever_fails(
    hub_database: str,
    one: Keeper,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop = threading.Event()
    failing = iter((True, True))
    renew = one.renew

    def fails_twice(connection: Connection) -> None:
        if next(failing, False):
            raise ZeroDivisionError
        renew(connection)
        stop.set()

    monkeypatch.setattr(one, "renew", fails_twice)
    one._pace = Pace(span=3600.0, look=0.0)
    one.run(stop)
    assert held(one) == WORK
    assert caplog.text.count("leases cannot be renewed: internal error: ZeroDivisionError") == 1


def test_a_holder_names_sessions_whatever_its_machine_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper.socket, "gethostname", lambda: "m" * 200)
    assert len(keeper.new_holder()) <= 63
    assert keeper.new_holder() != keeper.new_holder()
