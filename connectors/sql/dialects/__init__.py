"""The databases that the `sql` connector speaks to: one small file each, imported when asked for.

In: the type of a connection. Out: a `Dialect`, which knows everything in which its database is not
like the others. No other file of `connectors.sql` asks for a database by its name.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from onecard.errors import ConfigError, unknown

if TYPE_CHECKING:
    from connectors.sql.dialects.base import Dialect
    from onecard.base.connections import Connection

DIALECTS = {
    "postgresql": "PostgreSQL",
    "kingbase": "Kingbase",
    "opengauss": "OpenGauss",
    "mysql": "MySQL",
    "oceanbase": "OceanBase",
    "tidb": "TiDB",
    "sqlite": "SQLite",
    "oracle": "Oracle",
    "dm": "DM",
    "mssql": "SQLServer",
}
"""Every dialect: its module in this folder, and the class there."""

CONNECTION_TYPES = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "kingbase": "kingbase",
    "kingbasees": "kingbase",
    "opengauss": "opengauss",
    "gaussdb": "opengauss",
    "mysql": "mysql",
    "mariadb": "mysql",
    "oceanbase": "oceanbase",
    "tidb": "tidb",
    "sqlite": "sqlite",
    "oracle": "oracle",
    "dm": "dm",
    "mssql": "mssql",
}
"""Types of Airflow's connections → dialect."""


def of(connection: Connection) -> Dialect:
    """The dialect of a connection's database.

    Raises:
        ConfigError: the connection is of another type.
    """
    if connection.conn_type not in CONNECTION_TYPES:
        what = f"database type of connection {connection.id!r}"
        raise ConfigError(unknown(what, connection.conn_type, CONNECTION_TYPES))
    return called(CONNECTION_TYPES[connection.conn_type])


@cache
def called(name: str) -> Dialect:
    """The dialect of that name, one of `DIALECTS`.

    Args:
        name: of its module.
    """
    module = import_module(f"{__name__}.{name}")
    return cast("Dialect", getattr(module, DIALECTS[name])())
