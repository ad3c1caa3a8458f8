"""Sessions in which a database refuses what it cannot keep, whatever its own settings are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Engine, event

from connectors.sql import dialects
from onecard.base.connections import Connection as System
from onecard.base.shelves import Shelf

_waiting: Shelf[Engine] = Shelf(Engine.dispose)


@contextmanager
def inbox_engine(system: System) -> Iterator[Engine]:
    """The database of an inbox; every session of it is strict.

    Times without a zone are Beijing time; a commit that is confirmed outlives a crash; rows that
    row security would hide are an error (`Dialect.strict`). The engine is kept for its next use
    (`onecard.base.shelves`) unless the block fails; a file is opened each time.

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
    if dialects.of(system).kept_open:
        _waiting.put(place, engine)
    else:
        engine.dispose()


def _strict(system: System) -> Engine:
    dialect = dialects.of(system)
    engine = dialect.engine(system, pool_pre_ping=True)
    settings = ["; ".join(dialect.strict)] if dialect.at_once else dialect.strict

    def strict(session: Any, _record: object) -> None:  # noqa: ANN401 - a driver's own
        with closing(session.cursor()) as cursor:
            for statement in settings:
                cursor.execute(statement)
        session.commit()

    if dialect.strict:
        event.listen(engine, "connect", strict)
    dialect.watch(engine)
    return engine
