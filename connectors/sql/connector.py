"""Databases: PostgreSQL over ADBC (the fast path), MariaDB/MySQL and SQLite over SQLAlchemy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from connectors.sql import since as sql_since
from connectors.sql import sink as sql_sink
from connectors.sql.errors import translated
from connectors.sql.url import address, dialect
from onecard.base.connections import Connection
from onecard.errors import ConfigError
from onecard.ports.inbox import Arrivals, Held
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Checkpoint, Chunk, Column, Reading, ReadRequest, Refusal
from schemas.models.frozen import Frozen

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import BaseModel

    from onecard.store.checksums import Key, SqlSide
    from schemas.models.contract import Contract

HINT_BYTES = 16 * 1024 * 1024
"""Bytes of COPY data in one ADBC batch: about 65 thousand rows of a wide table."""


class SqlSource(Frozen):
    """Options of a table that is read.

    Attributes:
        timezone: zone of timestamps that the database stores without one.
        count: count the table's rows when only its newest are read, so that a table that has lost
            half is noticed; `false` spares a database to which a count is dear.
    """

    table: str
    schema_: str | None = Field(default=None, alias="schema")
    timezone: Literal["Asia/Shanghai", "UTC"] = "Asia/Shanghai"
    count: bool = True


class SqlSink(Frozen):
    """Options of an inbox table."""

    table: str
    schema_: str | None = Field(default=None, alias="schema")


class SqlConnector:
    """Implements `onecard.ports.connector.Connector` for SQL databases."""

    kind: ClassVar[str] = "sql"
    source_options: ClassVar[type[BaseModel]] = SqlSource
    sink_options: ClassVar[type[BaseModel]] = SqlSink

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Read the table's named columns in one consistent snapshot."""
        options = SqlSource.model_validate(request.options.model_dump(by_alias=True))
        if dialect(connection) == "postgresql":
            return _PostgresReading(connection, request, options)
        from connectors.sql.generic import GenericReading  # noqa: PLC0415 - SQLAlchemy is heavy

        return GenericReading(connection, request, options)

    def side(
        self, connection: Connection, request: ReadRequest, contract: Contract
    ) -> AbstractContextManager[SqlSide | None]:
        """The table's side of a reconciliation; None where streaming must do."""
        from connectors.sql.checksums import side  # noqa: PLC0415 - only for reconciliations

        return side(connection, request, contract)

    def read_keys(
        self, connection: Connection, request: ReadRequest, key: Key, wanted: Collection[Key]
    ) -> Reading:
        """The rows of the `wanted` keys; only where `side` gave one."""
        from connectors.sql.checksums import KeyedReading  # noqa: PLC0415 - as above

        return KeyedReading(connection, request, key, wanted)

    def held(
        self,
        connection: Connection,
        request: ReadRequest,
        arrivals: Arrivals,  # noqa: ARG002 - the table holds what all of them left
    ) -> Held:
        """The rows of an inbox table; none when there is no such table."""
        sink = SqlSink.model_validate(request.options.model_dump(by_alias=True))
        with translated(f"{request.dataset} in {sink.table}", connection):
            if not sql_sink.there(connection, sink.schema_, sink.table):
                return Held(iter(()))
        options = SqlSource.model_validate(sink.model_dump(by_alias=True))
        return Held(iter(self.read(connection, replace(request, options=options))))

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:
        """Upsert the parcel by its key in one transaction."""
        sink = SqlSink.model_validate(options.model_dump(by_alias=True))
        with translated(f"{parcel.agreement} into {sink.table}", connection):
            return sql_sink.send(connection, sink.schema_, sink.table, parcel)


class _PostgresReading:
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
