"""What PostgreSQL writes into its own log: with a refused row it quotes the row's key, unless told.

`log_error_verbosity = terse` leaves out the lines DETAIL and CONTEXT, in which it does. Only a
superuser may set it, for a whole database.
"""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store.database import Connection, one_scalar

_TERSE: LiteralString = "SELECT current_setting('log_error_verbosity') = 'terse'"
_ALLOWED: LiteralString = "SELECT current_setting('is_superuser') = 'on'"
_NAME: LiteralString = "SELECT CAST(current_database() AS text)"


def quotes_rows(connection: Connection) -> bool:
    """Whether the server's log may quote a row that this session's statements bring."""
    return not one_scalar(connection, bool, _TERSE)


def remedy(connection: Connection) -> str:
    """The statement by which a superuser ends it, for sessions that begin afterwards."""
    return _statement(connection).as_string(connection)


def leave_out_rows(connection: Connection) -> None:
    """Have the log leave rows out from the next session on, where this one may say so."""
    if quotes_rows(connection) and one_scalar(connection, bool, _ALLOWED):
        connection.execute(_statement(connection))


def _statement(connection: Connection) -> sql.Composed:
    name = sql.Identifier(one_scalar(connection, str, _NAME))
    return query("ALTER DATABASE {n} SET log_error_verbosity = terse", n=name)
