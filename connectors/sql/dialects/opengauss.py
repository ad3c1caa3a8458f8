"""OpenGauss and GaussDB (华为高斯): made from PostgreSQL 9.2, with an Oracle mode (A) of their own.

They let log in by SHA-256 and SM3 in ways that PostgreSQL's client library does not know; it takes
a login whose password is kept for MD5 (`password_encryption_type` 0 or 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sql.dialects.base import Meaning
from connectors.sql.dialects.postgres_like import PostgresLike
from connectors.sql.dialects.there import TableThere
from onecard.base.times import POSIX_ZONE

if TYPE_CHECKING:
    from sqlalchemy import Connection as Database

    from connectors.sql.inbox_look import InboxTable

_UNKNOWN_LOGIN = "sasl authentication"
"""Of libpq: a server whose ways to log in it does not know."""


class OpenGauss(PostgresLike):
    """OpenGauss from 2 on and GaussDB, read and written over psycopg."""

    name = "opengauss"
    title = "openGauss, GaussDB"
    types = "opengauss"
    driver = "opengauss+psycopg"
    tried = "PostgreSQL 15; no server of its own was at hand"
    bounds = {  # noqa: RUF012
        **PostgresLike.bounds,
        "smalldatetime": "TIMESTAMP '{moment}'",
    }
    strict = (
        f"SET TimeZone = '{POSIX_ZONE}'",
        "SET DateStyle = 'ISO, YMD'",
        "SET standard_conforming_strings = on",
        "SET client_encoding = 'UTF8'",
        "SET synchronous_commit = on",
        "SET default_transaction_isolation = 'read committed'",
        "SET enable_seqscan = off",  # as PostgreSQL's
    )

    def load(self) -> None:
        """Psycopg, and SQLAlchemy's view of such a server."""
        from sqlalchemy.dialects import registry  # noqa: PLC0415 - only where it is used

        super().load()
        registry.register(
            "opengauss.psycopg", "connectors.sql.dialects.opengauss_driver", "OpenGaussDriver"
        )

    def there(self, database: Database, name: str, home: str | None) -> TableThere:
        """As the catalogue has it, asked in words of PostgreSQL 9.2.

        Args:
            database: an open connection.
            name: of the table.
            home: its schema; None: the login's own.
        """
        from connectors.sql.dialects import opengauss_catalogue  # noqa: PLC0415 - SQLAlchemy

        return TableThere(
            name, home, opengauss_catalogue.columns(database, home, name, self.types), exact=True
        )

    def look(self, database: Database, schema: str | None, name: str) -> InboxTable | None:
        """As the catalogue has it.

        Args:
            database: a session of the inbox.
            schema: of the table; None: the login's own.
            name: of the table.
        """
        from connectors.sql.dialects import equals, opengauss_catalogue  # noqa: PLC0415 - as above

        found = opengauss_catalogue.look(database, schema, name)
        return equals.asked(database, found, "its mode for MySQL")

    def hint(self, error: BaseException) -> str:
        """What the agency can do about a way to log in that the client library does not know."""
        if _UNKNOWN_LOGIN in str(error).lower():
            return (
                ": the server asks for SHA-256 or SM3 of its own; keep the password of the hub's"
                " login for MD5 as well (password_encryption_type = 1)"
            )
        return ""

    def meaning(self, error: BaseException) -> Meaning:
        """A way to log in that the client library does not know is the login's matter."""
        if _UNKNOWN_LOGIN in str(error).lower():
            return "login"
        return super().meaning(error)
