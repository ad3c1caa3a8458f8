"""From an Airflow connection to a database address."""

from __future__ import annotations

from importlib import import_module
from typing import Literal

from sqlalchemy.engine import URL

from onecard.base.connections import Connection
from onecard.base.extras import extra
from onecard.base.timeouts import connect_seconds, network
from onecard.errors import ConfigError, unknown

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
    url = url_of(connection, "postgresql")
    return url.render_as_string(hide_password=False)


def engine_url(connection: Connection) -> URL:
    """An SQLAlchemy URL.

    Raises:
        ConfigError: the driver of this kind of database is not installed.
    """
    kind = dialect(connection)
    if kind == "sqlite":
        return URL.create("sqlite", database=connection.schema_ or connection.host)
    if kind == "postgresql":
        return url_of(connection, "postgresql+psycopg")
    with extra("mysql"):
        import_module("pymysql")
    return url_of(connection, "mysql+pymysql")


def url_of(connection: Connection, driver: str) -> URL:
    """The connection's parts under a driver name."""
    extra = connection.extra
    mysql = {"connect_timeout": str(connect_seconds(extra)), **_MYSQL}
    wanted = mysql if driver.startswith("mysql") else network(extra)
    query = {**wanted, **{key: str(value) for key, value in extra.items()}}
    return URL.create(
        driver,
        username=connection.login,
        password=connection.secret,
        host=connection.host,
        port=connection.port,
        database=connection.schema_,
        query=query,
    )
