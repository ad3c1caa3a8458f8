"""Sessions of the hub's database that wait for their next use, as long as somebody keeps them.

A login costs more than most of what a small transfer asks: a process of the server, which reads its
catalogue anew. So whoever runs steps or transfers one after the other in one process keeps sessions
(`kept`): one that ended well is handed to the next who asks for the same address. It has nothing of
the one before: no transaction, lock, setting, temporary table or statement (`DISCARD ALL`). One
that failed is closed, one whose server was restarted or has ended it is seen by its socket and
closed, and without anybody who keeps them each is closed as it ends.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from onecard.base.timeouts import BoundedConnection

LONGEST_S = 60.0
"""A session that waited longer is closed: a burst leaves no idle sessions behind."""

Connection = psycopg.Connection[tuple[object, ...]]
T = TypeVar("T")


class Shelf(Generic[T]):
    """Open sessions of one driver, by address; those put last are taken first.

    Args:
        close: ends one of them, and raises nothing.
    """

    def __init__(self, close: Callable[[T], object]) -> None:
        self._close = close
        self._waiting: dict[str, list[tuple[float, T]]] = {}
        _shelves.append(self)

    def take(self, address: str) -> T | None:
        """One that waits, or None.

        Args:
            address: as it was put.
        """
        _close_old()
        with _now.lock:
            waiting = self._waiting.get(address)
            return waiting.pop()[1] if waiting else None

    def put(self, address: str, session: T) -> None:
        """Let a clean session wait; where nobody keeps any, it is closed.

        Args:
            address: of its database, with all options.
            session: is not used by its giver any more.
        """
        with _now.lock:
            keeps = _now.keepers > 0
            if keeps:
                self._waiting.setdefault(address, []).append((time.monotonic(), session))
        if not keeps:
            self._end([session])
        _close_old()

    def clear(self) -> None:
        """Close all that wait."""
        with _now.lock:
            found, self._waiting = self._waiting, {}
        self._end([session for waiting in found.values() for _, session in waiting])

    def forget(self) -> dict[str, list[tuple[float, T]]]:
        """Let go of all that wait without a word to their server."""
        found, self._waiting = self._waiting, {}
        return found

    def close_old(self) -> None:
        """Close those that have waited too long."""
        limit = time.monotonic() - LONGEST_S
        with _now.lock:
            found = [s for w in self._waiting.values() for since, s in w if since < limit]
            for address, waiting in self._waiting.items():
                self._waiting[address] = [line for line in waiting if line[0] >= limit]
        self._end(found)

    def _end(self, found: list[T]) -> None:
        for session in found:
            self._close(session)


class _State:
    """Of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.keepers = 0
        self.of_parent: list[object] = []


_now = _State()
_shelves: list[Shelf[Any]] = []


@contextmanager
def kept() -> Iterator[None]:
    """Keep sessions until the block ends; blocks may stand in each other and beside each other."""
    with _now.lock:
        _now.keepers += 1
    try:
        yield
    finally:
        with _now.lock:
            _now.keepers -= 1
            last = not _now.keepers
        if last:
            _close_waiting()


def keeps() -> bool:
    """Whether anybody keeps sessions now."""
    return _now.keepers > 0


@contextmanager
def session(address: str, *, autocommit: bool) -> Iterator[Connection]:
    """A session of psycopg's: one that waits, or a new one; it is committed when the block ends.

    Args:
        address: of the hub's database.
        autocommit: each statement for itself.

    Raises:
        psycopg.Error: as it raises it.
    """
    if not keeps():
        with BoundedConnection.connect(address, autocommit=autocommit) as own:
            yield own
        return
    connection = _taken(address, autocommit=autocommit)
    try:
        yield connection
        if not connection.closed:
            connection.commit()
    except BaseException:
        with suppress(psycopg.Error):
            connection.rollback()  # waits until its locks are free, which a mere end does not
        connection.close()
        raise
    if _clean(connection):
        _psycopg.put(address, connection)
    else:
        connection.close()


def _taken(address: str, *, autocommit: bool) -> Connection:
    while (connection := _psycopg.take(address)) is not None:
        if _silent(connection):
            connection.autocommit = autocommit
            return connection
        connection.close()
    return BoundedConnection.connect(address, autocommit=autocommit, prepare_threshold=None)


def _silent(connection: Connection) -> bool:
    """Whether the server has said nothing since: its farewell, or its end, can be read."""
    if connection.closed:
        return False
    look = select.poll()
    look.register(connection.pgconn.socket, select.POLLIN | select.POLLHUP | select.POLLERR)
    return not look.poll(0)


def _clean(connection: Connection) -> bool:
    """Take from a session whatever its user has left; False: it is of no use any more."""
    try:
        if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
            return False
        connection.autocommit = True
        connection.execute("DISCARD ALL")
    except psycopg.Error:
        return False
    return True


def _close_old() -> None:
    """Of every driver: one that nobody asks for any more would keep its sessions."""
    for shelf in _shelves:
        shelf.close_old()


def _close_waiting() -> None:
    """Also before a fork: two processes that share a session would ruin it for both."""
    for shelf in _shelves:
        shelf.clear()


def _after_fork() -> None:
    """Another thread may have held the lock, or put a session back meanwhile: the parent has it."""
    _now.lock = threading.Lock()
    _now.of_parent += [shelf.forget() for shelf in _shelves]


_psycopg: Shelf[Connection] = Shelf(Connection.close)
os.register_at_fork(before=_close_waiting, after_in_child=_after_fork)
