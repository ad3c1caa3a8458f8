"""KingbaseES (人大金仓): PostgreSQL's protocol, with logins and types of its own.

Its servers let log in by SM3 and SHA-256 in ways that only their own driver knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.sql.dialects.base import Dialect
from connectors.sql.dialects.postgres_like import PostgresLike

if TYPE_CHECKING:
    from sqlalchemy import Connection as Database
    from sqlalchemy import Engine

    from connectors.sql.inbox_look import InboxTable


class Kingbase(PostgresLike):
    """KingbaseES from V8R6 on, in its modes for PostgreSQL and Oracle."""

    name = "kingbase"
    title = "KingbaseES"
    types = "kingbase"
    driver = "kingbase+ksycopg2"
    module = "ksycopg2"
    extra = "kingbase"
    tried = "its driver on PostgreSQL 15; no server of its own was at hand"
    at_once = False

    def load(self) -> None:
        """Its driver, and SQLAlchemy's view of it."""
        from sqlalchemy.dialects import registry  # noqa: PLC0415 - only where it is used

        super().load()
        registry.register(
            "kingbase.ksycopg2", "connectors.sql.dialects.kingbase_driver", "KingbaseDriver"
        )

    def look(self, database: Database, schema: str | None, name: str) -> InboxTable | None:
        """As PostgreSQL's; a server that was set up to take `a` for `A` does so in every column.

        Args:
            database: a session of the inbox.
            schema: of the table; None: the login's own.
            name: of the table.
        """
        from connectors.sql.dialects import equals  # noqa: PLC0415 - only for deliveries

        return equals.asked(database, super().look(database, schema, name), "enable_ci")

    def listen(self, engine: Engine) -> None:
        """Its driver knows TCP's bounds only, which the address has."""
        Dialect.listen(self, engine)
