"""Which calls are answered together, and that a worker that is stuck holds up no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
import pytest

from onecard.serve import codes
from onecard.serve.calls import Call
from onecard.serve.case import Reply
from onecard.serve.groups import LINGER_S, MOST_TOGETHER, Groups
from onecard.store import database
from onecard.store.database import Connection
from onecard.store.together import begin, commit, send, together, undone_unless_committed
from schemas.models import catalogue
from tests.asked import F09, HIS
from tests.waiting import until


class Slow:
    """Answers a group when it is told to, and keeps which calls it had."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.go = threading.Semaphore(0)

    def answer(self, _connection: Connection, calls: Sequence[Call]) -> list[Reply]:
        self.groups.append([call.rid for call in calls])
        self.go.acquire()
        return [Reply(codes.ANSWERED) for _ in calls]


@pytest.fixture
def slow() -> Slow:
    return Slow()


@contextmanager
def working(address: str, slow: Slow) -> Iterator[tuple[Groups, list[Reply]]]:
    groups, told = Groups(address, slow), list[Reply]()
    groups.start()
    try:
        yield groups, told
    finally:
        slow.go.release(1000)
        groups.end()


def call(number: int) -> Call:
    system = catalogue.load().callers[HIS]
    return Call(HIS, system, F09, "query", b"", "", f"r{number}", "127.0.0.1", secure=False)


def test_calls_gather_while_a_worker_is_busy(
    quick_postgres: str, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onecard.serve.groups.LINGER_S", 3600.0)
    with working(quick_postgres, slow) as (groups, told):
        groups.put(call(0), told.append)
        until(lambda: slow.groups == [["r0"]], "the first call is taken at once")
        for number in range(1, 4):
            groups.put(call(number), told.append)
        slow.go.release()
        until(lambda: len(slow.groups) == 2, "the others follow")
        assert slow.groups[1] == ["r1", "r2", "r3"]
        slow.go.release()
        until(lambda: len(told) == 4, "all are told")


def test_a_worker_that_is_stuck_holds_up_nobody(quick_postgres: str, slow: Slow) -> None:
    with working(quick_postgres, slow) as (groups, told):
        groups.put(call(0), told.append)
        until(lambda: len(slow.groups) == 1, "a worker is busy")
        begun = time.monotonic()
        groups.put(call(1), told.append)
        until(lambda: len(slow.groups) == 2, "the other takes what has waited long enough")
        assert time.monotonic() - begun >= LINGER_S


def test_a_full_group_does_not_linger(
    quick_postgres: str, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onecard.serve.groups.LINGER_S", 3600.0)
    with working(quick_postgres, slow) as (groups, told):
        groups.put(call(0), told.append)
        until(lambda: len(slow.groups) == 1, "a worker is busy")
        for number in range(MOST_TOGETHER):
            groups.put(call(number), told.append)
        until(lambda: len(slow.groups) == 2, "the other takes as many as go together")
        assert len(slow.groups[1]) == MOST_TOGETHER


def test_callers_of_a_group_that_ask_again_are_one_group(
    quick_postgres: str, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onecard.serve.groups.BACK_S", 3600.0)
    with working(quick_postgres, slow) as (groups, told):
        groups.put(call(0), told.append)
        slow.go.release()
        until(lambda: len(told) == 1, "the first is told")
        for number in range(1, MOST_TOGETHER + 1):
            groups.put(call(number), told.append)
        until(lambda: len(slow.groups) == 2, "a full group waits for nobody")
        assert len(slow.groups[1]) == MOST_TOGETHER


def test_fewer_who_ask_again_do_not_wait_for_the_rest(
    quick_postgres: str, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onecard.serve.groups.BACK_S", 0.2)
    monkeypatch.setattr("onecard.serve.groups.LINGER_S", 3600.0)
    times: list[float] = []

    def tell(_reply: Reply) -> None:
        times.append(time.monotonic())

    with working(quick_postgres, slow) as (groups, _):
        slow.go.release(1000)
        groups.put(call(0), tell)
        until(lambda: len(times) == 1, "the first is told")
        groups.put(call(1), tell)
        until(lambda: len(times) == 2, "the second is told")
        assert times[1] - times[0] >= 0.2


class Reading:
    """Reads a table that may be away, and something behind it."""

    def answer(self, connection: Connection, calls: Sequence[Call]) -> list[Reply]:
        with together(connection):
            send(connection, dict, "SELECT n FROM ledger.trial")
            send(connection, dict, "SELECT %s::int AS n", (1,))
        return [Reply(codes.ANSWERED) for _ in calls]


def test_statements_that_failed_together_can_be_run_again(
    hub_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onecard.serve.groups.WORKERS", 1)
    monkeypatch.setattr("onecard.serve.groups.REST_S", 0.01)
    groups = Groups(hub_database, Reading())

    def asked() -> codes.Code:
        told: list[Reply] = []
        groups.put(call(0), told.append)
        until(lambda: bool(told), "it is told something")
        return told[0].code

    with database.connect(hub_database, autocommit=True) as other:
        other.execute("CREATE TABLE ledger.trial (n int)")
        groups.start()
        try:
            assert asked() is codes.ANSWERED
            other.execute("ALTER TABLE ledger.trial RENAME TO away")
            assert {asked() for _ in range(5)} == {codes.UNAVAILABLE}
            other.execute("ALTER TABLE ledger.away RENAME TO trial")
            until(lambda: asked() is codes.ANSWERED, "the table is there again")
        finally:
            groups.end()


def test_a_transaction_that_fails_or_is_not_committed_leaves_nothing(hub_database: str) -> None:
    with database.connect(hub_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE ledger.trial (n int PRIMARY KEY)")

        def write(*numbers: int, done: bool = True) -> None:
            with undone_unless_committed(connection), together(connection):
                begin(connection)
                for number in numbers:
                    connection.execute("INSERT INTO ledger.trial VALUES (%s)", (number,))
                if done:
                    commit(connection)

        write(1)
        write(2, done=False)
        with pytest.raises(psycopg.errors.UniqueViolation):
            write(3, 1)
        write(4)
        assert database.scalars(connection, int, "SELECT n FROM ledger.trial ORDER BY n") == [1, 4]


class Losing(Slow):
    """Loses the session of the first group."""

    def answer(self, connection: Connection, calls: Sequence[Call]) -> list[Reply]:
        if calls[0].rid == "r0":
            raise psycopg.OperationalError
        return super().answer(connection, calls)


def test_a_worker_that_rests_hears_no_call_of_another(
    quick_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onecard.serve.groups.REST_S", 3600.0)
    losing = Losing()
    losing.go.release(1000)
    with working(quick_postgres, losing) as (groups, told):
        for number in range(6):
            groups.put(call(number), told.append)
            until(lambda: len(told) > number, "each call is told of")  # noqa: B023 - run here
    assert [reply.code for reply in told] == [codes.UNAVAILABLE, *[codes.ANSWERED] * 5]


def test_a_worker_that_rests_refuses_nobody_whom_another_can_answer(
    quick_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onecard.serve.groups.REST_S", 0.1)
    monkeypatch.setattr("onecard.serve.groups.LINGER_S", 0.0)
    losing = Losing()
    with working(quick_postgres, losing) as (groups, told):
        groups.put(call(1), told.append)
        until(lambda: losing.groups == [["r1"]], "one worker is busy")
        groups.put(call(0), told.append)
        until(lambda: len(told) == 1, "the other has lost its session")
        groups.put(call(2), told.append)
        until(lambda: losing.groups == [["r1"], ["r2"]], "it answers when it has a session again")
        losing.go.release(2)
        until(lambda: len(told) == 3, "all are told")
    assert [reply.code for reply in told] == [codes.UNAVAILABLE, *[codes.ANSWERED] * 2]


def test_a_repeated_request_is_found_by_an_index(hub_database: str) -> None:
    indexes = (
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'ledger' AND tablename = 'question'"
        " AND indexdef LIKE 'CREATE UNIQUE INDEX%'"
    )
    with database.connect(hub_database) as connection:
        found = [str(line) for (line,) in connection.execute(indexes)]
    assert any("(caller, request_id, month)" in line for line in found)
    assert not any("(month, caller" in line for line in found)
