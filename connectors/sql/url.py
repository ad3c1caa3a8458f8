"""From an Airflow connection to a database address."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlencode

from onecard.base.connections import Connection
from onecard.base.extras import extra
from onecard.base.timeouts import connect_seconds, network
from onecard.errors import ConfigError, unknown

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

Dialect = Literal["postgresql", "mysql", "sqlite"]
_DIALECTS: dict[str, Dialect] = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}


_MYSQL = {
    "charset": "utf8mb4",
    "read_timeout": "600",
    "write_timeout": "600",
}
"""Seconds between two packets (PyMySQL): a server that says nothing for so long is gone."""


def dialect(connection: Connection) -> Dialect:
    """The database's dialect.

    Raises:
        ConfigError: the connection is of another type.
    """
    if connection.conn_type not in _DIALECTS:
        what = f"database type of connection {connection.id!r}"
        raise ConfigError(unknown(what, connection.conn_type, _DIALECTS))
    return _DIALECTS[connection.conn_type]


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
        ConfigError: the driver of this kind of database is not installed.
    """
    from sqlalchemy.engine import URL  # noqa: PLC0415 - reading PostgreSQL does without

    kind = dialect(connection)
    if kind == "sqlite":
        return URL.create("sqlite", database=connection.schema_ or connection.host)
    if kind == "postgresql":
        driver, wanted = "postgresql+psycopg", network(connection.extra)
    else:
        with extra("mysql"):
            import_module("pymysql")
        driver = "mysql+pymysql"
        wanted = {"connect_timeout": str(connect_seconds(connection.extra)), **_MYSQL}
    query = {**wanted, **{key: str(value) for key, value in connection.extra.items()}}
    return URL.create(
        driver,
        username=connection.login,
        password=connection.secret,
        host=connection.host,
        port=connection.port,
        database=connection.schema_,
        query=query,
    )
