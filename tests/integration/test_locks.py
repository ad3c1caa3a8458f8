"""Advisory locks: one holder of a kind and name; other kinds and names do not wait."""

from __future__ import annotations

import psycopg
import pytest

from onecard.store import database, locks
from onecard.store.locks import Kind


def impatient(address: str) -> psycopg.Connection[tuple[object, ...]]:
    """A session that waits for a lock for a tenth of a second only."""
    connection = psycopg.connect(address, autocommit=True)
    connection.execute("SET lock_timeout = '100ms'")
    return connection


def test_a_lock_keeps_apart_one_kind_and_name_only(private_database: str) -> None:
    with (
        database.connect(private_database, autocommit=True) as holder,
        impatient(private_database) as other,
    ):
        locks.hold(holder, Kind.RELEASE, 7)
        for kind in set(Kind) - {Kind.RELEASE}:
            locks.hold(other, kind, 7)
        locks.hold(other, Kind.RELEASE, 8)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            locks.hold(other, Kind.RELEASE, 7)


def test_a_lock_that_another_holds_is_passed_over_until_it_is_let_go(
    private_database: str,
) -> None:
    with (
        database.connect(private_database, autocommit=True) as holder,
        database.connect(private_database, autocommit=True) as other,
    ):
        assert locks.hold_if_free(holder, Kind.NOTICE, 7)
        assert not locks.hold_if_free(other, Kind.NOTICE, 7)
        assert locks.hold_if_free(other, Kind.NOTICE, 8)
        locks.let_go(holder, Kind.NOTICE, 7)
        assert locks.hold_if_free(other, Kind.NOTICE, 7)


def test_a_lock_goes_with_its_transaction(private_database: str) -> None:
    with (
        database.connect(private_database, autocommit=True) as holder,
        impatient(private_database) as other,
    ):
        with holder.transaction():
            locks.hold_in_transaction(holder, Kind.MAKING)
            with pytest.raises(psycopg.errors.LockNotAvailable):
                locks.hold_in_transaction(other, Kind.MAKING)
        locks.hold_in_transaction(other, Kind.MAKING)
