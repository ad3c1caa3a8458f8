"""Some keys of a dataset in a temporary table, joined there with staged and published rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from psycopg import sql

from onecard.base.sql_text import query
from onecard.ports.comparison import RowKey
from onecard.store import registry, row_order, staging
from onecard.store.database import Connection
from schemas.models.contract import Contract

LISTED = sql.SQL("pg_temp.onecard_candidate")


class ListedKeys:
    """A temporary table of keys, as texts."""

    def __init__(self, connection: Connection, contract: Contract) -> None:
        self._connection, self._contract = connection, contract

    def load(self, keys: Collection[RowKey]) -> None:
        """Replace what is listed."""
        make = query(
            "CREATE TEMP TABLE {t} ({c})",
            t=sql.SQL("onecard_candidate"),
            c=sql.SQL(", ").join(query("{c} text", c=c) for c in self._columns),
        )
        for setting in ("TimeZone = 'UTC'", "DateStyle = 'ISO'"):  # as the sides write keys
            self._connection.execute(f"SET {setting}".encode())
        self._connection.execute(query("DROP TABLE IF EXISTS {t}", t=LISTED))
        self._connection.execute(make)
        copy = query("COPY {t} FROM STDIN", t=LISTED)
        with self._connection.cursor() as cursor, cursor.copy(copy) as target:
            for key in keys:
                target.write_row(key)
        self._connection.execute(query("ANALYZE {t}", t=LISTED))

    def copy(self, staged: sql.Identifier, into: sql.Identifier) -> None:
        """Make a table of the staged rows of the listed keys, in the place of an earlier one."""
        self._connection.execute(query("DROP TABLE IF EXISTS {into}", into=into))
        self._connection.execute(
            query(
                "CREATE UNLOGGED TABLE {into} AS SELECT s.* FROM {c} c JOIN {t} s ON {on}",
                into=into,
                c=LISTED,
                t=staged,
                on=self._on("s"),
            )
        )

    def compared(
        self, staged: sql.Identifier, version: int, watermark: datetime | None
    ) -> list[tuple[object, ...]]:
        """The listed keys, staged and published side by side.

        Args:
            staged: the staged rows.
            version: rows published in a newer version are left out.
            watermark: staged rows with a cursor from here on wait for the next collect.

        Returns:
            For each key: whether it is staged, whether it is published, whether the rows differ,
            whether the staged one waits, whether it is older than the published one, also than
            one that was published as deleted, then the key's values as texts.
        """
        contract = self._contract
        positions = staging.has_positions(self._connection, staged)
        statement = query(
            "SELECT s.{k} IS NOT NULL, t.{k} IS NOT NULL AND t._deleted_at IS NULL,"
            " ROW({s}) IS DISTINCT FROM ROW({t}), {waits}, {older}, {columns} FROM {c} c"
            " LEFT JOIN {staged} s ON {on_s} LEFT JOIN {published} t ON {on_t}"
            " WHERE t.{k} IS NULL OR t._version <= {version}",
            k=sql.Identifier(contract.key[0]),
            s=self._names("s"),
            t=self._names("t"),
            waits=self._waits(watermark),
            older=query(
                "t.{k} IS NOT NULL AND {older}",
                k=sql.Identifier(contract.key[0]),
                older=row_order.older(contract, positions=positions),
            ),
            columns=sql.SQL(", ").join(self._columns),
            c=LISTED,
            staged=staged,
            on_s=self._on("s"),
            published=registry.published(contract),
            on_t=self._on("t"),
            version=sql.Literal(version),
        )
        return self._connection.execute(statement).fetchall()

    @property
    def _columns(self) -> list[sql.Identifier]:
        return [sql.Identifier(f"k{i}") for i in range(len(self._contract.key))]

    def _waits(self, watermark: datetime | None) -> sql.Composed:
        cursor = self._contract.source.cursor
        if not cursor or not watermark:
            return query("false")
        reached = sql.Literal(watermark.isoformat())
        return query("coalesce(s.{c} >= {w}, false)", c=sql.Identifier(cursor), w=reached)

    def _names(self, alias: str) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(alias, name) for name in self._contract.names)

    def _on(self, alias: str) -> sql.Composed:
        """Join of the listed keys with a table, on the key's values as text."""
        pairs = [
            query("{v}::text = c.{k}", v=sql.Identifier(alias, n), k=sql.Identifier(f"k{i}"))
            for i, n in enumerate(self._contract.key)
        ]
        return sql.SQL(" AND ").join(pairs)
