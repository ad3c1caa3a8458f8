"""Reconciling with a PostgreSQL: its checksums, and its rows of some keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from connectors.sql import dialects
from connectors.sql import postgres_types as types
from connectors.sql.arrow import normalised
from connectors.sql.errors import translated
from connectors.sql.options import SqlSource
from connectors.sql.read_postgres import HINT_BYTES, columns_there, set_encoding, table_name
from connectors.sql.url import address
from onecard.base.connections import Connection
from onecard.base.sql_text import query
from onecard.base.timeouts import BoundedConnection
from onecard.model.checkpoints import Checkpoint
from onecard.ports.comparison import RowKey
from onecard.ports.source import Chunk, ReadRequest, Refusal
from onecard.ports.sql_side import SqlSide, registry_form, settle
from schemas.models.contract import Contract

AT_ONCE = 1_000
"""Keys of one statement."""
OLDEST = 140000
"""PostgreSQL 14 brought `hash_record_extended` and `bit_xor` over bigint in its present form."""
_KEYS = ("string", "integer", "date")
"""Types whose text is the same literal in both databases, whatever their time zones."""


@contextmanager
def side(
    connection: Connection, request: ReadRequest, contract: Contract
) -> Iterator[SqlSide | None]:
    """The source table as one side of a comparison, in one snapshot.

    None for another database than PostgreSQL, for an old one, and where a column is of a type
    that only the gate can bring to the contract's.

    Args:
        connection: of the agency's system.
        request: dataset, columns and the table's options.
        contract: fields, their types and the key.
    """
    if not dialects.of(connection).copies:
        yield None
        return
    options = _options(request)
    where = f"{request.dataset} from {options.table}"
    with (
        translated(where, connection, request.columns),
        BoundedConnection.connect(address(connection)) as database,
    ):
        settle(database)
        table = _table(options)
        values = _values(database, table, contract, options.timezone)
        fit = database.info.server_version >= OLDEST and values is not None
        keys_fit = all(contract.field(name).type in _KEYS for name in contract.key)
        if not (fit and keys_fit):
            yield None
            return
        yield SqlSide(database, table, values or {}, contract.key, sql.SQL("true"))


class KeyedReading:
    """The rows of some keys, as `SqlConnector.read` gives them."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(
        self, connection: Connection, request: ReadRequest, key: RowKey, wanted: Collection[RowKey]
    ) -> None:
        self._connection, self._request = connection, request
        self._key, self._wanted = key, sorted(wanted)
        self._options = _options(request)

    def __iter__(self) -> Iterator[Chunk]:
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - only where PostgreSQL is read

        where, first = f"{self._request.dataset} from {self._options.table}", 1
        with (
            translated(where, self._connection, self._request.columns),
            dbapi.connect(address(self._connection)) as database,
            database.cursor() as cursor,
        ):
            cursor.adbc_statement.set_options(
                **{"adbc.postgresql.batch_size_hint_bytes": str(HINT_BYTES)}
            )
            columns = self._columns(cursor)
            set_encoding(cursor)
            for start in range(0, len(self._wanted), AT_ONCE):
                statement = self._statement(columns, self._wanted[start : start + AT_ONCE])
                cursor.execute(statement.as_string(None))
                for batch in cursor.fetch_record_batch():
                    if batch.num_rows:
                        yield Chunk(normalised(batch, self._options.timezone), where, first)
                    first += batch.num_rows

    def _columns(self, cursor: Any) -> sql.SQL:  # noqa: ANN401 - ADBC has no types
        there = columns_there(cursor, table_name(self._options))
        return sql.SQL(", ".join(types.expression(c, there) for c in self._request.columns))

    def _statement(self, columns: sql.SQL, keys: list[RowKey]) -> sql.Composed:
        native = {c.name: c.native for c in self._request.columns}
        key = sql.SQL(", ").join(sql.Identifier(native[n]) for n in self._key)
        listed = sql.SQL(", ").join(
            query("({v})", v=sql.SQL(", ").join(sql.Literal(v) for v in k)) for k in keys
        )
        return query(
            "SELECT {columns} FROM {t} WHERE ({key}) IN ({listed})",
            columns=columns,
            t=_table(self._options),
            key=key,
            listed=listed,
        )


def _options(request: ReadRequest) -> SqlSource:
    return SqlSource.model_validate(request.options.model_dump(by_alias=True))


def _table(options: SqlSource) -> sql.Identifier:
    return sql.Identifier(*(part for part in (options.schema_, options.table) if part))


def _values(
    database: psycopg.Connection[tuple[object, ...]],
    table: sql.Identifier,
    contract: Contract,
    zone: str,
) -> dict[str, sql.Composed] | None:
    """Contract field → the column as the registry's type; None when one has no such form."""
    native = sql.SQL(", ").join(sql.Identifier(f.native) for f in contract.fields)
    cursor = database.execute(query("SELECT {n} FROM {t} LIMIT 0", n=native, t=table))
    found: dict[str, sql.Composed] = {}
    for field, column in zip(contract.fields, cursor.description or (), strict=True):
        value = registry_form(field, sql.Identifier(field.native), column.type_code, zone)
        if value is None:
            return None
        found[field.name] = value
    return found
