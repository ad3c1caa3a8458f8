"""Arrow connections (ADBC) to the hub's own database.

The driver reads the server's catalogue of types whenever a database handle is made, 40 ms and as
much work again for the server. A process that runs many small transfers (the event lane) makes few
handles and opens its connections from them. Only for the hub's own database: its columns have
built-in types, which never change; an agency's may have types that come and go.

A handle has one connection at a time: the driver counts a handle's connections without a lock, and
where two threads open and close theirs at once the count goes wrong and `close` fails
(apache/arrow-adbc, issue 4753). So there are as many handles as there were connections at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onecard.base import shelves, timeouts
from onecard.store.refusals import refusals

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from adbc_driver_manager.dbapi import Connection, _SharedDatabase
    from psycopg import sql


@dataclass(frozen=True)
class _Opened:
    """A connection, and the handle that is its own as long as it is open."""

    address: str
    handle: _SharedDatabase
    connection: Connection

    def close(self) -> None:
        self.connection.close()
        _free[self.address].append(self.handle)


_free: defaultdict[str, list[_SharedDatabase]] = defaultdict(list)
"""Handles without a connection, by address."""
_waiting: shelves.Shelf[_Opened] = shelves.Shelf(lambda made: made.close())


@contextmanager
def connect(address: str) -> Iterator[Connection]:
    """A connection, for a thread of its own: the driver waits for a silent server for ever.

    The caller waits for that thread no longer than `onecard.base.timeouts` says; nobody else may
    close what the driver hangs in. In the main thread it would take a Ctrl-C for itself, too.

    Raises:
        OnecardError: as `onecard.store.database.connect`, for whatever fails inside the block.
    """
    with refused():
        made = _taken(address)
        try:
            yield made.connection
        except BaseException:
            made.close()
            raise
        if shelves.keeps() and _clean(made.connection):
            _waiting.put(address, made)
        else:
            made.close()


@contextmanager
def refused() -> Iterator[None]:
    """Raise what the driver raises as ours."""
    import adbc_driver_manager as driver  # noqa: PLC0415 - only where rows flow

    with refusals(driver.Error, OSError):
        yield


def integers(address: str, statement: sql.Composed) -> npt.NDArray[np.int64]:
    """One column of integers, 8 bytes a row; raises like `connect`.

    Args:
        address: of the hub's database.
        statement: gives them, none of them NULL.
    """
    limit = 2 * timeouts.seconds()
    return timeouts.within(lambda: _integers(address, statement), limit, "the hub's database")


def _integers(address: str, statement: sql.Composed) -> npt.NDArray[np.int64]:
    import numpy as np  # noqa: PLC0415 - only where rows flow

    with connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(statement.as_string(None))
        batches = [batch.column(0).to_numpy() for batch in cursor.fetch_record_batch()]
    return np.concatenate(batches) if batches else np.empty(0, np.int64)


def _taken(address: str) -> _Opened:
    """One that waits and whose server answers, or a new one."""
    while (made := _waiting.take(address)) is not None:
        if _usable(made.connection):
            return made
        made.close()
    return _opened(address)


def _usable(made: Connection) -> bool:
    """Whether the server of a connection is still there, and a transaction can begin.

    The driver tells nobody by itself that a server has gone.
    """
    import adbc_driver_manager as driver  # noqa: PLC0415 - loaded already

    try:
        with made.cursor() as cursor:
            cursor.execute("SELECT 1")
        made.adbc_connection.set_autocommit(False)
    except driver.Error:
        return False
    return True


def _clean(made: Connection) -> bool:
    """Take from a connection whatever its user has left; False: it is of no use any more."""
    import adbc_driver_manager as driver  # noqa: PLC0415 - loaded already

    try:
        made.rollback()
        made.adbc_connection.set_autocommit(True)
        with made.cursor() as cursor:
            cursor.execute("DISCARD ALL")
    except driver.Error:
        return False
    return True


def _opened(address: str) -> _Opened:
    from adbc_driver_manager import AdbcConnection, dbapi  # noqa: PLC0415 - only where rows flow

    handle = _handle(address)
    try:
        session = AdbcConnection(handle._db)  # noqa: SLF001 - see below
        try:
            # `Connection` takes a shared handle and leaves it open when it closes; the driver's own
            # `adbc_clone` does the same, but needs a connection that stays open, which a fork would
            # share.
            return _Opened(address, handle, dbapi.Connection(handle, session))
        except BaseException:
            session.close()
            raise
    except BaseException:
        _free[address].append(handle)
        raise


def _handle(address: str) -> _SharedDatabase:
    """One without a connection, or a new one; no other thread has it."""
    import adbc_driver_postgresql as driver  # noqa: PLC0415 - only where rows flow
    from adbc_driver_manager import dbapi  # noqa: PLC0415

    try:
        return _free[address].pop()
    except IndexError:
        return dbapi._SharedDatabase(driver.connect(address))  # noqa: SLF001 - see `_opened`
