"""Reading a database through SQLAlchemy, column by column into Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlalchemy import Connection as Database
from sqlalchemy import func, literal_column, select, table
from sqlalchemy.sql import quoted_name

from connectors.common import source_types
from connectors.common.gather import OBJECT_ROWS
from connectors.sql import dialects, generic_values, partition
from connectors.sql import since as sql_since
from connectors.sql.dialects.there import TableThere
from connectors.sql.errors import translated
from connectors.sql.generic_values import Cells
from connectors.sql.options import SqlSource
from onecard.base.connections import Connection
from onecard.errors import ConfigError, SchemaMismatch
from onecard.model.checkpoints import Checkpoint
from onecard.model.source_types import DeclaredColumn
from onecard.ports.source import Chunk, Column, ReadRequest, Refusal

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Engine, FromClause, Select


class GenericReading:
    """One pass over a table with a server-side cursor, in one snapshot."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember: the core keeps the cursor
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(self, connection: Connection, request: ReadRequest, options: SqlSource) -> None:
        self._connection = connection
        self._dialect = dialects.of(connection)
        self._request = request
        self._options = options
        self._counts = options.count and sql_since.counted(request)
        self.rows_there: int | None = None
        self._where = f"{request.dataset} from {options.table}"
        self._origin = partition.origin(options.table, request)
        self._columns = request.columns
        self._there = TableThere(options.table, options.schema_)

    def __iter__(self) -> Iterator[Chunk]:
        request = self._request
        size = min(request.batch_rows, OBJECT_ROWS)
        first = 1
        with (
            self._opened() as engine,
            translated(self._where, self._connection, request.columns),
            engine.connect() as database,
        ):
            for rows in self._pages(database, size):
                yield self._chunk(rows, first)
                first += len(rows)

    @contextmanager
    def _opened(self) -> Iterator[Engine]:
        engine = self._dialect.reading(self._connection, self._where)
        try:
            yield engine
        finally:
            engine.dispose()

    def _pages(self, database: Database, size: int) -> Iterator[Sequence[Sequence[Any]]]:
        for statement in self._dialect.session:
            database.exec_driver_sql(statement)
        database.commit()  # PostgreSQL's descendants take settings back with their transaction
        self._there = self._dialect.there(database, self._options.table, self._options.schema_)
        self._columns = self._wanted(database)
        wanted = self._statement()
        try:
            self._dialect.begin(database)
        except ConfigError as error:
            by = f"(connection {self._connection.id!r})"
            msg = f"{self._where}: {error} {by}"
            raise ConfigError(msg) from None
        stream = database.execution_options(stream_results=True, yield_per=size)
        yield from stream.execute(wanted).partitions(size)
        if self._counts:
            self.rows_there = database.scalar(select(func.count()).select_from(self._table()))

    def _wanted(self, database: Database) -> tuple[Column, ...]:
        """The contract's columns, without those that may be lacking and are.

        Raises:
            ConfigError: the table stands in no catalogue that the login sees.
            SchemaMismatch: a column is of a type that is refused, or missing.
        """
        request, by = self._request, f"(connection {self._connection.id!r})"
        if not self._there.columns:
            # The database's own word comes first; what it knows by another way has no types here.
            database.execute(select(literal_column("1")).select_from(self._table()).limit(1))
            msg = f"{self._where}: no catalogue that the login sees has it; name its schema {by}"
            raise ConfigError(msg)
        lost = [c for c in request.columns if self._column(c.native) is None]
        needed = ", ".join(f"{c.native} ({c.name})" for c in lost if c.required_to_read)
        if needed:
            msg = f"{self._where}: column {needed} is missing {by}"
            raise SchemaMismatch(msg)
        wanted = tuple(c for c in request.columns if c not in lost)
        source_types.require(self._dialect.types, self._where, wanted, self._column)
        return wanted

    def _column(self, native: str) -> DeclaredColumn | None:
        return self._there.column(native)

    def _table(self) -> FromClause:
        home = self._there.home
        return table(
            quoted_name(self._there.name, quote=True),
            schema=quoted_name(home, quote=True) if home else None,
        )

    def _statement(self) -> Select[Any]:
        columns = [self._dialect.selected(c, self._column(c.native)) for c in self._columns]
        statement = select(*columns).select_from(self._table())
        native = sql_since.native(self._request)
        if native is not None:
            statement = statement.where(self._reached(native))
        if self._request.part is None:
            return statement
        said = partition.condition(self._request, self._column, self._dialect)
        return statement.where(literal_column(f"({said})"))

    def _reached(self, native: str) -> ColumnElement[bool]:
        """`cursor >= bound` in the cursor's own type; the bound is only ever rounded down.

        Rows without a cursor, and those whose cursor is no time at all, have no place behind any
        bound: they are read every time.

        Raises:
            ConfigError: the cursor's type has no such bound.
        """
        since, request = str(self._request.since), self._request
        number = sql_since.number(since)
        moment = sql_since.moment(
            since if number is None else "1970-01-01", self._options.timezone, request.dataset
        )
        there = self._column(native)
        found = self._dialect.since(there, number, moment) if there is not None else None
        if found is None:
            kind = there.declared if there is not None else "not there"
            msg = (
                f"{self._where}: the cursor {request.cursor!r} is {kind}; it must be a timestamp,"
                " a date or an integer, as its bound is"
            )
            raise ConfigError(msg)
        return found

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
        if there is None:
            return generic_values.as_it_is(values, zone)
        if wanted.type is not None:
            return generic_values.typed(values, there.type, wanted.type, zone)
        if there.type.read in generic_values.IN_WRITING:
            natural = generic_values.NATURAL.get(there.type.family, "string")
            return generic_values.typed(values, there.type, natural, zone)
        return generic_values.as_it_is(values, "UTC" if there.type.read == "utc" else zone)
