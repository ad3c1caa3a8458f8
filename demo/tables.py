"""Writing the agencies' tables: native names, native types, loaded by COPY."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from adbc_driver_postgresql import dbapi

from schemas.models.contract import Contract

NATIVE_TYPES = {
    "string": "text",
    "date": "date",
    "timestamp": "timestamptz",
    "integer": "bigint",
    "number": "numeric",
}


def create_postgres(address: str, schema: str, table: str, contract: Contract) -> None:
    """Make the agency's table: the contract's native names, quoted; no constraint but its types."""
    columns = ", ".join(f'"{f.native}" {NATIVE_TYPES[f.type]}' for f in contract.fields)
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        cursor.execute(f'DROP TABLE IF EXISTS "{schema}"."{table}"')
        cursor.execute(f'CREATE TABLE "{schema}"."{table}" ({columns})')
        connection.commit()


def index_postgres(address: str, schema: str, table: str, native: str) -> None:
    """The index that every agency has on its update time."""
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(f'CREATE INDEX ON "{schema}"."{table}" ("{native}")')
        cursor.execute(f'ANALYZE "{schema}"."{table}"')
        connection.commit()


def append_postgres(
    address: str, schema: str, table: str, contract: Contract, frames: Iterable[pl.DataFrame]
) -> int:
    """COPY frames (contract names) into the agency's table; returns the number of rows."""
    native = {f.name: f.native for f in contract.fields}
    rows = 0
    with dbapi.connect(address) as connection, connection.cursor() as cursor:
        for frame in frames:
            if not len(frame):
                continue
            named = frame.select(contract.names).rename(native)
            data = named.to_arrow(compat_level=pl.CompatLevel.oldest())
            cursor.adbc_ingest(table, data, mode="append", db_schema_name=schema)
            rows += len(frame)
        connection.commit()
    return rows


def delete_postgres(address: str, schema: str, table: str, native: str, keys: list[str]) -> None:
    """Delete rows by one key column."""
    import psycopg  # noqa: PLC0415 - ADBC binds no arrays

    with psycopg.connect(address) as connection:
        statement = f'DELETE FROM "{schema}"."{table}" WHERE "{native}" = ANY(%s)'  # noqa: S608 - our own names
        connection.execute(statement.encode(), (keys,))
