"""Sessions in which a database refuses what it cannot keep, whatever its own settings are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event

from connectors.sql.url import engine_url
from onecard.base.connections import Connection as System
from onecard.base.shelves import Shelf
from onecard.base.timeouts import BoundedConnection
from onecard.base.times import OFFSET, POSIX_ZONE
from onecard.errors import ProtocolError

SQL_MODE = (
    "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO"
)
"""Nothing is cut, capped or replaced; another engine than the named one is an error; 0 stays 0."""
_waiting: Shelf[Engine] = Shelf(Engine.dispose)
_SETTINGS = {
    "postgresql": (
        f"SET TimeZone = '{POSIX_ZONE}'",
        "SET DateStyle = 'ISO, YMD'",
        "SET standard_conforming_strings = on",
        "SET client_encoding = 'UTF8'",
        "SET synchronous_commit = on",
        "SET row_security = off",
        "SET default_transaction_isolation = 'read committed'",
    ),
    "mysql": (
        f"SET SESSION sql_mode = '{SQL_MODE}'",
        f"SET SESSION time_zone = '{OFFSET}', unique_checks = 1, foreign_key_checks = 1",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    ),
    "sqlite": (),
}
"""Times without a zone are Beijing time; a commit that is confirmed outlives a crash; rows that row
security would hide are an error."""


@contextmanager
def inbox_engine(system: System) -> Iterator[Engine]:
    """The database of an inbox; every session of it is strict.

    It is kept for its next use (`onecard.base.shelves`) unless the block fails; a file is opened
    each time.

    Args:
        system: connection of the inbox.
    """
    place = system.fingerprint
    engine = _waiting.take(place) or _strict(system)
    try:
        yield engine
    except BaseException:
        engine.dispose()
        raise
    if engine.dialect.name == "sqlite":
        engine.dispose()
    else:
        _waiting.put(place, engine)


def _strict(system: System) -> Engine:
    engine = create_engine(engine_url(system), pool_pre_ping=True)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "do_connect", _patient)
    settings = _SETTINGS[engine.dialect.name]
    at_once = engine.dialect.name == "postgresql"  # one way to the server and back

    def strict(session: Any, _record: object) -> None:  # noqa: ANN401 - a driver's own
        with session.cursor() as cursor:
            for statement in ["; ".join(settings)] if at_once else settings:
                cursor.execute(statement)
        session.commit()

    if settings:
        event.listen(engine, "connect", strict)
    if engine.dialect.name == "mysql":
        event.listen(engine, "after_cursor_execute", _unwarned)
    return engine


def _unwarned(
    _connection: object,
    cursor: Any,  # noqa: ANN401 - a driver's own
    statement: str,
    _parameters: object,
    _context: object,
    _many: object,
) -> None:
    """What is stored with a warning is not stored as it was sent.

    Raises:
        ProtocolError: MariaDB or MySQL has warned, if only by a note (a rounded decimal).
    """
    if statement.startswith("INSERT") and cursor.warning_count:
        msg = (
            f"the inbox's database warned {cursor.warning_count} time(s) of what it stored"
            " (cut or rounded values); nothing was kept"
        )
        raise ProtocolError(msg)


def _patient(
    _dialect: object, _record: object, arguments: list[Any], named: dict[str, Any]
) -> BoundedConnection:
    """SQLAlchemy's sessions give up on a silent server, too; MariaDB's driver does by itself."""
    return BoundedConnection.connect(*arguments, **named)
