"""Oracle, without its client library: python-oracledb's thin mode.

Numbers and times are asked for in writing: the driver makes floats of some numbers, cuts times
after the sixth digit, drops their zones, and fails on years before the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
from sqlalchemy import event
from sqlalchemy.dialects import oracle
from sqlalchemy.engine import URL
from sqlalchemy.types import TypeEngine

from connectors.sql.dialects import column_types, oracle_catalogue
from connectors.sql.dialects.base import SILENT_S, Dialect, Meaning, by_words, own, patience
from connectors.sql.dialects.there import TableThere

if TYPE_CHECKING:
    from sqlalchemy import Connection as Database
    from sqlalchemy import Engine

    from connectors.sql.inbox_look import InboxTable
    from onecard.base.connections import Connection

_BEFORE = "'before the year 1'"
"""In the place of a time that is none of ours; read as text, it costs its row."""
_FINE = "'YYYY-MM-DD HH24:MI:SS.FF9'"
_ZERO = "TIMESTAMP '0001-01-01 00:00:00'"


def _timed(value: str) -> str:
    return f"CASE WHEN {value} < {_ZERO} THEN {_BEFORE} ELSE TO_CHAR({value}, {_FINE}) END"


OF_TYPE = {
    "date": (
        "CASE WHEN {c} < DATE '0001-01-01' THEN 'before the year 1'"
        " ELSE TO_CHAR({c}, 'YYYY-MM-DD HH24:MI:SS') END"
    ),
    "timestamp": _timed("{c}"),
    "timestamp with time zone": _timed("SYS_EXTRACT_UTC({c})"),
    "timestamp with local time zone": _timed(
        "SYS_EXTRACT_UTC(CAST({c} AS TIMESTAMP(9) WITH TIME ZONE))"
    ),
}
"""How times are asked for, whatever the session's settings for its country are."""
EXPRESSIONS = {
    "digits": "TO_CHAR({c}, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')",
    "unpadded": "RTRIM({c})",
}
BOUNDS = {
    "date": "TO_DATE('{second}', 'YYYY-MM-DD HH24:MI:SS')",
    "timestamp": "TIMESTAMP '{moment}'",
    "timestamp with time zone": "TIMESTAMP '{moment} +00:00'",
    "timestamp with local time zone": "TIMESTAMP '{moment} +00:00'",
}
CODES: dict[int, Meaning] = {
    **dict.fromkeys((1005, 1017, 1045, 28000, 28001, 28003), "login"),
    **dict.fromkeys((1031, 1720, 41900), "right"),
    **dict.fromkeys((942, 4043, 12154, 12505, 12514), "table"),
    904: "column",
    **dict.fromkeys((257, 1536, 1652, 1653, 1654, 1688, 1691, 19502, 27072, 30036), "full"),
    **dict.fromkeys((18, 20, 28, 54, 60, 1012, 1033, 1034, 1089, 1090, 1092, 1555), "down"),
    **dict.fromkeys((3113, 3114, 3135, 4068, 8177, 12170, 12518, 12519, 12520, 12528), "down"),
    **dict.fromkeys((12537, 12541, 12543, 12545, 12547, 12560, 12570, 12571), "down"),
}
"""ORA numbers. 1555, a state that is too old, and 8177 pass by themselves."""
_DRIVER: tuple[tuple[str, Meaning], ...] = (
    ("dpy-6001", "table"),  # the service is not registered with the listener
    ("dpy-6003", "table"),  # nor the SID
    ("dpy-4011", "down"),  # the connection was closed
    ("dpy-4024", "down"),  # no answer in time
    ("dpy-1001", "down"),
    ("dpy-6000", "down"),
    ("dpy-6005", "down"),
    ("dpy-4001", "login"),  # no credentials
    ("timeout", "down"),
)
"""Errors of python-oracledb itself, which have no ORA number."""


class Oracle(Dialect):
    """Oracle from 12.1 on, which is what the thin mode speaks to."""

    name = "oracle"
    title = "Oracle"
    types = "oracle"
    driver = "oracle+oracledb"
    module = "oracledb"
    extra = "oracle"
    state = "SET TRANSACTION READ ONLY"
    session = (
        "ALTER SESSION SET TIME_ZONE = '+00:00'",
        "ALTER SESSION SET NLS_CALENDAR = 'GREGORIAN'",
    )
    snapshot = ("SET TRANSACTION READ ONLY",)
    read_only = ("SET TRANSACTION READ ONLY",)
    of_type = OF_TYPE
    expressions = EXPRESSIONS
    bounds = BOUNDS
    ancient = True
    strict = (
        "ALTER SESSION SET TIME_ZONE = '+08:00'",
        "ALTER SESSION SET NLS_CALENDAR = 'GREGORIAN'",
        "ALTER SESSION SET NLS_COMP = 'BINARY'",
        "ALTER SESSION SET COMMIT_WAIT = 'WAIT'",
        "ALTER SESSION SET COMMIT_LOGGING = 'IMMEDIATE'",
    )
    counts = False
    blank = "null"
    makes_schemas = False
    codes: ClassVar[dict[int, Meaning]] = CODES

    def url(self, connection: Connection) -> URL:
        """Who logs in; `arguments` say where, for an address would leave out the protocol."""
        self.load()
        return URL.create(self.driver, username=connection.login, password=connection.secret)

    def arguments(self, connection: Connection) -> dict[str, Any]:
        """Where it is, by service name or SID; how long it may take; what else is said of it."""
        found: dict[str, Any] = {"tcp_connect_timeout": float(patience(connection))}
        found |= own(connection, "connect_timeout")
        places = {"host": connection.host, "port": connection.port}
        found |= {name: value for name, value in places.items() if value}
        if connection.schema_ and not {"sid", "service_name"} & set(found):
            found["service_name"] = connection.schema_
        return found

    def waits(self, seconds: int) -> dict[str, Any]:
        """As python-oracledb names it."""
        return {"tcp_connect_timeout": float(seconds)}

    def listen(self, engine: Engine) -> None:
        """No answer takes longer than the bound of silence."""

        def bounded(session: Any, _record: object) -> None:  # noqa: ANN401 - a driver's own
            session.call_timeout = SILENT_S * 1000

        event.listen(engine, "connect", bounded)

    def there(self, database: Database, name: str, home: str | None) -> TableThere:
        """As its dictionary has it.

        Args:
            database: an open connection.
            name: of the table.
            home: its schema; None: the login's own.
        """
        return oracle_catalogue.columns(database, self.types, name, home)

    def remainder(self, columns: Sequence[str], count: int) -> str | None:
        """By its own hash of the key's texts."""
        return f"COALESCE(MOD(ORA_HASH({' || CHR(31) || '.join(columns)}), {count}), 0)"

    def look(self, database: Database, schema: str | None, name: str) -> InboxTable | None:
        """As its dictionary has it.

        Args:
            database: a session of the inbox.
            schema: of the table; None: the login's own.
            name: of the table.
        """
        return oracle_catalogue.look(database, schema, name)

    def collation(self, database: Database) -> str:  # noqa: ARG002 - of every server
        """Byte by byte."""
        return "BINARY"

    def column_type(self, kind: pa.DataType, *, keyed: bool) -> TypeEngine[Any]:
        """Times with their microseconds; doubles of IEEE 754; yes and no as 1 and 0."""
        if pa.types.is_boolean(kind):
            return column_types.YesNo()
        if pa.types.is_timestamp(kind):
            return oracle.TIMESTAMP()
        if pa.types.is_floating(kind):
            return oracle.BINARY_DOUBLE()
        return column_types.usual(kind, keyed=keyed)

    blank_question = "SELECT CASE WHEN '' IS NULL THEN 1 ELSE 0 END FROM DUAL"

    def meaning(self, error: BaseException) -> Meaning:
        """By its number, which the driver's error carries in an object of its own."""
        code = getattr(error.args[0], "code", None) if error.args else None
        if isinstance(code, int) and code in self.codes:
            return self.codes[code]
        return by_words(error, _DRIVER)
