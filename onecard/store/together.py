"""Statements that are sent one behind the other, and waited for once.

Each answer that is waited for costs a worker its turn among the threads of its process. What a
statement gives can be read when the block has ended; the first one that fails ends the block with
its error, and those behind it have done nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import kwargs_row

from onecard.store.database import Connection, Parameters, Statement

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sent(Generic[T]):
    """A SELECT that was sent."""

    _cursor: psycopg.Cursor[T] = field(repr=False)

    def all(self) -> list[T]:
        """Its rows, once, when the block has ended."""
        return self._cursor.fetchall()

    def first(self) -> T | None:
        """Its first row, or None, when the block has ended."""
        return self._cursor.fetchone()


@contextmanager
def together(connection: Connection) -> Iterator[None]:
    """Statements that are run in the block are sent at once, in their order.

    Raises:
        psycopg.Error: one of them failed.
    """
    with connection.pipeline():
        yield


@contextmanager
def one_state(connection: Connection) -> Iterator[None]:
    """As `together`, and all of them see one state of the database, in which they write nothing.

    Args:
        connection: in autocommit, without an open transaction.

    Raises:
        psycopg.Error: one of them failed.
    """
    try:
        with connection.pipeline():
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
            connection.execute("COMMIT")
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise


@contextmanager
def undone_unless_committed(connection: Connection) -> Iterator[None]:
    """A transaction that is begun and committed by statements of blocks (`begin`, `commit`).

    So neither is waited for alone. A block that fails, or ends without a commit, leaves nothing.

    Args:
        connection: in autocommit, without an open transaction.

    Raises:
        psycopg.Error: one of the statements failed.
    """
    try:
        yield
    finally:
        if not connection.closed and connection.info.transaction_status != TransactionStatus.IDLE:
            connection.rollback()


def begin(connection: Connection) -> None:
    """Begin a transaction; within `together` it is sent with the statements behind it."""
    connection.execute("BEGIN")


def commit(connection: Connection) -> None:
    """Commit; within `together` it is sent behind the others, and not done when one fails."""
    connection.execute("COMMIT")


def send(
    connection: Connection,
    made: Callable[..., T],
    statement: Statement,
    parameters: Parameters = None,
) -> Sent[T]:
    """Send a SELECT; within `together` its rows are there later, else at once.

    Args:
        connection: of the hub's database.
        made: the rows' class, or a function that makes one; takes the columns by their names.
        statement: with placeholders.
        parameters: for the placeholders.
    """
    cursor = connection.cursor(row_factory=kwargs_row(made))
    return Sent(cursor.execute(statement, parameters))
