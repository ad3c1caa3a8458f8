"""From an Airflow connection to a database address."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from connectors.sql import dialects
from onecard.base.connections import Connection
from onecard.base.timeouts import network

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def address(connection: Connection) -> str:
    """A libpq URL of a PostgreSQL connection; `extra` becomes libpq parameters."""
    login, secret = connection.login, connection.secret
    who = quote(login, safe="") if login else ""
    if secret is not None:
        who += ":" + quote(secret, safe="")
    host = connection.host or ""
    place = f"[{host}]" if ":" in host else quote(host, safe=",")
    port = f":{connection.port}" if connection.port else ""
    name = quote(connection.schema_ or "", safe="")
    more = {**network(connection.extra), **connection.extra}
    parameters = urlencode({k: str(v) for k, v in more.items()}, quote_via=quote)
    return f"postgresql://{who}{'@' if who else ''}{place}{port}/{name}?{parameters}"


def engine_url(connection: Connection) -> URL:
    """An SQLAlchemy URL.

    Raises:
        ConfigError: the connection is of another type, or the driver is not installed.
    """
    return dialects.of(connection).url(connection)
