"""PostgreSQL: read by COPY; SQLAlchemy only where rows are delivered or columns described."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.sql import postgres_types
from connectors.sql.dialects.base import Dialect, Meaning, by_words
from connectors.sql.dialects.there import TableThere
from onecard.base.timeouts import BoundedConnection, network
from onecard.base.times import POSIX_ZONE

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection as Database
    from sqlalchemy import Engine

    from connectors.sql.inbox_look import InboxTable
    from onecard.base.connections import Connection

STATES: dict[str, Meaning] = {
    "28": "login",
    "08": "down",
    "40": "down",  # serialization failure, deadlock: the same again may succeed
    "53100": "full",
    "58030": "full",  # the disk fails
    "53": "down",  # out of memory, of connections
    "57": "down",  # shut down, cancelled
    "55P03": "down",
    "42501": "right",
    "42P01": "table",
    "3D000": "table",
    "3F000": "table",
    "42703": "column",
}
"""SQLSTATE (PostgreSQL, appendix A), by its class or whole."""

WORDS: tuple[tuple[str, Meaning], ...] = (
    ("authentication", "login"),
    ("no password supplied", "login"),
    ("pg_hba.conf", "login"),
    ('fatal:  role "', "login"),
    ("does not exist", "table"),
    ("connection failed", "down"),
    ("failed to connect", "down"),
    ("failed to resolve host", "down"),
    ("the connection is lost", "down"),
    ("the connection is closed", "down"),
    ("timeout", "down"),
    ("server closed the connection", "down"),
    ("lost connection", "down"),
    ("terminating connection", "down"),
    ("could not connect", "down"),
    ("connection to server", "down"),
)
"""Libpq's, which knows no code before there is a session."""


class PostgreSQL(Dialect):
    """PostgreSQL from 14 on, and older ones without checksums of their own."""

    name = "postgresql"
    title = "PostgreSQL"
    types = postgres_types.SYSTEM
    driver = "postgresql+psycopg"
    module = "psycopg"
    tried = "PostgreSQL 15 and 18"
    copies = True
    state = "one COPY statement; the partitions of a reading share an exported snapshot"
    strict: ClassVar[tuple[str, ...]] = (
        f"SET TimeZone = '{POSIX_ZONE}'",
        "SET DateStyle = 'ISO, YMD'",
        "SET standard_conforming_strings = on",
        "SET client_encoding = 'UTF8'",
        "SET synchronous_commit = on",
        "SET row_security = off",
        "SET default_transaction_isolation = 'read committed'",
        "SET enable_seqscan = off",  # a plan made for an empty inbox is kept while it fills
    )
    read_only = ("SET TRANSACTION READ ONLY", "SET LOCAL statement_timeout = '60s'")
    at_once = True
    tells_case = True
    as_text = False

    def defaults(self, connection: Connection) -> dict[str, str]:
        """Bounds of waiting, which the connection may replace."""
        return network(connection.extra)

    def listen(self, engine: Engine) -> None:
        """Psycopg itself waits for ever on a server that is silent."""
        from sqlalchemy import event  # noqa: PLC0415 - reading PostgreSQL does without

        event.listen(engine, "do_connect", _patient)

    def waits(self, seconds: int) -> dict[str, Any]:
        """As libpq names it."""
        return {"connect_timeout": seconds}

    def brief(self, connection: Connection, seconds: int) -> Engine:
        """No statement takes longer, either."""
        from sqlalchemy import event  # noqa: PLC0415 - as above

        def bounded(session: Any, _record: object) -> None:  # noqa: ANN401 - a driver's own
            with session.cursor() as cursor:
                cursor.execute(f"SET statement_timeout = '{seconds}s'")

        found = super().brief(connection, seconds)
        event.listen(found, "connect", bounded)
        return found

    def there(self, database: Database, name: str, home: str | None) -> TableThere:
        """As the catalogue has it; a domain counts as the type that it stands on.

        Args:
            database: an open connection.
            name: of the table.
            home: its schema; None: the login's own.
        """
        table = ".".join(self.quoted(part) for part in (home, name) if part)
        rows = database.exec_driver_sql(postgres_types.statement(table)).all()
        columns = postgres_types.declared(map(tuple, rows), self.types)
        return TableThere(name, home, tuple(columns.values()), exact=True)

    def remainder(self, columns: Sequence[str], count: int) -> str | None:
        """By its hash; the collation decides nothing, but must be one: a key may have several."""
        texts = ", ".join(f"CAST({name} AS text)" for name in columns)
        return f"(hashtext(concat_ws(E'\\x1f', {texts}) COLLATE \"C\") & 2147483647) % {count}"

    def look(self, database: Database, schema: str | None, name: str) -> InboxTable | None:
        """As the catalogue has it.

        Args:
            database: a session of the inbox.
            schema: of the table; None: the login's own.
            name: of the table.
        """
        from connectors.sql import inbox_look_postgres  # noqa: PLC0415 - only for deliveries

        return inbox_look_postgres.look(database, schema, name)

    def collation(self, database: Database) -> str:  # noqa: ARG002 - of all its servers
        """Any that tells different texts apart."""
        return 'a deterministic one, e.g. "C"'

    def stored(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The same columns as they are: it has instants."""
        return batch

    def settle(self, database: Database) -> None:
        """Deferred triggers act now."""
        database.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")

    def meaning(self, error: BaseException) -> Meaning:
        """By SQLSTATE, whole or by its class."""
        state = state_of(error)
        if state:
            return STATES.get(state) or STATES.get(state[:2], "other")
        return by_words(error, WORDS)


def state_of(error: BaseException) -> str:
    """The SQLSTATE of a driver's error; empty where it has none.

    Args:
        error: of psycopg or ADBC (`sqlstate`), or of a descendant of psycopg2 (`pgcode`).
    """
    for name in ("sqlstate", "pgcode"):
        state = getattr(error, name, None)
        if isinstance(state, str) and state.strip("\0 "):
            return state
    return ""


def _patient(
    _dialect: object, _record: object, arguments: list[Any], named: dict[str, Any]
) -> BoundedConnection:
    """A session that gives up on a silent server."""
    return BoundedConnection.connect(*arguments, **named)
