"""The hub's PostgreSQL: the one that ONECARD_DATABASE_URL names, or an embedded server.

Statements are literals of ours (`Statement`), which basedpyright holds in `make lint`: a text that
was put together at run time is none, and parts that are known only then are quoted by `query`.
Rows are read into the classes that stand for them (`fetch_all`, `fetch_one`, `scalars`, `scalar`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, LiteralString, TypeAlias, TypeVar
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.rows import kwargs_row, scalar_row

from onecard.base import uris
from onecard.base.settings import Settings
from onecard.base.sql_text import query
from onecard.base.timeouts import bounded
from onecard.errors import ConfigError, InternalError
from onecard.store import embedded, locks, sessions
from onecard.store.refusals import refusals

Connection = psycopg.Connection[tuple[object, ...]]
Statement: TypeAlias = LiteralString | sql.SQL | sql.Composed
Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any] | None
T = TypeVar("T")


def url(settings: Settings) -> str:
    """Libpq URL of the hub's database, starting the embedded server when none is configured."""
    if settings.database_url:
        return bounded(plain_url(settings.database_url))
    return bounded(embedded.start(settings.home))


def plain_url(text: str) -> str:
    """A libpq URL from an SQLAlchemy one (`postgresql+psycopg://…`).

    Raises:
        ConfigError: not a PostgreSQL URL, or one that can be read in two ways.
    """
    if not text.startswith(("postgresql://", "postgresql+psycopg://", "postgres://")):
        msg = "ONECARD_DATABASE_URL: the hub's store is PostgreSQL; write postgresql://…"
        raise ConfigError(msg)
    uris.check(text, uris.HUB)
    return "postgresql://" + text.split("://", 1)[1]


def sqlalchemy_url(text: str) -> str:
    """The same address for SQLAlchemy with the psycopg driver."""
    return "postgresql+psycopg://" + text.split("://", 1)[1]


def create_database(address: str, name: str) -> str:
    """Make a database beside the one at `address`, if it is not there; returns its address."""
    with connect(address, autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if known is None:
            connection.execute(query("CREATE DATABASE {n}", n=sql.Identifier(name)))
    place, mark, options = address.partition("?")
    scheme, _, rest = place.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{quote(name)}{mark}{options}"


def drop_database(address: str, name: str) -> None:
    """Drop a database beside the one at `address`, ending whoever is connected to it."""
    with connect(address, autocommit=True) as connection:
        statement = query("DROP DATABASE IF EXISTS {n} WITH (FORCE)", n=sql.Identifier(name))
        connection.execute(statement)


@contextmanager
def connect(
    address: str, *, autocommit: bool = False, prepared: bool = False
) -> Iterator[Connection]:
    """A session; database errors leave without the row values that PostgreSQL quotes.

    It is opened, or one that waits for its next use (`onecard.store.sessions`).

    Args:
        address: of the hub's database.
        autocommit: each statement for itself.
        prepared: for who asks the same questions ever again.

    Raises:
        SourceUnavailable: the server cannot be reached, went away or says nothing.
        StorageError: it has no room left.
        FatalError: any other database error, as SQLSTATE and class only.
    """
    found = sessions.session(address, autocommit=autocommit, prepared=prepared)
    with refusals(), found as connection:
        yield connection


def hurry(connection: Connection) -> None:
    """Let this session wait for no lock and for no long statement: its process ends."""
    connection.execute("SET lock_timeout = '200ms'")
    connection.execute("SET statement_timeout = '400ms'")


def fetch_all(
    connection: Connection,
    made: Callable[..., T],
    statement: Statement,
    parameters: Parameters = None,
) -> list[T]:
    """All rows of a SELECT, each as one object.

    Args:
        connection: of the hub's database.
        made: the rows' class, or a function that makes one; takes the columns by their names.
        statement: with placeholders.
        parameters: for the placeholders.
    """
    with connection.cursor(row_factory=kwargs_row(made)) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def fetch_one(
    connection: Connection,
    made: Callable[..., T],
    statement: Statement,
    parameters: Parameters = None,
) -> T | None:
    """The first row of a SELECT, or None.

    Args:
        connection: of the hub's database.
        made: as for `fetch_all`.
        statement: with placeholders.
        parameters: for the placeholders.
    """
    with connection.cursor(row_factory=kwargs_row(made)) as cursor:
        return cursor.execute(statement, parameters).fetchone()


def scalars(
    connection: Connection, kind: type[T], statement: Statement, parameters: Parameters = None
) -> list[T]:
    """The first column of all rows.

    Args:
        connection: of the hub's database.
        kind: type of the column, which holds no NULL.
        statement: with placeholders.
        parameters: for the placeholders.

    Raises:
        InternalError: a value is of another type.
    """
    with connection.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(statement, parameters).fetchall()
    return [_of(kind, value) for value in found]


def scalar(
    connection: Connection, kind: type[T], statement: Statement, parameters: Parameters = None
) -> T | None:
    """The first column of the first row; None where there is no row, or NULL.

    Args:
        connection: of the hub's database.
        kind: type of the column.
        statement: with placeholders.
        parameters: for the placeholders.

    Raises:
        InternalError: the value is of another type.
    """
    with connection.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(statement, parameters).fetchone()
    return None if found is None else _of(kind, found)


def one_scalar(
    connection: Connection, kind: type[T], statement: Statement, parameters: Parameters = None
) -> T:
    """As `scalar`, of a statement that always gives a value (a count, an id that was made).

    Args:
        connection: of the hub's database.
        kind: type of the column.
        statement: with placeholders.
        parameters: for the placeholders.

    Raises:
        InternalError: there is none, or it is of another type.
    """
    found = scalar(connection, kind, statement, parameters)
    if found is None:
        msg = "the hub's database gave no row where one was to come"
        raise InternalError(msg)
    return found


def _of(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        msg = f"the hub's database gave {type(value).__name__} for {kind.__name__}"
        raise InternalError(msg)
    return value


def columns(lines: Sequence[Sequence[object]]) -> list[list[object]]:
    """Lines column by column, for `unnest`: one statement writes them all.

    Args:
        lines: at least one, all of one length.
    """
    return [list(column) for column in zip(*lines, strict=True)]


def as_records(names: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Lines as one text, for `json_to_recordset(%s::json) AS r(name type, …)`.

    As `columns`, for statements that run for each call: the driver writes arrays value by value.

    Args:
        names: of the lines' values.
        lines: of texts without NUL, numbers, bytes (for `bytea`), aware times (for `timestamptz`).
    """
    return json.dumps([dict(zip(names, line, strict=True)) for line in lines], default=_spelt)


def _spelt(value: object) -> str:
    """A value that JSON has no form of, as PostgreSQL reads it."""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    msg = f"no line of a table holds {type(value).__name__}"
    raise InternalError(msg)


def make_once(connection: Connection, name: str, statement: sql.Composed) -> None:
    """Run a CREATE of a relation that another process may be making at this moment.

    `IF NOT EXISTS` looks before it locks, so two at once fail; here they take turns.

    Args:
        connection: in a transaction or not; the turn ends with the transaction.
        name: `schema.relation`; nothing is done when it is there.
        statement: with IF NOT EXISTS.
    """
    if relation_exists(connection, name):
        return
    with connection.transaction():
        locks.hold_in_transaction(connection, locks.Kind.MAKING)
        connection.execute(statement)


def missing(connection: Connection, names: Iterable[str]) -> list[str]:
    """Those of some tables and indexes `schema.relation` that are not there."""
    statement = "SELECT n FROM unnest(%s::text[]) AS n WHERE to_regclass(n) IS NULL"
    return scalars(connection, str, statement, (list(names),))


def relation_exists(connection: Connection, name: str) -> bool:
    """Whether there is a table or an index `schema.relation`."""
    return one_scalar(connection, bool, "SELECT to_regclass(%s) IS NOT NULL", (name,))
