"""One side of a comparison: bucketed checksums over key and row, computed inside PostgreSQL.

Both sides cast their columns to the registry's types, and hash key and row as records
(`hash_record_extended`): each value is hashed by itself and the hashes are combined by position,
so that NULL is not the empty string and a value that moves to the next column is another row. The
function's result may change between major versions of PostgreSQL; `PROBE` tells whether two
servers agree.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, LiteralString, Protocol, runtime_checkable

import psycopg
from psycopg import sql
from psycopg.rows import scalar_row, tuple_row

from onecard.base.connections import Connection as System
from onecard.base.sql_text import query
from onecard.base.times import CLOCKS, CLOCKS_SINCE, OFFSET, POSIX_ZONE
from onecard.ports.comparison import Buckets, Coarser, RowKey
from onecard.ports.source import Reading, ReadRequest
from schemas.models.contract import Contract, Field

CLOCK_TIME = 1114
"""`timestamp without time zone` (OID in pg_type.h)."""
PROBE: LiteralString = (
    "SELECT hash_record_extended(ROW('卡'::text, 1::bigint, 1.50::numeric, DATE '1988-09-11',"
    " TIMESTAMPTZ '1988-09-11 01:30+09', NULL::text), 0)"
)
_CASTS: dict[str, dict[int, LiteralString]] = {
    "string": dict.fromkeys((25, 1043, 1042, 20, 21, 23), "{c}::text"),
    "integer": dict.fromkeys((20, 21, 23), "{c}::bigint"),
    "number": dict.fromkeys((20, 21, 23, 1700), "{c}::numeric"),
    "date": {1082: "{c}"},
    "timestamp": {1184: "{c}", 1114: "({c} AT TIME ZONE {z})"},
}
"""Type of a field → type of the column (OID in pg_type.h: 20, 21, 23 integers, 25, 1042, 1043
texts, 1082 date, 1114 and 1184 timestamps, 1700 numeric) → the registry's type of it."""


@dataclass(frozen=True, slots=True)
class SqlSide:
    """A table in a PostgreSQL, read in the snapshot of one read-only transaction.

    Attributes:
        values: contract field → expression of the registry's type.
        key: the contract's key fields.
        where: which rows are compared.
    """

    connection: psycopg.Connection[Any]
    table: sql.Composable
    values: dict[str, sql.Composed]
    key: tuple[str, ...]
    where: sql.Composable

    def buckets(self, bits: int, within: Coarser | None) -> Buckets:
        """Rows and XOR of the row hashes by bucket."""
        where = self._within(within.bits, within.chosen) if within else self.where
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(
                query(
                    "SELECT {bucket}, count(*), bit_xor({row}) FROM {t} WHERE {where} GROUP BY 1",
                    bucket=self._bucket(bits),
                    row=self._row(),
                    t=self.table,
                    where=where,
                )
            )
            return Buckets((number, rows, checksum) for number, rows, checksum in cursor)

    def members(self, bits: int, chosen: Collection[int]) -> dict[RowKey, int]:
        """Key and row hash of the rows in some buckets; rows without a whole key are left out.

        A source may hold such rows where nothing forbids it; they are no rows of the dataset.
        """
        texts = sql.SQL(", ").join(query("{v}::text", v=self.values[n]) for n in self.key)
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(
                query(
                    "SELECT {row}, {key} FROM {t} WHERE {where}",
                    row=self._row(),
                    key=texts,
                    t=self.table,
                    where=self._within(bits, chosen),
                )
            )
            return {tuple(key): found for found, *key in cursor if None not in key}

    def probe(self) -> int:
        """The hash of a record that is the same everywhere."""
        with self.connection.cursor(row_factory=scalar_row) as cursor:
            return int(cursor.execute(PROBE).fetchone() or 0)

    def _within(self, bits: int, chosen: Collection[int]) -> sql.Composed:
        listed = sql.SQL(", ").join(sql.Literal(n) for n in sorted(chosen))
        return query(
            "{where} AND {b} IN ({listed})",
            where=self.where,
            b=self._bucket(bits),
            listed=listed,
        )

    def _bucket(self, bits: int) -> sql.Composed:
        return query(
            "({k} & {mask})",
            k=self._hash(self.key),
            mask=sql.Literal((1 << bits) - 1),
        )

    def _row(self) -> sql.Composed:
        return self._hash(tuple(self.values))

    def _hash(self, columns: tuple[str, ...]) -> sql.Composed:
        listed = sql.SQL(", ").join(self.values[name] for name in columns)
        return query("hash_record_extended(ROW({v}), 0)", v=listed)


@runtime_checkable
class Comparable(Protocol):
    """A connector that can compare inside the agency's database."""

    def side(
        self, connection: System, request: ReadRequest, contract: Contract
    ) -> AbstractContextManager[SqlSide | None]:
        """The source's side; None when it is not such a database, or its types do not allow it.

        Args:
            connection: of the agency's system.
            request: dataset, columns and the table's options.
            contract: fields, their types and the key.
        """
        ...

    def read_keys(
        self, connection: System, request: ReadRequest, key: RowKey, wanted: Collection[RowKey]
    ) -> Reading:
        """The source's rows of the `wanted` keys only; `key` names the key's fields.

        Args:
            connection: of the agency's system.
            request: dataset, columns and the table's options.
            key: names of the key fields.
            wanted: their values, in that order.
        """
        ...


def settle(connection: psycopg.Connection[Any]) -> None:
    """One snapshot, no writing, and texts of dates and times that do not depend on the server.

    Sums by bucket stay in memory: the planner, which cannot know how few buckets there are, would
    sort all rows; and JIT costs more than it saves. For this transaction only.
    """
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.execute("SET LOCAL TimeZone = 'UTC'")
    connection.execute("SET LOCAL DateStyle = 'ISO'")
    connection.execute("SET LOCAL work_mem = '64MB'")
    connection.execute("SET LOCAL enable_sort = off")
    connection.execute("SET LOCAL jit = off")


def registry_form(field: Field, column: sql.Composable, oid: int, zone: str) -> sql.Composed | None:
    """A source's column as the registry's type; None when a value might not fit it.

    Args:
        field: the contract's field.
        column: the source's column.
        oid: type of the column (`pg_type.h`).
        zone: of the source's timestamps without one.

    What equals the registry's value here equals it after the gate too; what differs is looked at
    again through the gate before anyone calls it a difference.
    """
    if oid not in _CASTS[field.type]:
        return None
    if oid == CLOCK_TIME and zone == CLOCKS:
        return query(
            "(CASE WHEN {c} < {first} THEN {c} AT TIME ZONE {old} ELSE {c} AT TIME ZONE {z} END)",
            c=column,
            first=sql.Literal(CLOCKS_SINCE),
            old=sql.Literal(POSIX_ZONE),
            z=sql.Literal(zone),
        )
    posix = POSIX_ZONE if zone == OFFSET else zone
    return query(_CASTS[field.type][oid], c=column, z=sql.Literal(posix))


def table_side(
    connection: psycopg.Connection[Any],
    contract: Contract,
    table: sql.Composable,
    where: sql.Composable,
) -> SqlSide:
    """A table of the hub's own (registry or staging) as a side: its columns are canonical.

    Args:
        connection: of the hub's database, in a snapshot (`settle`).
        contract: of the dataset.
        table: with the contract's fields.
        where: which rows are compared.
    """
    values = {f.name: query("{c}", c=sql.Identifier(f.name)) for f in contract.fields}
    return SqlSide(connection, table, values, contract.key, where)
