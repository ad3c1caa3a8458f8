"""Whether a web service answers and takes its login."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.soap.describe import first_rows
from connectors.soap.options import SoapSource
from onecard.base.connections import Connection
from onecard.errors import ConfigError

SECONDS = 5
"""How long a service may take to answer."""


def probe(connection: Connection, source: Mapping[str, Any] | None) -> str:
    """Ask for the first page of a dataset; returns what was tried, in words.

    Raises:
        OnecardError: it cannot be reached, or refuses the login.
    """
    if source is None:
        msg = f"connection {connection.id!r}: nothing is delivered by web services"
        raise ConfigError(msg)
    options = SoapSource.model_validate(dict(source)).model_copy(
        update={"attempts": 3, "timeout_s": float(SECONDS), "max_wait_s": 2.0}
    )
    first_rows(connection.id, connection, options)
    return "reached, login is good"
