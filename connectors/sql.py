"""Databases: PostgreSQL over ADBC (the fast path), MariaDB/MySQL and SQLite over SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from connectors import sql_sink
from connectors.sql_errors import translated
from connectors.sql_url import address, dialect
from onecard.connections import Connection
from onecard.ports import Checkpoint, Chunk, Parcel, Reading, ReadRequest, Refusal, Sent
from schemas.model import Frozen

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import BaseModel

HINT_BYTES = 16 * 1024 * 1024
"""Bytes of COPY data in one ADBC batch: about 65 thousand rows of a wide table."""


class SqlSource(Frozen):
    """Options of a table that is read.

    Attributes:
        timezone: zone of timestamps that the database stores without one.
    """

    table: str
    schema_: str | None = Field(default=None, alias="schema")
    timezone: Literal["Asia/Shanghai", "UTC"] = "Asia/Shanghai"


class SqlSink(Frozen):
    """Options of an inbox table."""

    table: str
    schema_: str | None = Field(default=None, alias="schema")


class SqlConnector:
    """Implements `onecard.ports.Connector` for SQL databases."""

    kind: ClassVar[str] = "sql"
    source_options: ClassVar[type[BaseModel]] = SqlSource
    sink_options: ClassVar[type[BaseModel]] = SqlSink

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Read the table's named columns in one consistent snapshot."""
        options = SqlSource.model_validate(request.options.model_dump(by_alias=True))
        if dialect(connection) == "postgresql":
            return _PostgresReading(connection, request, options)
        from connectors.sql_generic import GenericReading  # noqa: PLC0415 - SQLAlchemy is heavy

        return GenericReading(connection, request, options)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:
        """Upsert the parcel by its key in one transaction."""
        sink = SqlSink.model_validate(options.model_dump(by_alias=True))
        with translated(f"{parcel.agreement} into {sink.table}", connection):
            return sql_sink.send(connection, sink.schema_, sink.table, parcel)


class _PostgresReading:
    """One COPY stream of a PostgreSQL table."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember: the core keeps the cursor
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(self, connection: Connection, request: ReadRequest, options: SqlSource) -> None:
        self._connection = connection
        self._request = request
        self._table = ".".join(_quoted(p) for p in (options.schema_, options.table) if p)

    def __iter__(self) -> Iterator[Chunk]:
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - only where PostgreSQL is read

        where = f"{self._request.dataset} from {self._table}"
        first = 1
        with (
            translated(where, self._connection),
            dbapi.connect(address(self._connection)) as database,
            database.cursor() as cursor,
        ):
            cursor.adbc_statement.set_options(
                **{"adbc.postgresql.batch_size_hint_bytes": str(HINT_BYTES)}
            )
            cursor.execute(self._statement())
            for batch in cursor.fetch_record_batch():
                if batch.num_rows:
                    yield Chunk(_plain(batch), self._table, first)
                    first += batch.num_rows

    def _statement(self) -> str:
        request = self._request
        columns = ", ".join(f"{_quoted(c.native)} AS {_quoted(c.name)}" for c in request.columns)
        text = f"SELECT {columns} FROM {self._table}"  # noqa: S608 - identifiers are quoted
        if request.cursor and request.since:
            native = next(c.native for c in request.columns if c.name == request.cursor)
            since = request.since.replace("'", "''")
            text += f" WHERE {_quoted(native)} >= '{since}' OR {_quoted(native)} IS NULL"
        return text


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """NUMERIC arrives as an extension over text; the gate wants the text."""
    import pyarrow as pa  # noqa: PLC0415 - loaded by ADBC already

    columns = [
        column.storage if isinstance(column.type, pa.BaseExtensionType) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
