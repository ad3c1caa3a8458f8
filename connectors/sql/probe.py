"""Whether a database answers and takes its login."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import create_engine, event, text

from connectors.sql.errors import translated
from connectors.sql.url import dialect, engine_url
from onecard.base.connections import Connection

SECONDS = 5
"""How long a system may take to answer."""


def probe(connection: Connection, _source: Mapping[str, Any] | None) -> str:
    """Log in and run a first statement; returns what was tried, in words.

    Raises:
        OnecardError: it cannot be reached, or refuses the login.
    """
    timeouts: dict[str, dict[str, Any]] = {
        "postgresql": {"connect_timeout": SECONDS},
        "mysql": {"connect_timeout": SECONDS, "read_timeout": SECONDS},
        "sqlite": {"timeout": SECONDS},
    }
    kind = dialect(connection)
    url = engine_url(connection)
    if kind == "sqlite":
        url = url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"})
    engine = create_engine(url, connect_args=timeouts[kind])
    if kind == "postgresql":
        event.listen(engine, "connect", _no_long_statement)
    try:
        with translated("a first statement", connection), engine.connect() as database:
            database.execute(text("SELECT 1"))
    finally:
        engine.dispose()
    return "reached, login is good"


def _no_long_statement(database: Any, _record: object) -> None:  # noqa: ANN401 - a driver's own
    with database.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{SECONDS}s'")
