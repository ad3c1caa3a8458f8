"""Whether a system answers and takes its login, with short timeouts; reads no row of a table."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from connectors.files.folders import opened
from connectors.inspect import describe
from connectors.rest.options import RestSource
from connectors.sql.errors import translated
from connectors.sql.url import dialect, engine_url
from onecard.base.connections import Connection
from onecard.errors import ConfigError, SourceUnavailable

SECONDS = 5
"""How long a system may take to answer."""


def probe(connection: Connection, kind: str, source: Mapping[str, Any] | None) -> str:
    """Connect and log in; returns what was tried, in words.

    Args:
        connection: of the system.
        kind: registered connector kind.
        source: options of a dataset that is read there; None: the hub only delivers there.

    Raises:
        OnecardError: it cannot be reached, or refuses the login.
    """
    if kind == "sql":
        return _sql(connection)
    if kind == "files":
        with opened(connection) as folder:
            folder.entries(str(source["directory"]) if source else ".")
        return "reached, login and folder are good"
    if source is None:
        return _port(connection)
    options = RestSource.model_validate(dict(source)).model_copy(
        update={"attempts": 3, "timeout_s": float(SECONDS), "max_wait_s": 2.0}
    )
    describe.first_page(connection.id, connection, options)
    return "reached, login is good"


def _sql(connection: Connection) -> str:
    from sqlalchemy import create_engine, event, text  # noqa: PLC0415 - heavy

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


def _port(connection: Connection) -> str:
    if not connection.host:
        msg = f"connection {connection.id!r} names no host"
        raise ConfigError(msg)
    port = connection.port or (443 if "https" in (connection.conn_type, connection.schema_) else 80)
    try:
        with socket.create_connection((connection.host, port), timeout=SECONDS):
            return "reached; the login is tried by a delivery only"
    except OSError as error:
        msg = f"{connection.address}: cannot be reached ({type(error).__name__})"
        raise SourceUnavailable(msg) from None
