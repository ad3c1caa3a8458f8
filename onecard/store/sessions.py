"""Sessions of the hub's database that wait for their next use, as long as somebody keeps them.

A login costs a process of the server, which reads its catalogue anew. So one that ended well is
kept (`onecard.base.shelves`) and handed to the next who asks for the same address. It has nothing
of the one before: no transaction, lock, setting, temporary table or statement (`DISCARD ALL`). One
that failed is closed, one whose server was restarted or has ended it is seen by its socket and
closed.

A statement is planned each time that it runs: a plan that is kept since its table was empty reads
all of it when it has filled. Who asks the same small questions ever again takes a session that
prepares them (`prepared`): what the server has read and planned stays for the next, all else goes.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.pq import TransactionStatus

from onecard.base import shelves
from onecard.base.timeouts import BoundedConnection

Connection = psycopg.Connection[tuple[object, ...]]

PREPARED_FROM = 5
"""A statement that has run so often in one session is prepared, psycopg's own default."""
_ALL_BUT_STATEMENTS = (
    b"CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *;"
    b" SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)
"""What `DISCARD ALL` stands for (PostgreSQL's manual, DISCARD), without statements and plans."""


@contextmanager
def session(address: str, *, autocommit: bool, prepared: bool = False) -> Iterator[Connection]:
    """A session of psycopg's: one that waits, or a new one; it is committed when the block ends.

    Args:
        address: of the hub's database.
        autocommit: each statement for itself.
        prepared: statements that come again are prepared, where sessions are kept.

    Raises:
        psycopg.Error: as it raises it.
    """
    if not shelves.keeps():
        own = BoundedConnection.connect(address, autocommit=autocommit, prepare_threshold=None)
        with own:
            yield own
        return
    shelf = _preparing if prepared else _psycopg
    connection = _taken(shelf, address, autocommit=autocommit)
    try:
        yield connection
        if not connection.closed:
            connection.commit()
    except BaseException:
        with suppress(psycopg.Error):
            connection.rollback()  # waits until its locks are free, which a mere end does not
        connection.close()
        raise
    if _clean(connection, prepared=prepared):
        shelf.put(address, connection)
    else:
        connection.close()


def _taken(shelf: shelves.Shelf[Connection], address: str, *, autocommit: bool) -> Connection:
    threshold = PREPARED_FROM if shelf is _preparing else None
    while (connection := shelf.take(address)) is not None:
        if _silent(connection):
            connection.autocommit = autocommit
            connection.prepare_threshold = threshold  # the driver's own, which DISCARD leaves
            return connection
        connection.close()
    return BoundedConnection.connect(address, autocommit=autocommit, prepare_threshold=threshold)


def _silent(connection: Connection) -> bool:
    """Whether the server has said nothing since: its farewell, or its end, can be read."""
    if connection.closed:
        return False
    look = select.poll()
    look.register(connection.pgconn.socket, select.POLLIN | select.POLLHUP | select.POLLERR)
    return not look.poll(0)


def _clean(connection: Connection, *, prepared: bool) -> bool:
    """Take from a session whatever its user has left; False: it is of no use any more."""
    try:
        if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
            return False
        connection.autocommit = True
        if prepared:  # many in one, which is never prepared
            connection.execute(_ALL_BUT_STATEMENTS, prepare=False)
        else:
            connection.execute("DISCARD ALL")
    except psycopg.Error:
        return False
    return True


_psycopg: shelves.Shelf[Connection] = shelves.Shelf(Connection.close)
_preparing: shelves.Shelf[Connection] = shelves.Shelf(Connection.close)
