"""Whether a database answers and takes its login."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from connectors.sql import dialects
from connectors.sql.errors import translated
from onecard.base.connections import Connection

SECONDS = 5
"""How long a system may take to answer."""


def probe(connection: Connection, _source: Mapping[str, Any] | None) -> str:
    """Log in and run a first statement; returns what was tried, in words.

    Raises:
        OnecardError: it cannot be reached, or refuses the login.
    """
    engine = dialects.of(connection).brief(connection, SECONDS)
    try:
        with translated("a first statement", connection), engine.connect() as database:
            database.execute(select(1))
    finally:
        engine.dispose()
    return "reached, login is good"
