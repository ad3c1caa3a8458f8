"""SQLAlchemy's view of openGauss over psycopg.

The server says no version of PostgreSQL, and lacks what is asked about types that nobody here uses.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from connectors.sql.dialects.postgres_version import version


class OpenGaussDriver(PGDialect_psycopg):
    """As psycopg on a PostgreSQL of 9.2."""

    driver = "psycopg"
    supports_statement_cache = True

    def initialize(self, connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        """As PostgreSQL's, without psycopg's questions about hstore."""
        PGDialect.initialize(self, connection)  # type: ignore[no-untyped-call]

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:  # noqa: ANN401
        return version(connection, (9, 2, 4))
