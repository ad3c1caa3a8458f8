"""Processes share the work: each its part, and all of it when the others are gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onecard.live.keeper import Keeper
from onecard.live.pace import Pace
from onecard.store import database, leases
from onecard.store.database import Connection

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
    session.execute("UPDATE ledger.lease SET until = clock_timestamp() - interval '1 second'")
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
