"""Reading PostgreSQL over ADBC: the fast path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from connectors.sql import since as sql_since
from connectors.sql.errors import translated
from connectors.sql.options import SqlSource
from connectors.sql.url import address
from onecard.base.connections import Connection
from onecard.errors import ConfigError
from onecard.model.checkpoints import Checkpoint
from onecard.ports.source import Chunk, Column, ReadRequest, Refusal

if TYPE_CHECKING:
    import pyarrow as pa

HINT_BYTES = 16 * 1024 * 1024
"""Bytes of COPY data in one ADBC batch: about 65 thousand rows of a wide table."""


class PostgresReading:
    """One COPY stream of a PostgreSQL table: one statement, so one snapshot."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember: the core keeps the cursor
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(self, connection: Connection, request: ReadRequest, options: SqlSource) -> None:
        self._connection, self._request = connection, request
        self._zone = options.timezone
        self._counts = options.count and sql_since.native(request) is not None
        self.rows_there: int | None = None
        self._table = ".".join(_quoted(p) for p in (options.schema_, options.table) if p)

    def __iter__(self) -> Iterator[Chunk]:
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - only where PostgreSQL is read

        where = f"{self._request.dataset} from {self._table}"
        with (
            translated(where, self._connection, self._request.columns),
            dbapi.connect(address(self._connection)) as database,
            database.cursor() as cursor,
        ):
            cursor.adbc_statement.set_options(
                **{"adbc.postgresql.batch_size_hint_bytes": str(HINT_BYTES)}
            )
            cursor.execute(self._statement(cursor))
            yield from self._chunks(cursor.fetch_record_batch())
            if self._counts:
                cursor.execute(f"SELECT count(*) FROM {self._table}")  # noqa: S608 - quoted
                self.rows_there = int((cursor.fetchone() or (0,))[0])

    def _chunks(self, batches: Iterable[pa.RecordBatch]) -> Iterator[Chunk]:
        from connectors.sql.arrow import normalised  # noqa: PLC0415 - Arrow, loaded by ADBC already

        first, size = 1, self._request.batch_rows
        for batch in batches:
            whole = normalised(batch, self._zone)
            for start in range(0, whole.num_rows, size):
                part = whole.slice(start, size)
                yield Chunk(part, self._table, first)
                first += part.num_rows

    def _statement(self, cursor: Any) -> str:  # noqa: ANN401 - ADBC has no types
        columns = ", ".join(
            f"{_quoted(c.native)} AS {_quoted(c.name)}" for c in self._wanted(cursor)
        )
        text = f"SELECT {columns} FROM {self._table}"  # noqa: S608 - identifiers are quoted
        native = sql_since.native(self._request)
        if native is None:
            return text
        name = _quoted(native)
        probe = f"SELECT {name} FROM {self._table}"  # noqa: S608 - identifiers are quoted
        kind = cursor.adbc_execute_schema(probe).field(0).type
        return f"{text} WHERE {name} >= {self._bound(kind)} OR {name} IS NULL"

    def _wanted(self, cursor: Any) -> tuple[Column, ...]:  # noqa: ANN401 - ADBC has no types
        """The contract's columns, without those that may be lacking and are."""
        wanted = self._request.columns
        if all(c.required_to_read for c in wanted):
            return wanted
        everything = f"SELECT * FROM {self._table}"  # noqa: S608 - identifiers are quoted
        there = set(cursor.adbc_execute_schema(everything).names)
        return tuple(c for c in wanted if c.required_to_read or c.native in there)

    def _bound(self, kind: pa.DataType) -> str:
        """The bound as a literal of the cursor column's type, made of digits and ISO signs only."""
        import pyarrow as pa  # noqa: PLC0415 - loaded by ADBC already

        since = str(self._request.since)
        if pa.types.is_integer(kind) and (number := sql_since.number(since)) is not None:
            return str(number)
        moment = sql_since.moment(since, self._zone, self._request.dataset)
        if pa.types.is_date(kind):
            return f"DATE '{moment.date().isoformat()}'"
        if pa.types.is_timestamp(kind) and kind.tz:
            return f"TIMESTAMPTZ '{moment.isoformat()}'"
        if pa.types.is_timestamp(kind):
            return f"TIMESTAMP '{moment.replace(tzinfo=None).isoformat()}'"
        msg = (
            f"{self._request.dataset} from {self._table}: the cursor {self._request.cursor!r} "
            f"is of type {kind}; it must be a timestamp, a date or an integer"
        )
        raise ConfigError(msg)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
