"""Statements that are sent together: what they give, and what is left when one of them fails."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from onecard.base.timeouts import BoundedConnection
from onecard.store.database import Connection
from onecard.store.together import one_state, send, together


@dataclass(frozen=True)
class Number:
    n: int


@pytest.fixture
def connection(hub_database: str) -> Connection:
    return BoundedConnection.connect(hub_database, autocommit=True)


def test_rows_are_there_when_the_block_has_ended(connection: Connection) -> None:
    with connection, together(connection):
        connection.execute("CREATE TEMPORARY TABLE t AS SELECT 7 AS n")
        found = send(connection, Number, "SELECT n FROM t")
        none = send(connection, Number, "SELECT n FROM t WHERE n = %s", (8,))
    assert found.all() == [Number(7)]
    assert none.first() is None


def test_statements_of_one_state_do_not_see_what_comes_between(
    connection: Connection, hub_database: str
) -> None:
    count = "SELECT count(*)::int AS n FROM ledger.stop_event"
    with connection, one_state(connection):
        before = send(connection, Number, count)
        assert before.first() == Number(0)
        with BoundedConnection.connect(hub_database) as other:
            other.execute(
                "INSERT INTO ledger.stop_event (scope, stopped, actor, reason)"
                " VALUES ('*', true, 'a', 'b')"
            )
        after = send(connection, Number, count)
    assert after.first() == Number(0)


@pytest.mark.parametrize("statement", ["SELECT 1 / 0 AS n", "DELETE FROM ledger.question_call"])
def test_a_statement_that_fails_leaves_a_session_that_can_be_used(
    connection: Connection, statement: str
) -> None:
    with connection:
        with pytest.raises(psycopg.Error), one_state(connection):
            send(connection, Number, statement.encode())  # type: ignore[arg-type]
            send(connection, Number, "SELECT 1 AS n")
        assert connection.info.transaction_status == TransactionStatus.IDLE
        assert send(connection, Number, "SELECT 2 AS n").all() == [Number(2)]


def test_what_is_behind_a_statement_that_fails_is_not_done(connection: Connection) -> None:
    with connection:
        with (
            pytest.raises(psycopg.errors.DivisionByZero),
            connection.transaction(),
            together(connection),
        ):
            connection.execute("SELECT 1 / 0")
            connection.execute("CREATE TABLE ledger.behind (n int)")
        found = send(connection, Number, "SELECT 1 AS n WHERE to_regclass('ledger.behind') IS NULL")
        assert found.all() == [Number(1)]
