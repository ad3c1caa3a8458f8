"""Leases: one holder at a time, by the database's clock; a fence that grows with each change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onecard.base import timeouts
from onecard.errors import SupersededError
from onecard.store import database, leases
from onecard.store.database import Connection

WORK = "collect hrss/card_status_event"
LONG = 3600.0


@pytest.fixture
def one(hub_database: str) -> Iterator[Connection]:
    with database.connect(hub_database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def other(hub_database: str) -> Iterator[Connection]:
    with database.connect(hub_database, autocommit=True) as connection:
        yield connection


def lapse(connection: Connection) -> None:
    """The time of every lease is over."""
    connection.execute("UPDATE ledger.lease SET until = clock_timestamp() - interval '1 second'")


def test_a_lease_is_anothers_only_after_its_time(one: Connection) -> None:
    first = leases.take(one, WORK, "a", LONG)
    assert first is not None
    assert leases.take(one, WORK, "b", LONG) is None
    assert leases.take(one, WORK, "a", LONG) == first
    lapse(one)
    second = leases.take(one, WORK, "b", LONG)
    assert second is not None
    assert second.fence > first.fence
    assert leases.take(one, "collect other", "a", LONG) is not None


def test_who_has_lost_it_is_refused_and_who_has_it_is_not(one: Connection) -> None:
    first = leases.take(one, WORK, "a", LONG)
    assert first is not None
    leases.check(one, first)
    lapse(one)
    leases.check(one, first)  # nobody else does the work
    second = leases.take(one, WORK, "b", LONG)
    assert second is not None
    leases.check(one, second)
    with pytest.raises(SupersededError, match="another process has taken this work over"):
        leases.check(one, first)
    lapse(one)
    back = leases.take(one, WORK, "a", LONG)
    assert back is not None
    assert back.fence > second.fence
    with pytest.raises(SupersededError):  # it was another's meanwhile
        leases.check(one, first)


def test_what_is_renewed_stays_and_what_has_fallen_is_told(one: Connection) -> None:
    kept, lost = leases.take(one, WORK, "a", LONG), leases.take(one, "deliver x", "a", LONG)
    assert kept is not None
    assert lost is not None
    lapse(one)
    assert leases.take(one, "deliver x", "b", LONG) is not None
    assert leases.renew(one, [kept, lost], LONG) == (kept,)
    assert leases.take(one, WORK, "b", LONG) is None


def test_what_is_given_back_is_free_at_once(one: Connection) -> None:
    first = leases.take(one, WORK, "a", LONG)
    assert first is not None
    leases.give_back(one, first)
    second = leases.take(one, WORK, "b", LONG)
    assert second is not None
    assert second.fence > first.fence
    leases.give_back(one, first)  # it has fallen: nothing of the other's is given back
    assert leases.take(one, WORK, "c", LONG) is None


def test_nobody_takes_it_while_its_holder_publishes(one: Connection, other: Connection) -> None:
    first = leases.take(one, WORK, "a", LONG)
    assert first is not None
    lapse(one)
    with one.transaction():
        leases.check(one, first)
        assert leases.take(other, WORK, "b", LONG) is None
        assert leases.renew(other, [first], LONG) == (first,)  # and nobody waits
    assert leases.take(other, WORK, "b", LONG) is not None


def test_nobody_waits_to_give_back_what_is_held_until_the_end_of_a_publication(
    one: Connection, other: Connection
) -> None:
    first = leases.take(one, WORK, "a", LONG)
    assert first is not None
    database.hurry(other)  # whoever waits there fails
    with one.transaction():
        leases.check(one, first)
        leases.give_back(other, first)
    assert leases.take(other, WORK, "b", LONG) is None  # its time goes on
    leases.give_back(other, first)
    assert leases.take(other, WORK, "b", LONG) is not None


def test_it_is_told_who_has_what_and_since_when_nothing_was_heard(one: Connection) -> None:
    leases.take(one, WORK, "a", LONG)
    leases.take(one, "process a", "a", LONG)
    one.execute(
        "UPDATE ledger.lease SET renewed_at = clock_timestamp() - interval '90 seconds',"
        " until = clock_timestamp() - interval '80 seconds' WHERE name = 'process a'"
    )
    work, process = leases.standing(one)
    assert (work.name, work.holder, work.held) == (WORK, "a", True)
    assert 0 <= work.silent_s < 60
    assert (process.name, process.held) == ("process a", False)
    assert 90 <= process.silent_s < 150
    leases.forget(one, "process ", 3600)
    assert len(leases.standing(one)) == 2
    leases.forget(one, "process ", 60)
    assert [line.name for line in leases.standing(one)] == [WORK]


def test_a_transaction_that_holds_a_lease_is_not_idle_for_long(
    one: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bound() -> str:
        found = one.execute("SHOW idle_in_transaction_session_timeout").fetchone()
        assert found is not None
        return str(found[0])

    mine = leases.take(one, WORK, "a", LONG)
    assert mine is not None
    before = bound()
    for patience, wanted in (("600", "5min"), ("7", "42s")):
        monkeypatch.setenv(timeouts.VARIABLE, patience)
        with one.transaction():
            leases.check(one, mine)
            assert bound() == wanted
        assert bound() == before
