"""Microsoft SQL Server over pymssql (FreeTDS).

The server itself makes texts of what drivers change: times, text of a code page, money. A DATETIME
counts in 1/300 of a second, and is what it prints: .120, .123, .127.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import DATE, Double, LargeBinary, Unicode, and_, cast, or_
from sqlalchemy.dialects import mssql
from sqlalchemy.types import TypeEngine

from connectors.sql.dialects import column_types, mssql_catalogue
from connectors.sql.dialects.base import SILENT_S, Dialect, Keys, Meaning, by_words, own, patience
from connectors.sql.dialects.there import TableThere
from onecard.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy import Connection as Database

    from connectors.sql.inbox_look import InboxTable
    from onecard.base.connections import Connection

COLLATION = "Latin1_General_100_BIN2"
"""Tells every text from every other, but for blanks at the end, which SQL Server never counts."""
_CODES: dict[int, Meaning] = {
    **dict.fromkeys((18450, 18452, 18456, 18470, 18486, 18487, 18488), "login"),
    **dict.fromkeys((229, 230, 262, 297, 300, 916), "right"),
    **dict.fromkeys((208, 911, 4060), "table"),
    207: "column",
    **dict.fromkeys((1101, 1105, 823, 824, 9002), "full"),
    **dict.fromkeys((1204, 1205, 1222, 3960, 3961, 3966, 6005, 17142), "down"),
    **dict.fromkeys((20002, 20003, 20004, 20006, 20009, 20017, 20047), "down"),
}
"""Numbers of the server; 20000 and above are FreeTDS's."""
_WORDS: tuple[tuple[str, Meaning], ...] = (
    ("login failed", "login"),
    ("adaptive server", "down"),
    ("dbprocess is dead", "down"),
    ("not connected", "down"),
    ("timed out", "down"),
    ("timeout", "down"),
)


class SQLServer(Dialect):
    """SQL Server from 2016 on."""

    name = "mssql"
    title = "SQL Server"
    types = "mssql"
    driver = "mssql+pymssql"
    module = "pymssql"
    extra = "mssql"
    state = "SET TRANSACTION ISOLATION LEVEL SNAPSHOT, which its administrator must have allowed"
    snapshot = ("SET TRANSACTION ISOLATION LEVEL SNAPSHOT",)
    of_type = {  # noqa: RUF012
        "money": "CAST({c} AS decimal(19, 4))",
        "smallmoney": "CAST({c} AS decimal(19, 4))",
        "date": "CONVERT(nvarchar(10), {c}, 23)",
        "time": "CONVERT(nvarchar(16), {c}, 121)",
        "uniqueidentifier": "CONVERT(nvarchar(36), {c})",
    }
    expressions = {  # noqa: RUF012
        "text": "CAST({c} AS nvarchar(max))",
        "unpadded": "RTRIM(CAST({c} AS nvarchar(max)))",
        "whole": "CAST({c} AS smallint)",
        "iso": "CONVERT(nvarchar(33), {c}, 121)",
        "iso_utc": (
            "CONVERT(nvarchar(33), CAST(SWITCHOFFSET({c}, '+00:00') AS datetime2(7)), 121)"
        ),
    }
    bounds = {  # noqa: RUF012
        "date": "CAST('{day}' AS date)",
        "smalldatetime": "CAST(CAST('{day}' AS date) AS smalldatetime)",
        "datetime": "CAST(CAST('{moment}' AS datetime2(3)) AS datetime)",
        "datetime2": "CAST('{moment}' AS datetime2(6))",
        "datetimeoffset": "CAST('{moment} +00:00' AS datetimeoffset(6))",
    }
    strict = (
        "SET ANSI_WARNINGS ON",
        "SET ARITHABORT ON",
        "SET ANSI_PADDING ON",
        "SET XACT_ABORT ON",
        "SET IMPLICIT_TRANSACTIONS OFF",
    )
    counts = False
    at_most = 2_000
    makes_schemas = False

    def query(self, connection: Connection) -> dict[str, str]:  # noqa: ARG002 - see `arguments`
        """Every character, both ways."""
        return {"charset": "UTF-8"}

    def arguments(self, connection: Connection) -> dict[str, Any]:
        """Bounds of waiting; a protocol that knows all types; what else the connection says."""
        found = {
            "login_timeout": patience(connection),
            "timeout": SILENT_S,
            "tds_version": "7.4",
        }
        more = own(connection, "connect_timeout")
        if isinstance(more.get("tds_version"), int | float):
            more["tds_version"] = str(more["tds_version"])
        return found | more

    def waits(self, seconds: int) -> dict[str, Any]:
        """As pymssql names it."""
        return {"login_timeout": seconds, "timeout": seconds}

    def begin(self, database: Database) -> None:
        """Without row versions a long reading would mix states, or stop those who write.

        The driver has begun a transaction already, which stays as it began: the next one is so.

        Raises:
            ConfigError: snapshot isolation is not allowed in this database.
        """
        if not mssql_catalogue.keeps_versions(database):
            msg = (
                "this database allows no snapshot isolation, without which a table cannot be read"
                " in one state; its administrator says once: ALTER DATABASE … SET"
                " ALLOW_SNAPSHOT_ISOLATION ON"
            )
            raise ConfigError(msg)
        for statement in self.snapshot:
            database.exec_driver_sql(statement)
        database.rollback()

    def quoted(self, name: str) -> str:
        """An identifier between brackets."""
        return "[" + name.replace("]", "]]") + "]"

    def there(self, database: Database, name: str, home: str | None) -> TableThere:
        """As its catalogue has it.

        Args:
            database: an open connection.
            name: of the table.
            home: its schema; None: the login's own.
        """
        return mssql_catalogue.columns(database, self.types, name, home)

    def remainder(self, columns: Sequence[str], count: int) -> str | None:
        """By its own checksum of the key's values, without its sign."""
        return f"(CAST(CHECKSUM({', '.join(columns)}) AS bigint) & 2147483647) % {count}"

    def look(self, database: Database, schema: str | None, name: str) -> InboxTable | None:
        """As its catalogue has it.

        Args:
            database: a session of the inbox.
            schema: of the table; None: the login's own.
            name: of the table.
        """
        return mssql_catalogue.look(database, schema, name)

    def collation(self, database: Database) -> str:  # noqa: ARG002 - of every server
        """By code points."""
        return COLLATION

    def column_type(self, kind: pa.DataType, *, keyed: bool) -> TypeEngine[Any]:
        """Text of every character; times with their microseconds, sent in writing."""
        if pa.types.is_timestamp(kind):
            return column_types.Written(_clock(6), "T")
        if pa.types.is_floating(kind):
            return Double()
        if pa.types.is_date(kind):
            return DATE()
        found = column_types.usual(kind, keyed=keyed)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            length = column_types.KEY_LENGTH if keyed else None
            return Unicode(length, collation=COLLATION)
        return found

    def remark(self) -> TypeEngine[Any]:
        """A clock time that is sent in writing, like the others."""
        return column_types.Written(_clock(0), "T")

    def matches(self, columns: Sequence[ColumnElement[Any]], keys: Keys) -> ColumnElement[bool]:
        """It compares no lists of values with each other."""
        if len(columns) == 1:
            return columns[0].in_([key[0] for key in keys])
        return or_(*(and_(*(c == v for c, v in zip(columns, key, strict=True))) for key in keys))

    def exact(self, columns: Sequence[ColumnElement[Any]], keys: Keys) -> ColumnElement[bool]:
        """By the bytes of NVARCHAR, for a VARCHAR has those of its own code page."""
        written = [tuple(text.encode("utf-16-le") for text in key) for key in keys]
        return self.matches([cast(cast(c, Unicode()), LargeBinary) for c in columns], written)

    def meaning(self, error: BaseException) -> Meaning:
        """By the server's number, else the driver's."""
        number = error.args[0] if error.args else None
        if isinstance(number, tuple):  # pymssql wraps FreeTDS's own errors so
            number = number[0] if number else None
        if isinstance(number, int) and number in _CODES and number < 20_000:
            return _CODES[number]
        said = by_words(error, _WORDS)
        return said if said != "other" or not isinstance(number, int) else _CODES.get(number, said)


def _clock(fraction: int) -> TypeEngine[Any]:
    """A clock time with so many digits of a second."""
    found: TypeEngine[Any] = mssql.DATETIME2(fraction)  # type: ignore[no-untyped-call]
    return found
