"""Whether an API answers and takes its login; where the hub only delivers, whether it listens."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from connectors.rest.describe import first_page
from connectors.rest.options import RestSource
from onecard.base import unreachable
from onecard.base.connections import Connection
from onecard.errors import ConfigError, SourceUnavailable

SECONDS = 5
"""How long a system may take to answer."""


def probe(connection: Connection, source: Mapping[str, Any] | None) -> str:
    """Read the first page of a dataset, or connect to an inbox; returns what was tried, in words.

    Raises:
        OnecardError: it cannot be reached, or refuses the login.
    """
    if source is None:
        return _port(connection)
    options = RestSource.model_validate(dict(source)).model_copy(
        update={"attempts": 3, "timeout_s": float(SECONDS), "max_wait_s": 2.0}
    )
    first_page(connection.id, connection, options)
    return "reached, login is good"


def _port(connection: Connection) -> str:
    if not connection.host:
        msg = f"connection {connection.id!r} names no host"
        raise ConfigError(msg)
    port = connection.port or (443 if "https" in (connection.conn_type, connection.schema_) else 80)
    try:
        with socket.create_connection((connection.host, port), timeout=SECONDS):
            return "reached; the login is tried by a delivery only"
    except OSError as error:
        why = unreachable.said(error)
        msg = f"{connection.address}: cannot be reached{why} ({type(error).__name__})"
        raise SourceUnavailable(msg) from None
