"""Sessions that wait for their next use: clean, alive, and only while somebody keeps them."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import adbc_driver_manager as driver
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from onecard.base import shelves
from onecard.base.sql_text import query
from onecard.errors import FatalError, OnecardError
from onecard.store import arrow, database, locks, persons, sessions
from onecard.store.locks import Kind
from onecard.store.snapshots import Snapshot


def pid(address: str) -> int:
    """Of the server's process behind the next session."""
    with database.connect(address, autocommit=True) as connection:
        return connection.info.backend_pid


def arrow_pid(address: str) -> int:
    """The same of an Arrow connection."""
    return int(arrow.integers(address, query("SELECT pg_backend_pid()::bigint"))[0])


def others(address: str) -> list[int]:
    """Processes of the server for this database, but for the one that is asked."""
    with psycopg.connect(address) as watcher:
        found = watcher.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchall()
    return [int(row[0]) for row in found]


def ended(address: str, process: int) -> bool:
    """Whether a process of the server has ended, within a generous limit."""
    with psycopg.connect(address, autocommit=True) as watcher:
        for _ in range(500):
            statement = "SELECT FROM pg_stat_activity WHERE pid = %s"
            if watcher.execute(statement, (process,)).fetchone() is None:
                return True
            watcher.execute("SELECT pg_sleep(0.02)")
    return False


@pytest.mark.parametrize("of", [pid, arrow_pid])
def test_a_session_is_used_again_while_somebody_keeps_it(
    private_database: str, of: Callable[[str], int]
) -> None:
    assert of(private_database) != of(private_database)
    with shelves.kept():
        first = of(private_database)
        with shelves.kept():
            assert of(private_database) == first
        assert of(private_database) == first
    assert ended(private_database, first)
    assert of(private_database) != first


def test_a_session_that_was_made_ready_for_persons_is_as_any_other(private_database: str) -> None:
    with shelves.kept():
        with database.connect(private_database, autocommit=True) as one:
            persons.prepare(one)
            for _ in range(4):
                one.execute("SELECT 1")
            process = one.info.backend_pid
        for _ in range(4):
            with database.connect(private_database, autocommit=True) as other:
                assert other.info.backend_pid == process
                assert other.execute("SHOW enable_seqscan").fetchone() == ("on",)
                prepared = other.execute("SELECT count(*) FROM pg_prepared_statements")
                assert prepared.fetchone() == (0,)


def test_two_at_once_have_two_sessions(private_database: str) -> None:
    with shelves.kept(), database.connect(private_database) as one:
        with database.connect(private_database) as other:
            pids = {one.info.backend_pid, other.info.backend_pid}
        assert len(pids) == 2


@pytest.mark.parametrize("prepared", [False, True])
def test_the_next_user_finds_nothing_of_the_one_before(
    private_database: str, prepared: bool
) -> None:
    with shelves.kept():
        found = database.connect(private_database, autocommit=True, prepared=prepared)
        with found as connection:
            first = connection.info.backend_pid
            locks.hold(connection, Kind.DELIVERY, "f01")
            database.hurry(connection)
            connection.execute("CREATE TEMP TABLE left_behind (value int)")
            connection.execute("PREPARE asked AS SELECT 1")
            connection.execute("LISTEN news")
            connection.execute("DECLARE held CURSOR WITH HOLD FOR SELECT 1")
        with database.connect(private_database, prepared=prepared) as connection:
            assert connection.info.backend_pid == first
            left = connection.execute(
                "SELECT to_regclass('pg_temp.left_behind'),"
                " (SELECT count(*) FROM pg_settings WHERE setting <> reset_val"
                " AND name IN ('lock_timeout', 'statement_timeout')),"
                " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())),"
                " (SELECT count(*) FROM pg_prepared_statements),"
                " (SELECT count(*) FROM pg_listening_channels()),"
                " (SELECT count(*) FROM pg_cursors WHERE name = 'held')"
            ).fetchone()
        assert left == (None, 0, 0, int(prepared), 0, 0)


def test_what_comes_again_is_planned_once_where_that_is_asked_for(private_database: str) -> None:
    """And a session of one kind is never one of the other."""
    count = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT $1::int + 1'"
    with database.connect(private_database) as own:
        for value in range(2 * sessions.PREPARED_FROM):
            own.execute("SELECT %s::int + 1", (value,))
        assert own.execute(count).fetchone() == (0,)
    with shelves.kept():
        for prepared in (False, True):
            for value in range(2 * sessions.PREPARED_FROM):
                with database.connect(private_database, prepared=prepared) as connection:
                    found = connection.execute("SELECT %s::int + 1", (value,)).fetchone()
                    assert found == (value + 1,)
            with database.connect(private_database, prepared=prepared) as connection:
                assert connection.execute(count).fetchone() == (int(prepared),)


def test_work_is_committed_at_the_end_and_undone_by_an_error(private_database: str) -> None:
    with shelves.kept():
        with database.connect(private_database) as connection:
            connection.execute("CREATE TABLE kept (value int)")
        first = pid(private_database)
        with pytest.raises(FatalError), database.connect(private_database) as connection:
            connection.execute("INSERT INTO kept VALUES (1)")
            connection.execute("SELECT 1 / 0")
        with database.connect(private_database) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
            assert connection.info.backend_pid != first


def test_an_arrow_connection_leaves_nothing_uncommitted_behind(private_database: str) -> None:
    with shelves.kept():
        first = arrow_pid(private_database)
        with arrow.connect(private_database) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE undone (value int)")
            cursor.execute("CREATE TEMP TABLE left_behind (value int)")
        with arrow.connect(private_database) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_backend_pid(), to_regclass('undone') IS NULL,"
                " to_regclass('pg_temp.left_behind') IS NULL"
            )
            assert cursor.fetchone() == (first, True, True)


@pytest.mark.parametrize("of", [pid, arrow_pid])
def test_a_session_that_the_server_has_ended_is_not_used_again(
    private_database: str, of: Callable[[str], int]
) -> None:
    with shelves.kept():
        first = of(private_database)
        with psycopg.connect(private_database, autocommit=True) as killer:
            killer.execute("SELECT pg_terminate_backend(%s, 10000)", (first,))
        assert of(private_database) != first


def test_a_session_that_waited_too_long_is_closed(
    private_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shelves.kept():
        first = pid(private_database)
        monkeypatch.setattr(shelves, "LONGEST_S", -1.0)
        assert pid(private_database) != first
        assert ended(private_database, first)


def test_a_fork_shares_no_session(private_database: str) -> None:
    with shelves.kept():
        first = pid(private_database)
        child = os.fork()
        if child == 0:
            os._exit(0 if pid(private_database) != first else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with database.connect(private_database) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert all(ended(private_database, process) for process in others(private_database))


def test_a_snapshot_is_used_again_unless_it_ended_by_an_error(hub_database: str) -> None:
    asked = query("SELECT pg_backend_pid()::bigint AS pid")
    with shelves.kept():
        with Snapshot(hub_database) as snapshot:
            first = snapshot.frame(asked)["pid"][0]
        with pytest.raises(OSError, match="of the consumer"), Snapshot(hub_database) as snapshot:
            assert snapshot.frame(asked)["pid"][0] == first
            msg = "of the consumer"
            raise OSError(msg)
        with Snapshot(hub_database) as snapshot:
            assert snapshot.frame(asked)["pid"][0] != first


@pytest.mark.parametrize(("first", "then"), [(pid, arrow_pid), (arrow_pid, pid)])
def test_what_waited_too_long_is_closed_by_whoever_comes_next(
    private_database: str,
    first: Callable[[str], int],
    then: Callable[[str], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with shelves.kept():
        waiting = first(private_database)
        monkeypatch.setattr(shelves, "LONGEST_S", -1.0)
        then(private_database)
        assert ended(private_database, waiting)


class NoTransaction:
    """An Arrow connection whose server answers once more, and then begins no transaction."""

    def __init__(self) -> None:
        self.adbc_connection, self.closed = self, False

    def cursor(self) -> AbstractContextManager[NoTransaction]:
        return nullcontext(self)

    def execute(self, _statement: str) -> None:
        return

    def set_autocommit(self, _enabled: bool) -> None:
        msg = "the server is gone"
        raise driver.OperationalError(msg, status_code=driver.AdbcStatusCode.IO)

    def close(self) -> None:
        self.closed = True


def test_an_arrow_connection_that_begins_no_transaction_is_closed(private_database: str) -> None:
    broken = NoTransaction()
    with shelves.kept():
        handle = arrow._handle(private_database)
        waiting = arrow._Opened(private_database, handle, cast("Any", broken))
        arrow._waiting.put(private_database, waiting)
        assert arrow_pid(private_database)
    assert broken.closed


def test_arrow_connections_of_one_time_have_handles_of_their_own(private_database: str) -> None:
    with arrow.connect(private_database), arrow.connect(private_database):
        assert private_database not in arrow._free or not arrow._free[private_database]
    first = list(arrow._free[private_database])
    assert len(set(map(id, first))) == 2
    with arrow.connect(private_database), arrow.connect(private_database):
        pass
    assert set(map(id, arrow._free[private_database])) == set(map(id, first))


def test_a_handle_whose_connection_cannot_be_opened_is_used_again(private_database: str) -> None:
    with arrow.connect(private_database):
        pass
    handles = list(arrow._free[private_database])
    closed = "ALTER DATABASE {d} ALLOW_CONNECTIONS {on}"
    named = sql.Identifier(private_database.rpartition("/")[2])
    beside = make_conninfo(private_database, dbname="postgres")
    with psycopg.connect(beside, autocommit=True) as other:
        other.execute(sql.SQL(closed).format(d=named, on=sql.SQL("false")))
        with pytest.raises(OnecardError), arrow.connect(private_database):
            pytest.fail("a database that lets nobody in has been opened")
        other.execute(sql.SQL(closed).format(d=named, on=sql.SQL("true")))
    assert arrow._free[private_database] == handles
    assert arrow_pid(private_database)
