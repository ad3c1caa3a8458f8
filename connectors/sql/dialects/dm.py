"""DM8 (达梦): Oracle's dictionary and names, its own driver, error numbers and modes.

The driver cuts microseconds of times that are sent as such, and hands out large texts as objects;
so times are sent and asked for in writing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import Double
from sqlalchemy.dialects import oracle
from sqlalchemy.engine import URL
from sqlalchemy.types import TypeEngine

from connectors.sql.dialects import column_types, equals, oracle_catalogue
from connectors.sql.dialects.base import SILENT_S, Dialect, Keys, Meaning, by_words, own, patience
from connectors.sql.dialects.there import TableThere

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy import Connection as Database

    from connectors.sql.inbox_look import InboxTable
    from onecard.base.connections import Connection

_TIMED = (
    "CASE WHEN {c} < TIMESTAMP '0001-01-01 00:00:00' THEN 'before the year 1'"
    " WHEN {c} <> CAST({c} AS TIMESTAMP(6)) THEN 'finer than microseconds'"
    " ELSE TO_CHAR({c}, 'YYYY-MM-DD HH24:MI:SS.FF6') END"
)
_CODES: dict[int, Meaning] = {
    **dict.fromkeys((-2501, -2502, -2505, -2507, -6001), "login"),
    **dict.fromkeys((-5501, -5502, -5503, -5504, -5505, -5567), "right"),
    **dict.fromkeys((-2103, -2106), "table"),
    **dict.fromkeys((-2111, -2207), "column"),
    **dict.fromkeys((-523, -524, -525), "full"),
    **dict.fromkeys((-6007, -6010, -6403, -6407, -7120), "down"),
    **dict.fromkeys((-70019, -70025, -70028), "down"),
}
"""Numbers of the server and of its driver (-70000 and below)."""
_UTF_8 = 1
"""`PG_UTF8` of the driver, which else goes by the locale of the process."""
_WORDS: tuple[tuple[str, Meaning], ...] = (
    ("not connected", "down"),
    ("not login", "down"),
    ("timeout", "down"),
)


class DM(Dialect):
    """DM8 over dmPython."""

    name = "dm"
    title = "DM8"
    types = "dm"
    driver = "dm+dmPython"
    module = "dmPython"
    extra = "dm"
    state = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, which reads one state"
    snapshot = ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",)
    read_only = ("SET TRANSACTION READ ONLY",)
    of_type = {  # noqa: RUF012
        "date": (
            "CASE WHEN {c} < DATE '0001-01-01' THEN 'before the year 1'"
            " ELSE TO_CHAR({c}, 'YYYY-MM-DD HH24:MI:SS') END"
        ),
        "time": "CAST({c} AS VARCHAR(32))",
    }
    expressions = {  # noqa: RUF012
        "iso": _TIMED,
        "digits": "CAST({c} AS VARCHAR(64))",
        "unpadded": "RTRIM({c})",
    }
    bounds = {  # noqa: RUF012
        "date": "DATE '{day}'",
        "timestamp": "TIMESTAMP '{moment}'",
        "datetime": "TIMESTAMP '{moment}'",
    }
    ancient = True
    counts = False
    blank = "asked"
    makes_schemas = False

    def load(self) -> None:
        """Its driver, and SQLAlchemy's view of it."""
        from sqlalchemy.dialects import registry  # noqa: PLC0415 - only where it is used

        super().load()
        registry.register("dm.dmPython", "connectors.sql.dialects.dm_driver", "DmDriver")

    def url(self, connection: Connection) -> URL:
        """A database has one server: what others name the database is its schema."""
        self.load()
        return URL.create(
            self.driver,
            username=connection.login,
            password=connection.secret,
            host=connection.host,
            port=connection.port,
        )

    def arguments(self, connection: Connection) -> dict[str, Any]:
        """Bounds of waiting; every character; the schema; what else is said of the driver."""
        found = {
            "autoCommit": False,
            "login_timeout": patience(connection),
            "connection_timeout": SILENT_S,
            "local_code": _UTF_8,
            **own(connection, "connect_timeout"),
        }
        return found | ({"schema": connection.schema_} if connection.schema_ else {})

    def waits(self, seconds: int) -> dict[str, Any]:
        """As dmPython names it."""
        return {"login_timeout": seconds, "connection_timeout": seconds}

    def there(self, database: Database, name: str, home: str | None) -> TableThere:
        """As its dictionary has it, which is Oracle's.

        Args:
            database: an open connection.
            name: of the table.
            home: its schema; None: the login's own.
        """
        return oracle_catalogue.columns(database, self.types, name, home)

    def remainder(self, columns: Sequence[str], count: int) -> str | None:  # noqa: ARG002
        """No hash of it is known for sure."""
        return None

    def look(self, database: Database, schema: str | None, name: str) -> InboxTable | None:
        """As its dictionary has it, which is Oracle's; what counts as equal is the server's.

        It tells cases apart or not (CASE_SENSITIVE), and blanks at the end (BLANK_PAD_MODE,
        SPACE_COMPARE_MODE; as it is installed, it does not).

        Args:
            database: a session of the inbox.
            schema: of the table; None: the login's own.
            name: of the table.
        """
        look = oracle_catalogue.look(database, schema, name)
        found = equals.asked(database, look, "CASE_SENSITIVE = 0", " FROM DUAL")
        if found is None:
            return None
        columns = {  # nobody knows in which zone an instant takes a clock time
            name: replace(c, family="other") if c.family == "instant" else c
            for name, c in found.columns.items()
        }
        return replace(found, columns=columns)

    def collation(self, database: Database) -> str:  # noqa: ARG002 - of every server
        """It is the whole server's, chosen when it was set up."""
        return "a server with CASE_SENSITIVE = 1 and BLANK_PAD_MODE = 1"

    def column_type(self, kind: pa.DataType, *, keyed: bool) -> TypeEngine[Any]:
        """Times with their microseconds; yes and no as 1 and 0."""
        if pa.types.is_boolean(kind):
            return column_types.YesNo()
        if pa.types.is_timestamp(kind):
            return column_types.Written(oracle.TIMESTAMP())
        return Double() if pa.types.is_floating(kind) else column_types.usual(kind, keyed=keyed)

    def remark(self) -> TypeEngine[Any]:
        """A clock time that is sent in writing, like the others."""
        return column_types.Written(oracle.TIMESTAMP())

    def exact(self, columns: Sequence[ColumnElement[Any]], keys: Keys) -> ColumnElement[bool]:
        """With something behind each text, so that no blank is the last of it."""
        return self.matches(*equals.ended(columns, keys))

    blank_question = "SELECT CASE WHEN '' IS NULL THEN 1 ELSE 0 END FROM DUAL"

    def meaning(self, error: BaseException) -> Meaning:
        """By its number, which the driver's error carries in an object of its own."""
        code = getattr(error.args[0], "code", None) if error.args else None
        if isinstance(code, int) and code in _CODES:
            return _CODES[code]
        return by_words(error, _WORDS)
