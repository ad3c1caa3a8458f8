"""SQLite: a file, whose columns may hold values of any type."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import BigInteger, String, and_, case, cast, event, func, or_, text, type_coerce
from sqlalchemy.engine import URL
from sqlalchemy.types import TypeEngine

from connectors.common import source_types
from connectors.common.wire_text import as_text
from connectors.sql.dialects import column_types
from connectors.sql.dialects.base import Dialect, Meaning, by_words
from connectors.sql.dialects.there import TableThere
from connectors.sql.generic_values import Undecoded
from onecard.errors import ConfigError
from onecard.model.source_types import DeclaredColumn

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Engine
    from sqlalchemy import Connection as Database

    from connectors.sql.inbox_look import InboxTable
    from onecard.base.connections import Connection

HASH = "onecard_hash"
"""SQLite has no hash of its own: every connection of ours brings this one."""
_SEPARATOR = b"\x1f"
_DAY = len("2026-11-01")
_COLUMNS = text(
    "SELECT name, type, \"notnull\" FROM pragma_table_xinfo(:name, coalesce(:home, 'main'))"
    " WHERE hidden <> 1 ORDER BY cid"
)
_AFFINITIES = (
    ("INT", "INTEGER"),
    ("CHAR|CLOB|TEXT", "TEXT"),
    ("BLOB", "BLOB"),
    ("REAL|FLOA|DOUB", "REAL"),
)
"""Words in a declared type → its affinity, in this order (sqlite.org/datatype3.html, 3.1)."""
_WORDS: tuple[tuple[str, Meaning], ...] = (
    ("no such table", "table"),
    ("unable to open database", "table"),
    ("no such column", "column"),
    ("has no column named", "column"),
    ("database or disk is full", "full"),
    ("disk i/o error", "full"),
    ("database is locked", "down"),
)
"""It has no codes that Python's driver of 3.10 would show."""


class SQLite(Dialect):
    """A file of SQLite 3."""

    name = "sqlite"
    title = "SQLite"
    types = "sqlite"
    driver = "sqlite"
    module = "sqlite3"
    tried = "the library of Python itself"
    state = "one statement"
    kept_open = False
    makes_schemas = False

    def url(self, connection: Connection) -> URL:
        """The file's name stands where others have a database or a host."""
        return URL.create("sqlite", database=connection.schema_ or connection.host)

    def waits(self, seconds: int) -> dict[str, Any]:
        """For another's lock."""
        return {"timeout": seconds}

    def brief(self, connection: Connection, seconds: int) -> Engine:
        """Read only, so that no file is made."""
        from sqlalchemy import create_engine  # noqa: PLC0415 - of this one engine

        url = self.url(connection)
        url = url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"})
        engine = create_engine(url, connect_args=self.waits(seconds))
        event.listen(engine, "connect", _strict_text)
        return engine

    def reading(self, connection: Connection, where: str) -> Engine:
        """Text that is not UTF-8 costs its row, not the reading.

        Raises:
            ConfigError: there is no such file; SQLite would make an empty one.
        """
        if not Path(self.url(connection).database or "").is_file():
            msg = f"{where}: no such database file (connection {connection.id!r})"
            raise ConfigError(msg)
        engine = self.engine(connection)
        event.listen(engine, "connect", _strict_text)
        return engine

    def there(self, database: Database, name: str, home: str | None) -> TableThere:
        """As its pragma has it, by affinity.

        Args:
            database: an open connection.
            name: of the table.
            home: its schema; None: the login's own.
        """
        rows = database.execute(_COLUMNS, {"name": name, "home": home}).all()
        columns = (_declared(str(r[0]), str(r[1]), strict=bool(r[2])) for r in rows)
        return TableThere(name, home, tuple(columns))

    def begin(self, database: Database) -> None:
        """The one statement that follows has one state."""

    def since(
        self, there: DeclaredColumn, number: int | None, moment: datetime
    ) -> ColumnElement[bool] | None:
        """A text with a zone is an instant, another one local time; what is no time is read.

        Args:
            there: the cursor's column.
            number: the bound of a cursor that counts; None: it is the moment.
            moment: in the zone of the database's clock times.
        """
        cursor = self.plain(there.name)
        if number is not None:
            return or_(type_coerce(cursor, BigInteger()) >= number, cursor.is_(None))
        seconds = cast(func.strftime("%s", cursor), BigInteger)
        zoned = or_(cursor.op("GLOB")("*[zZ]"), cursor.op("GLOB")("*[+-][0-9][0-9]:[0-9][0-9]"))
        local = moment.replace(tzinfo=UTC)
        later = case(
            (zoned, seconds >= math.floor(moment.timestamp())),
            else_=seconds >= math.floor(local.timestamp()),
        )
        by_day = and_(func.length(cursor) == _DAY, cursor == moment.date().isoformat())
        return or_(later, by_day, func.typeof(cursor) != "text", seconds.is_(None))

    def remainder(self, columns: Sequence[str], count: int) -> str | None:
        """By a function that every connection of ours brings."""
        return f"coalesce({HASH}({', '.join(columns)}), 0) % {count}"

    def look(self, database: Database, schema: str | None, name: str) -> InboxTable | None:
        """As its pragmas and its schema table have it.

        Args:
            database: a session of the inbox.
            schema: of the table; None: the login's own.
            name: of the table.
        """
        from connectors.sql import inbox_look_sqlite  # noqa: PLC0415 - only for deliveries

        return inbox_look_sqlite.look(database, schema, name)

    def collation(self, database: Database) -> str:  # noqa: ARG002 - of every file
        """Byte by byte."""
        return "BINARY"

    def column_type(self, kind: pa.DataType, *, keyed: bool) -> TypeEngine[Any]:
        """It knows no exact decimals, so they are text."""
        return String() if pa.types.is_decimal(kind) else column_types.usual(kind, keyed=keyed)

    def stored(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The same columns: Beijing's clock times, decimals in writing."""
        found = column_types.local(batch)
        columns = [as_text(c) if pa.types.is_decimal(c.type) else c for c in found.columns]
        return pa.RecordBatch.from_arrays(columns, names=found.schema.names)

    def meaning(self, error: BaseException) -> Meaning:
        """By its words."""
        return by_words(error, _WORDS)


def _declared(name: str, declared: str, *, strict: bool) -> DeclaredColumn:
    affinity = "NUMERIC" if declared else "untyped"
    for words, found in _AFFINITIES:
        if re.search(words, declared.upper()):
            affinity = found
            break
    kind = source_types.of("sqlite", affinity)
    return DeclaredColumn(name, declared.lower() or affinity, kind, nullable=not strict)


def _strict_text(database: Any, _record: object) -> None:  # noqa: ANN401 - sqlite3's connection
    database.text_factory = _decoded
    database.create_function(HASH, -1, hash_of, deterministic=True)


def _decoded(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return Undecoded(data)


def hash_of(*values: object) -> int:
    """CRC-32 of a key's values as texts; the same in every process.

    Args:
        values: as SQLite gives them.
    """
    texts = (v if isinstance(v, bytes) else str(v).encode("utf-8", "surrogatepass") for v in values)
    return zlib.crc32(_SEPARATOR.join(texts))
