"""MariaDB and MySQL, and what speaks their protocol."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
from sqlalchemy import BigInteger, Date, DateTime, String, and_, event, func, or_, text, type_coerce
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from connectors.common import source_types
from connectors.sql.dialects import column_types
from connectors.sql.dialects.base import SILENT_S, Dialect, Meaning, by_words, patience
from connectors.sql.dialects.there import TableThere
from onecard.base.times import OFFSET
from onecard.errors import ProtocolError
from onecard.model.source_types import DeclaredColumn

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Engine
    from sqlalchemy import Connection as Database

    from connectors.sql.inbox_look import InboxTable
    from onecard.base.connections import Connection

SQL_MODE = (
    "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO"
)
"""Nothing is cut, capped or replaced; another engine than the named one is an error; 0 stays 0."""
EXACT = ("utf8mb4_nopad_bin", "utf8mb4_0900_bin")
"""Of MariaDB and of MySQL: keys differ when they differ. The usual collation holds 𠮷 and 𠮶, or a
and A, for equal; `utf8mb4_bin` still pads the shorter with blanks, so that `A` equals `A `."""
PADDING = "utf8mb4_bin"
"""Of servers older than those: a key with a blank at its end is refused there (`inbox_fit`)."""
NUMBERS: dict[int, Meaning] = {
    **dict.fromkeys((1045, 1698), "login"),
    **dict.fromkeys((1044, 1142, 1143, 1227), "right"),
    **dict.fromkeys((1049, 1146), "table"),
    1054: "column",
    **dict.fromkeys((3, 1021, 1026, 1030, 1114), "full"),
    **dict.fromkeys((1040, 1053, 1129, 1158, 1159, 1160, 1161, 1205, 1213), "down"),
    **dict.fromkeys((2002, 2003, 2006, 2013, 2055), "down"),
}
"""Error numbers of MariaDB and MySQL; their SQLSTATE says less."""

_EXACT = text(
    "SELECT COLLATION_NAME FROM information_schema.COLLATIONS"
    " WHERE COLLATION_NAME IN (:mariadb, :mysql)"
)
_COLUMNS = text(
    "SELECT column_name, data_type, column_type, is_nullable FROM information_schema.columns"
    " WHERE table_name = :name AND table_schema = coalesce(:home, database())"
    " ORDER BY ordinal_position"
)


class MySQL(Dialect):
    """MariaDB and MySQL over PyMySQL."""

    name = "mysql"
    title = "MySQL, MariaDB"
    types = "mariadb"
    driver = "mysql+pymysql"
    module = "pymysql"
    extra = "mysql"
    tried = "MariaDB 10.11"
    state = "START TRANSACTION WITH CONSISTENT SNAPSHOT"
    session: ClassVar[tuple[str, ...]] = (
        "SET time_zone = '+00:00'",
        # CHAR's padding is its type's, not a part of its values.
        "SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'PAD_CHAR_TO_FULL_LENGTH', '')",
    )
    snapshot = (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    )
    read_only = ("START TRANSACTION READ ONLY",)
    expressions = {  # noqa: RUF012
        "text": "CAST({c} AS CHAR)",
        "unsigned": "CAST({c} AS UNSIGNED INTEGER)",
    }
    strict: ClassVar[tuple[str, ...]] = (
        f"SET SESSION sql_mode = '{SQL_MODE}'",
        f"SET SESSION time_zone = '{OFFSET}', unique_checks = 1, foreign_key_checks = 1",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    )
    numbers: ClassVar[dict[int, Meaning]] = NUMBERS

    def defaults(self, connection: Connection) -> dict[str, str]:
        """Every character of Unicode; bounds of waiting, which the connection may replace."""
        return {
            "connect_timeout": str(patience(connection)),
            "charset": "utf8mb4",
            "read_timeout": str(SILENT_S),
            "write_timeout": str(SILENT_S),
        }

    def waits(self, seconds: int) -> dict[str, Any]:
        """As PyMySQL names it."""
        return {"connect_timeout": seconds, "read_timeout": seconds}

    def quoted(self, name: str) -> str:
        """An identifier between backticks, whatever `sql_mode` says of quotation marks."""
        return "`" + name.replace("`", "``") + "`"

    def there(self, database: Database, name: str, home: str | None) -> TableThere:
        """As `information_schema` has it.

        Args:
            database: an open connection.
            name: of the table.
            home: its schema; None: the login's own.
        """
        rows = database.execute(_COLUMNS, {"name": name, "home": home}).all()
        columns = (_declared(str(r[0]), str(r[1]), str(r[2]), nullable=r[3] == "YES") for r in rows)
        return TableThere(name, home, tuple(columns))

    def since(
        self, there: DeclaredColumn, number: int | None, moment: datetime
    ) -> ColumnElement[bool] | None:
        """Zero dates and half dates are no time of ours, either.

        Args:
            there: the cursor's column.
            number: the bound of a cursor that counts; None: it is the moment.
            moment: in the zone of the database's clock times.
        """
        cursor, kind = self.plain(there.name), there.type
        if number is not None:
            return or_(_as(cursor, BigInteger()) >= number, cursor.is_(None))
        if kind.family == "date":
            later = _as(cursor, Date()) >= moment.date()
        else:
            local = moment.astimezone(UTC) if kind.read == "utc" else moment
            later = _as(cursor, DateTime()) >= local.replace(tzinfo=None)
        if kind.family not in ("date", "timestamp"):
            return or_(later, cursor.is_(None))
        return or_(later, cursor.is_(None), _no_time(cursor))

    def remainder(self, columns: Sequence[str], count: int) -> str | None:
        """By CRC-32 of the key's texts."""
        listed = ", ".join(columns)
        return f"coalesce(crc32(concat_ws(char(31 USING utf8mb4), {listed})), 0) % {count}"

    def look(self, database: Database, schema: str | None, name: str) -> InboxTable | None:
        """As `information_schema` has it.

        Args:
            database: a session of the inbox.
            schema: of the table; None: the login's own.
            name: of the table.
        """
        from connectors.sql import inbox_look_mysql  # noqa: PLC0415 - only for deliveries

        return inbox_look_mysql.look(database, schema, name)

    def watch(self, engine: Engine) -> None:
        """A warning fails the delivery."""
        event.listen(engine, "after_cursor_execute", _unwarned)

    def collation(self, database: Database) -> str:
        """The collation with which this server tells every key from every other."""
        mariadb, mysql_ = EXACT
        found = database.execute(_EXACT, {"mariadb": mariadb, "mysql": mysql_})
        return str(found.scalar() or PADDING)

    def shape(self, collation: str) -> dict[str, Any]:
        """An engine with transactions, every character, every key for itself."""
        return {
            "mysql_engine": "InnoDB",
            "mysql_charset": "utf8mb4",
            "mysql_collate": collation or PADDING,
        }

    def column_type(self, kind: pa.DataType, *, keyed: bool) -> TypeEngine[Any]:
        """Microseconds; text of any length, for TEXT ends at 64 KB."""
        if pa.types.is_timestamp(kind):
            return mysql.DATETIME(fsp=6)
        found = column_types.usual(kind, keyed=keyed)
        return found if keyed or not isinstance(found, String) else mysql.LONGTEXT()

    def meaning(self, error: BaseException) -> Meaning:
        """By the server's number."""
        number = error.args[0] if error.args else None
        if isinstance(number, int):
            return self.numbers.get(number, "other")
        return by_words(error, (("timeout", "down"), ("lost connection", "down")))


def _declared(name: str, kind: str, declared: str, *, nullable: bool) -> DeclaredColumn:
    zeros = kind.lower().endswith("int") and "zerofill" in declared.lower()
    found = source_types.of("mariadb", "zerofill" if zeros else kind.lower())
    return DeclaredColumn(name, declared, found, nullable=nullable)


def _as(cursor: ColumnElement[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
    return type_coerce(cursor, kind)


def _no_time(cursor: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a date or time is none: `0000-00-00`, `2024-00-10`, 31 June."""
    day, last = func.dayofmonth(cursor), func.dayofmonth(func.last_day(cursor))
    return and_(cursor.is_not(None), or_(day == 0, last.is_(None), day > last))


def _unwarned(
    _connection: object,
    cursor: Any,  # noqa: ANN401 - a driver's own
    statement: str,
    _parameters: object,
    _context: object,
    _many: object,
) -> None:
    """What is stored with a warning is not stored as it was sent.

    Raises:
        ProtocolError: MariaDB or MySQL has warned, if only by a note (a rounded decimal).
    """
    if statement.startswith("INSERT") and cursor.warning_count:
        msg = (
            f"the inbox's database warned {cursor.warning_count} time(s) of what it stored"
            " (cut or rounded values); nothing was kept"
        )
        raise ProtocolError(msg)
