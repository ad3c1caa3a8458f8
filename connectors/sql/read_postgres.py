"""Reading PostgreSQL: one COPY stream, decoded by the library or by ADBC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg

from connectors.common import source_types
from connectors.sql import dialects, partition
from connectors.sql import postgres_types as types
from connectors.sql import since as sql_since
from connectors.sql.errors import translated
from connectors.sql.options import SqlSource
from connectors.sql.url import address
from onecard.base.connections import Connection
from onecard.base.timeouts import BoundedConnection
from onecard.errors import ConfigError, NotDivisible
from onecard.model.checkpoints import Checkpoint
from onecard.model.source_types import DeclaredColumn
from onecard.native import copy_out
from onecard.native.copy_out import Limits
from onecard.ports.source import Chunk, ReadRequest, Refusal

if TYPE_CHECKING:
    import pyarrow as pa

HINT_BYTES = 8 * 1024 * 1024
"""Bytes of COPY data in one batch: about 34 thousand rows of a wide table; it bounds the memory."""


class PostgresReading:
    """One COPY stream of a PostgreSQL table: one statement, so one snapshot."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember: the core keeps the cursor
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(self, connection: Connection, request: ReadRequest, options: SqlSource) -> None:
        self._connection, self._request = connection, request
        self._zone = options.timezone
        self._counts = options.count and sql_since.counted(request)
        self.rows_there: int | None = None
        self._table = table_name(options)
        self._origin = partition.origin(self._table, request)

    def __iter__(self) -> Iterator[Chunk]:
        where = f"{self._request.dataset} from {self._table}"
        with translated(where, self._connection, self._request.columns):
            yield from self._copied(where) if copy_out.available() else self._ingested()

    def _copied(self, where: str) -> Iterator[Chunk]:
        """The library decodes what psycopg receives; ADBC has the types it does not know."""
        known, limits = address(self._connection), Limits(self._request.batch_rows, HINT_BYTES)
        with closing(BoundedConnection.connect(known, client_encoding="UTF8")) as connection:
            self._share(connection.cursor(), psycopg.Error)
            statement = self._statement(connection.cursor())
            set_encoding(connection.cursor())
            found = copy_out.batches(connection, statement, limits, where)
            if found is not None:
                yield from self._chunks(found)
                self._count(connection.cursor())
                return
        yield from self._ingested()

    def _ingested(self) -> Iterator[Chunk]:
        """The plain path: ADBC receives and decodes."""
        from adbc_driver_manager import Error  # noqa: PLC0415 - only where it is needed
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - only where it is needed

        with dbapi.connect(address(self._connection)) as database, database.cursor() as cursor:
            cursor.adbc_statement.set_options(
                **{"adbc.postgresql.batch_size_hint_bytes": str(HINT_BYTES)}
            )
            self._share(cursor, Error)
            statement = self._statement(cursor)
            set_encoding(cursor)
            cursor.execute(statement)
            yield from self._chunks(cursor.fetch_record_batch())
            self._count(cursor)

    def _count(self, cursor: Any) -> None:  # noqa: ANN401 - two drivers
        if self._counts:
            cursor.execute(f"SELECT count(*) FROM {self._table}")  # noqa: S608 - quoted
            self.rows_there = int((cursor.fetchone() or (0,))[0])

    def _chunks(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Chunk]:
        from connectors.sql.arrow import normalised  # noqa: PLC0415 - Arrow, loaded already

        first, size = 1, self._request.batch_rows
        for batch in batches:
            whole = normalised(batch, self._zone)
            for start in range(0, whole.num_rows, size):
                part = whole.slice(start, size)
                yield Chunk(part, self._origin, first)
                first += part.num_rows

    def _share(self, cursor: Any, refused: type[Exception]) -> None:  # noqa: ANN401 - two drivers
        """Read from the state that another session holds for all partitions, where one does."""
        part = self._request.part
        if part is None or not part.snapshot:
            return
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        try:
            cursor.execute(f"SET TRANSACTION SNAPSHOT {partition.snapshot_literal(part)}")
        except refused:
            msg = f"{self._request.dataset}: the state of {self._table} that was held is gone"
            raise NotDivisible(msg) from None

    def _statement(self, cursor: Any) -> str:  # noqa: ANN401 - two drivers
        there = columns_there(cursor, self._table)
        wanted = [c for c in self._request.columns if c.required_to_read or c.native in there]
        where = f"{self._request.dataset} from {self._table}"
        source_types.require(types.SYSTEM, where, wanted, there.get)
        columns = ", ".join(types.expression(c, there) for c in wanted)
        text = f"SELECT {columns} FROM {self._table}"  # noqa: S608 - identifiers are quoted
        wheres = []
        native = sql_since.native(self._request)
        if native is not None and native in there:  # what is not there, the statement says
            wheres.append(self._reached(there[native]))
        if self._request.part is not None:
            wheres.append(
                partition.condition(self._request, there.get, dialects.of(self._connection))
            )
        return f"{text} WHERE ({') AND ('.join(wheres)})" if wheres else text

    def _reached(self, cursor: DeclaredColumn) -> str:
        """The rows behind the bound, which is a literal made of digits and ISO signs only.

        Rows without a cursor, and those whose cursor lies before the year 1, have no place behind
        any bound: they are read every time.
        """
        name, since, kind = types.quoted(cursor.name), str(self._request.since), cursor.type
        if kind.family in ("integer", "long") and (number := sql_since.number(since)) is not None:
            return f"{name} >= {number} OR {name} IS NULL"
        moment = sql_since.moment(since, self._zone, self._request.dataset)
        forms = {
            "date": ("DATE", moment.date().isoformat()),
            "timestamp with time zone": ("TIMESTAMPTZ", moment.isoformat()),
            "timestamp without time zone": ("TIMESTAMP", moment.replace(tzinfo=None).isoformat()),
        }
        if kind.name not in forms:
            msg = (
                f"{self._request.dataset} from {self._table}: the cursor {self._request.cursor!r} "
                f"is {cursor.declared}; it must be a timestamp, a date or an integer"
            )
            raise ConfigError(msg)
        word, bound = forms[kind.name]
        return f"{name} >= {word} '{bound}' OR {name} < {word} '0001-01-01' OR {name} IS NULL"


def table_name(options: SqlSource) -> str:
    """The quoted name of the table, with its schema where one is named."""
    return ".".join(types.quoted(p) for p in (options.schema_, options.table) if p)


def set_encoding(cursor: Any) -> None:  # noqa: ANN401 - two drivers
    """Have texts sent in UTF-8, or as they stand by a server that does not know what they are in.

    Such a one would break off at the first that is no UTF-8: the gate finds it, and only its row
    is lost.

    Args:
        cursor: of the connection that reads.
    """
    cursor.execute("SELECT current_setting('server_encoding') = 'SQL_ASCII'")
    ((unknown,),) = cursor.fetchall()
    cursor.execute(f"SET client_encoding TO '{'SQL_ASCII' if unknown else 'UTF8'}'")


def columns_there(cursor: Any, table: str) -> dict[str, DeclaredColumn]:  # noqa: ANN401 - both
    """The table's columns by name, as its catalogue has them.

    Args:
        cursor: of either driver.
        table: its quoted name.
    """
    cursor.execute(types.statement(table))
    return types.declared(cursor.fetchall())
