"""Reading MariaDB/MySQL and SQLite through SQLAlchemy, column by column into Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
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
    inspect,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.exc import NoSuchTableError

from connectors.common.gather import OBJECT_ROWS
from connectors.sql import since as sql_since
from connectors.sql.arrow import zoned
from connectors.sql.errors import translated
from connectors.sql.options import SqlSource
from connectors.sql.url import dialect, engine_url
from onecard.base.connections import Connection
from onecard.base.times import OFFSET
from onecard.errors import ConfigError, SchemaMismatch
from onecard.model.checkpoints import Checkpoint
from onecard.ports.source import Chunk, Column, ReadRequest, Refusal

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

ENCODING = "record.encoding"
OFFSETS = {"Asia/Shanghai": OFFSET, OFFSET: OFFSET, "UTC": "+00:00"}
"""MariaDB need not have the tables of named zones; it turns TIMESTAMP columns into this one."""


class GenericReading:
    """One pass over a table with a server-side cursor, in one snapshot."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember: the core keeps the cursor
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(self, connection: Connection, request: ReadRequest, options: SqlSource) -> None:
        self._connection = connection
        self._request = request
        self._options = options
        self._counts = options.count and sql_since.native(request) is not None
        self.rows_there: int | None = None
        self._columns = request.columns

    def __iter__(self) -> Iterator[Chunk]:
        request, name = self._request, self._options.table
        size = min(request.batch_rows, OBJECT_ROWS)
        where = f"{request.dataset} from {name}"
        first = 1
        with (
            _engine(self._connection, where) as engine,
            translated(where, self._connection, request.columns),
        ):
            for rows in self._pages(engine, size):
                yield self._chunk(rows, first)
                first += len(rows)

    def _pages(self, engine: Engine, size: int) -> Iterator[Sequence[Sequence[Any]]]:
        self._columns = self._wanted(engine)
        statement = self._statement(engine)
        with engine.connect() as database:
            if dialect(self._connection) == "mysql":
                offset = OFFSETS[self._options.timezone]
                database.execute(text("SET time_zone = :offset"), {"offset": offset})
                database.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
                database.execute(text("START TRANSACTION WITH CONSISTENT SNAPSHOT"))
            stream = database.execution_options(stream_results=True, yield_per=size)
            yield from stream.execute(statement).partitions(size)
            if self._counts:
                every = table(self._options.table, schema=self._options.schema_)
                self.rows_there = database.scalar(select(func.count()).select_from(every))

    def _wanted(self, engine: Engine) -> tuple[Column, ...]:
        """The contract's columns, without those that may be lacking and are.

        Raises:
            SchemaMismatch: a column is missing from SQLite, which would read its quoted name as
                text and give that for every row.
        """
        wanted, name = self._request.columns, self._options.table
        lite = dialect(self._connection) == "sqlite"
        if not lite and all(c.required_to_read for c in wanted):
            return wanted
        try:
            declared = inspect(engine).get_columns(name, schema=self._options.schema_)
        except NoSuchTableError:
            return wanted  # the reading itself says so
        there = {str(c["name"]).lower() for c in declared}
        lost = [c for c in wanted if c.native.lower() not in there]
        if lite and (
            required_to_read := ", ".join(
                f"{c.native} ({c.name})" for c in lost if c.required_to_read
            )
        ):
            by = f"(connection {self._connection.id!r})"
            msg = f"{self._request.dataset} from {name}: column {required_to_read} is missing {by}"
            raise SchemaMismatch(msg)
        return tuple(c for c in wanted if c.required_to_read or c not in lost)

    def _statement(self, engine: Engine) -> Select[Any]:
        columns: list[Any] = [column(c.native) for c in self._columns]
        statement = select(*columns).select_from(
            table(self._options.table, schema=self._options.schema_)
        )
        native = sql_since.native(self._request)
        if native is None:
            return statement
        return statement.where(or_(self._reached(engine, native), column(native).is_(None)))

    def _reached(self, engine: Engine, native: str) -> ColumnElement[bool]:
        """`cursor >= bound` in the cursor's own type; the bound is only ever rounded down.

        SQLite keeps times as text, with a blank or a T between date and time.
        """
        since = str(self._request.since)
        if (number := sql_since.number(since)) is not None:
            return column(native, BigInteger()) >= number
        aware = sql_since.moment(since, self._options.timezone, self._request.dataset)
        moment = aware.replace(tzinfo=None)
        if dialect(self._connection) == "sqlite":
            later = func.replace(column(native), "T", " ") >= moment.isoformat(" ", "seconds")
            return or_(later, column(native) == moment.date().isoformat())
        if isinstance(self._type(engine, native), Date):
            return column(native, Date()) >= moment.date()
        return column(native, DateTime()) >= moment

    def _type(self, engine: Engine, native: str) -> object:
        there = inspect(engine).get_columns(self._options.table, schema=self._options.schema_)
        return next((c["type"] for c in there if c["name"].lower() == native.lower()), None)

    def _chunk(self, rows: Sequence[Sequence[Any]], first: int) -> Chunk:
        damaged: dict[int, str] = {}
        arrays = [
            _array(list(values), self._options.timezone, damaged)
            for values in zip(*rows, strict=True)
        ]
        names = [c.name for c in self._columns]
        batch = pa.RecordBatch.from_arrays(arrays, names=names)
        return Chunk(batch, self._options.table, first, damaged)


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


def _decoded(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def _array(values: list[Any], zone: str, damaged: dict[int, str]) -> pa.Array:
    """One column: Arrow's own types where the column is uniform, else text.

    Rows whose bytes are no text are added to `damaged`.
    """
    kinds = {type(v) for v in values if v is not None}
    if kinds == {datetime} and not any(v.tzinfo for v in values if v is not None):
        return zoned(pa.array(values, pa.timestamp("us")), zone)
    if len(kinds) == 1 and not kinds & {Decimal, timedelta, bytes, bool, float}:
        try:
            return pa.array(values)
        except (OverflowError, pa.ArrowInvalid, UnicodeError):
            pass
    texts: list[str | None] = []
    for place, value in enumerate(values):
        try:
            texts.append(None if value is None else _text(value))
        except UnicodeError:
            texts.append(None)
            damaged[place] = ENCODING
    return pa.array(texts, pa.string())


def _text(value: object) -> str:
    """A value as text: decimals plain, floats exact, bytes as UTF-8 (else UnicodeError)."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, float):
        return repr(value)
    found = str(value)
    found.encode("utf-8")
    return found
