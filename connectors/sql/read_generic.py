"""Reading MariaDB/MySQL and SQLite through SQLAlchemy, column by column into Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    Engine,
    column,
    create_engine,
    event,
    func,
    or_,
    select,
    table,
    text,
)
from sqlalchemy import Connection as Database

from connectors.common import source_types
from connectors.common.gather import OBJECT_ROWS
from connectors.sql import generic_bounds, generic_types, generic_values, partition
from connectors.sql import since as sql_since
from connectors.sql.errors import translated
from connectors.sql.generic_values import Cells
from connectors.sql.options import SqlSource
from connectors.sql.url import dialect, engine_url
from onecard.base.connections import Connection
from onecard.errors import ConfigError, SchemaMismatch
from onecard.model.checkpoints import Checkpoint
from onecard.model.source_types import DeclaredColumn
from onecard.ports.source import Chunk, Column, ReadRequest, Refusal

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

_WITHOUT_PADDING = (
    "SET SESSION sql_mode = REPLACE(@@SESSION.sql_mode, 'PAD_CHAR_TO_FULL_LENGTH', '')"
)
"""CHAR's padding is its type's, not a part of its values."""


class GenericReading:
    """One pass over a table with a server-side cursor, in one snapshot."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember: the core keeps the cursor
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(self, connection: Connection, request: ReadRequest, options: SqlSource) -> None:
        self._connection = connection
        self._request = request
        self._options = options
        self._system = "sqlite" if dialect(connection) == "sqlite" else "mariadb"
        self._counts = options.count and sql_since.counted(request)
        self.rows_there: int | None = None
        self._origin = partition.origin(options.table, request)
        self._columns = request.columns
        self._there: dict[str, DeclaredColumn] = {}

    def __iter__(self) -> Iterator[Chunk]:
        request, name = self._request, self._options.table
        size = min(request.batch_rows, OBJECT_ROWS)
        where = f"{request.dataset} from {name}"
        first = 1
        with (
            _engine(self._connection, where) as engine,
            translated(where, self._connection, request.columns),
            engine.connect() as database,
        ):
            for rows in self._pages(database, size):
                yield self._chunk(rows, first)
                first += len(rows)

    def _pages(self, database: Database, size: int) -> Iterator[Sequence[Sequence[Any]]]:
        options = self._options
        if self._system == "mariadb":
            database.execute(text("SET time_zone = '+00:00'"))
            database.execute(text(_WITHOUT_PADDING))
        self._there = generic_types.columns(database, self._system, options.table, options.schema_)
        self._columns = self._wanted()
        statement = self._statement()
        if self._system == "mariadb":
            database.rollback()
            database.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            database.execute(text("START TRANSACTION WITH CONSISTENT SNAPSHOT"))
        stream = database.execution_options(stream_results=True, yield_per=size)
        yield from stream.execute(statement).partitions(size)
        if self._counts:
            every = table(options.table, schema=options.schema_)
            self.rows_there = database.scalar(select(func.count()).select_from(every))

    def _wanted(self) -> tuple[Column, ...]:
        """The contract's columns, without those that may be lacking and are.

        Raises:
            SchemaMismatch: a column is of a type that is refused, or missing from SQLite, which
                would read its quoted name as text and give that for every row.
        """
        request, name = self._request, self._options.table
        if not self._there:
            return request.columns  # the reading itself says what is wrong
        lost = [c for c in request.columns if c.native.lower() not in self._there]
        needed = ", ".join(f"{c.native} ({c.name})" for c in lost if c.required_to_read)
        if needed and self._system == "sqlite":
            by = f"(connection {self._connection.id!r})"
            msg = f"{request.dataset} from {name}: column {needed} is missing {by}"
            raise SchemaMismatch(msg)
        wanted = tuple(c for c in request.columns if c.required_to_read or c not in lost)
        where = f"{request.dataset} from {name}"
        source_types.require(self._system, where, wanted, self._column)
        return wanted

    def _column(self, native: str) -> DeclaredColumn | None:
        return self._there.get(native.lower())

    def _statement(self) -> Select[Any]:
        columns = [generic_types.selected(c, self._column(c.native)) for c in self._columns]
        statement = select(*columns).select_from(
            table(self._options.table, schema=self._options.schema_)
        )
        native = sql_since.native(self._request)
        if native is not None:
            statement = statement.where(self._reached(native))
        if self._request.part is None:
            return statement
        return statement.where(
            partition.generic_condition(self._request, self._column, self._system)
        )

    def _reached(self, native: str) -> ColumnElement[bool]:
        """`cursor >= bound` in the cursor's own type; the bound is only ever rounded down.

        Rows without a cursor, and those whose cursor is no time at all, have no place behind any
        bound: they are read every time.
        """
        since, zone = str(self._request.since), self._options.timezone
        cursor: ColumnElement[Any] = column(native)
        if (number := sql_since.number(since)) is not None:
            return or_(column(native, BigInteger()) >= number, cursor.is_(None))
        aware = sql_since.moment(since, zone, self._request.dataset)
        if self._system == "sqlite":
            return generic_bounds.sqlite_reached(cursor, aware)
        there = self._column(native)
        kind = there.type if there else None
        if kind is not None and kind.family == "date":
            later = column(native, Date()) >= aware.date()
        elif kind is not None and kind.read == "utc":
            later = column(native, DateTime()) >= aware.astimezone(UTC).replace(tzinfo=None)
        else:
            later = column(native, DateTime()) >= aware.replace(tzinfo=None)
        if kind is None or kind.family not in ("date", "timestamp"):
            return or_(later, cursor.is_(None))
        return or_(later, cursor.is_(None), generic_bounds.mariadb_no_time(cursor))

    def _chunk(self, rows: Sequence[Sequence[Any]], first: int) -> Chunk:
        found = {
            c.name: self._cells(c, list(values))
            for c, values in zip(self._columns, zip(*rows, strict=True), strict=True)
        }
        batch = pa.RecordBatch.from_arrays([c.array for c in found.values()], names=list(found))
        damaged = {place: rule for c in found.values() for place, rule in c.damaged.items()}
        unread = {name: c.unread for name, c in found.items() if c.unread}
        return Chunk(batch, self._origin, first, damaged, unread=unread)

    def _cells(self, wanted: Column, values: list[Any]) -> Cells:
        zone, there = self._options.timezone, self._column(wanted.native)
        if wanted.type is None or there is None:
            utc = there is not None and there.type.read == "utc"
            return generic_values.as_it_is(values, "UTC" if utc else zone)
        return generic_values.typed(values, there.type, wanted.type, zone)


@contextmanager
def _engine(connection: Connection, where: str) -> Iterator[Engine]:
    url = engine_url(connection)
    lite = url.get_backend_name() == "sqlite"
    if lite and not Path(url.database or "").is_file():  # SQLite would make an empty one
        msg = f"{where}: no such database file (connection {connection.id!r})"
        raise ConfigError(msg)
    engine = create_engine(url)
    if lite:
        event.listen(engine, "connect", _strict_text)
    try:
        yield engine
    finally:
        engine.dispose()


def _strict_text(database: Any, _record: object) -> None:  # noqa: ANN401 - sqlite3's connection
    """Text that is not UTF-8 costs its row, not the reading."""
    database.text_factory = _decoded
    database.create_function(partition.SQLITE_HASH, -1, partition.sqlite_hash, deterministic=True)


def _decoded(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return generic_values.Undecoded(data)
