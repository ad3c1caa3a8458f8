"""Reading MariaDB/MySQL and SQLite through SQLAlchemy, column by column into Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlalchemy import Engine, column, create_engine, or_, select, table, text

from connectors.sql_errors import translated
from connectors.sql_url import dialect, engine_url
from onecard.connections import Connection
from onecard.ports import Checkpoint, Chunk, ReadRequest, Refusal

if TYPE_CHECKING:
    from sqlalchemy import Select

    from connectors.sql import SqlSource


class GenericReading:
    """One pass over a table with a server-side cursor, in one snapshot."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember: the core keeps the cursor
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(self, connection: Connection, request: ReadRequest, options: SqlSource) -> None:
        self._connection = connection
        self._request = request
        self._options = options

    def __iter__(self) -> Iterator[Chunk]:
        request, name = self._request, self._options.table
        size = min(request.batch_rows, 65_536)
        first = 1
        engine = create_engine(engine_url(self._connection))
        try:
            with translated(f"{request.dataset} from {name}", self._connection):
                for rows in self._pages(engine, size):
                    yield Chunk(self._batch(rows), name, first)
                    first += len(rows)
        finally:
            engine.dispose()

    def _pages(self, engine: Engine, size: int) -> Iterator[Sequence[Sequence[Any]]]:
        with engine.connect() as database:
            if dialect(self._connection) == "mysql":
                database.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
                database.execute(text("START TRANSACTION WITH CONSISTENT SNAPSHOT"))
            stream = database.execution_options(stream_results=True, yield_per=size)
            yield from stream.execute(self._statement()).partitions(size)

    def _statement(self) -> Select[Any]:
        request = self._request
        columns: list[Any] = [column(c.native) for c in request.columns]
        statement = select(*columns).select_from(
            table(self._options.table, schema=self._options.schema_)
        )
        if request.cursor and request.since:
            native = next(c.native for c in request.columns if c.name == request.cursor)
            statement = statement.where(
                or_(column(native) >= self._bound(request.since), column(native).is_(None))
            )
        return statement

    def _bound(self, since: str) -> str | datetime:
        moment = datetime.fromisoformat(since).astimezone(ZoneInfo(self._options.timezone))
        if dialect(self._connection) == "sqlite":
            return moment.isoformat()
        return moment.replace(tzinfo=None)

    def _batch(self, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
        columns = zip(*rows, strict=True)
        arrays = [_array(list(values), self._options.timezone) for values in columns]
        return pa.RecordBatch.from_arrays(arrays, names=[c.name for c in self._request.columns])


def _array(values: list[Any], zone: str) -> pa.Array:
    """One column: Arrow's own types where the column is uniform, else text."""
    sample = next((v for v in values if v is not None), None)
    if isinstance(sample, Decimal):
        return pa.array([None if v is None else format(v, "f") for v in values], pa.string())
    if isinstance(sample, timedelta | bytes | bool | float) or not _uniform(values):
        return pa.array([None if v is None else _text(v) for v in values], pa.string())
    if isinstance(sample, datetime) and sample.tzinfo is None:
        local = ZoneInfo(zone)
        zoned = [None if v is None else v.replace(tzinfo=local) for v in values]
        return pa.array(zoned, pa.timestamp("us", "UTC"))
    return pa.array(values) if sample is not None else pa.nulls(len(values), pa.string())


def _uniform(values: list[Any]) -> bool:
    return len({type(v) for v in values if v is not None}) <= 1


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return (
        value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
    )
