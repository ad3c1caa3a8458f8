"""What descends from PostgreSQL, read by plain questions.

Times come in writing, for drivers of that kind take `infinity` for 9999-12-31 and fail on a year
before the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from connectors.sql.dialects.base import Keys
from connectors.sql.dialects.postgresql import PostgreSQL

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


class PostgresLike(PostgreSQL):
    """A descendant of PostgreSQL."""

    copies = False
    state = "one transaction at REPEATABLE READ"
    session = (
        "SET DateStyle = 'ISO, YMD'",
        "SET TimeZone = 'UTC'",
        "SET client_encoding = 'UTF8'",
    )
    snapshot = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",)
    expressions = {  # noqa: RUF012 - never changed, as everywhere in these files
        "text": "CAST({c} AS text)",
        "iso": "CAST({c} AS text)",
        "iso_utc": "CAST({c} AS text)",
    }
    bounds = {  # noqa: RUF012
        "date": "DATE '{day}'",
        "timestamp without time zone": "TIMESTAMP '{moment}'",
        "timestamp with time zone": "TIMESTAMPTZ '{moment}+00'",
    }
    ancient = True
    blank = "asked"

    def remainder(self, columns: Sequence[str], count: int) -> str | None:
        """As PostgreSQL's; a key without values is '', which is NULL in the modes for Oracle."""
        return f"coalesce({super().remainder(columns, count)}, 0)"

    def exact(self, columns: Sequence[ColumnElement[Any]], keys: Keys) -> ColumnElement[bool]:
        """With something behind each text: a cast to bytes would read backslashes."""
        from connectors.sql.dialects import equals  # noqa: PLC0415 - only for deliveries

        return self.matches(*equals.ended(columns, keys))
