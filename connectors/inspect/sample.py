"""What a connection shows, and a bounded sample of one table, file or path.

Only reads, within bounds of rows, bytes and time. Values go to the caller's judges and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from connectors import offered
from connectors.sql.dialects import CONNECTION_TYPES
from onecard.base.connections import Connection
from onecard.errors import ConfigError, unknown
from onecard.model.discovered import ListedTable, SampledSource

KIND_OF_TYPE = {
    **dict.fromkeys(CONNECTION_TYPES, "sql"),
    **dict.fromkeys(("http", "https"), "rest"),
    **dict.fromkeys(("fs", "file", "sftp", "ftp", "ftps"), "files"),
}
"""Types of Airflow's connections → kind of connector."""
LISTED = {
    "files": "connectors.files.sample:listed",
    "sql": "connectors.sql.sample:listed",
}
"""Kinds whose systems can say what they hold, and by what; an API cannot."""
SAMPLED = {
    "files": "connectors.files.sample:sampled",
    "rest": "connectors.rest.sample:sampled",
    "sql": "connectors.sql.sample:sampled",
}
"""Kinds of systems of which a table, file or path can be sampled, and by what.

A web service says in its WSDL what it has; nothing lies in a spool before its contract is there.
"""


def kind_of(connection: Connection) -> str:
    """The kind of connector that reads a connection.

    Raises:
        ConfigError: it is of a type that none reads.
    """
    if connection.conn_type not in KIND_OF_TYPE:
        what = f"type of connection {connection.id!r}"
        raise ConfigError(unknown(what, connection.conn_type, KIND_OF_TYPE))
    return KIND_OF_TYPE[connection.conn_type]


def listed(connection: Connection, place: str) -> tuple[ListedTable, ...]:
    """The tables or files that a connection shows, with their numbers of rows.

    Args:
        connection: of the agency's system.
        place: schema or folder; empty: all that the login sees, or the connection's own folder.

    Raises:
        ConfigError: an API, which must be asked for a path.
        OnecardError: it cannot be reached, or refuses the login.
    """
    kind = kind_of(connection)
    if kind not in LISTED:
        msg = f"connection {connection.id!r}: an API does not say what it holds: name a path"
        raise ConfigError(msg)
    found = cast(
        "Callable[[Connection, str], tuple[ListedTable, ...]]", offered("connector", kind, LISTED)
    )
    return found(connection, place)


def sampled(connection: Connection, target: str, options: Mapping[str, Any]) -> SampledSource:
    """A table, file or path as it is, with a sample of its rows.

    Args:
        connection: of the agency's system.
        target: table (`schema.table`), file or pattern below the connection's folder, or path.
        options: of a contract's `source.options`, where the source itself cannot tell them.

    Raises:
        OnecardError: as the connector raises it (unreachable, login, missing table or path).
    """
    found = offered("connector", kind_of(connection), SAMPLED)
    return cast("Callable[[Connection, str, Mapping[str, Any]], SampledSource]", found)(
        connection, target, options
    )
