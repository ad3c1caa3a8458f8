"""An inbox and what it should hold, as canonical texts in staging tables, compared there.

Memory does not grow with the inbox: rows stream into PostgreSQL, which sorts and joins on disk.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from psycopg import sql

from onecard.base.prefetch import prefetch
from onecard.base.sql_text import names, query
from onecard.deliver.expected_inbox import (
    ENTRY,
    HELD,
    KEY,
    LAPSED,
    LEAVING,
    QUARANTINED,
    STATE,
    WAITING,
)
from onecard.ports.comparison import RowKey
from onecard.reconcile.canonical_text import canonical_text, typed
from onecard.store import staging
from onecard.store.database import Connection
from onecard.store.loader import Loader
from schemas.models.agreement import Agreement

if TYPE_CHECKING:
    import polars as pl

SEQUENCE = "_sequence"
"""Order of arrival: of two rows with one key the later counts."""
GONE_FLAG = "_gone"
"""Of what an inbox holds: the delivery told it to drop the key."""
AGREEING, MISSING, DIFFERING, EXTRA = "agreeing", "missing", "differing", "extra"
GONE = "gone"
"""Neither there nor to be there: counted nowhere."""
VERDICTS = (AGREEING, MISSING, DIFFERING, EXTRA, WAITING, LAPSED, QUARANTINED)


@dataclass(frozen=True, slots=True)
class StagingTable:
    """One of the two tables: its name, and columns beside the agreement's."""

    name: str
    more: tuple[str, ...] = ()


class InboxRows:
    """Staged rows of one agreement's reconciliation; one at a time, the caller sees to that.

    Attributes:
        expected: what the consumer should hold, with state and dataset key.
        present: what its inbox holds; keys that it was told to drop are marked.
        chosen: name of the table of dataset keys that are delivered again, once judged.
    """

    def __init__(self, address: str, connection: Connection, agreement: Agreement) -> None:
        """Name the tables.

        Args:
            address: of the hub's database.
            connection: to it.
            agreement: whose inbox it is.
        """
        self._address, self._connection, self._agreement = address, connection, agreement
        digest = hashlib.sha256(agreement.id.encode()).hexdigest()
        self._prefix = f"inbox_{digest[:16]}__"
        self.expected = StagingTable(self._prefix + "expected", (STATE, KEY, ENTRY))
        self.present = StagingTable(self._prefix + "present", (GONE_FLAG,))
        self.chosen = self._prefix + "chosen"

    @contextmanager
    def opened(self) -> Iterator[InboxRows]:
        """Make the tables, and drop them at the end; also those that a killed run left."""
        self._drop()
        for table in (self.expected, self.present):
            columns = [query("{c} text", c=sql.Identifier(n)) for n in self._columns(table)]
            body = sql.SQL(", ").join([*columns, query("{s} bigint", s=sql.Identifier(SEQUENCE))])
            make = query("CREATE UNLOGGED TABLE {t} ({b})", t=_table(table.name), b=body)
            self._connection.execute(make)
        try:
            yield self
        finally:
            self._drop()

    def load(
        self, table: StagingTable, batches: Iterable[pa.RecordBatch], schema: pa.Schema | None
    ) -> pa.Schema | None:
        """Stage rows as canonical texts, numbered as they come.

        Args:
            table: where they belong.
            batches: of the agreement's columns, and those of the table; one that lacks is NULL.
            schema: the types with which rows leave; None: those of the first batch.

        Returns:
            The types; None when there was no row to tell them.
        """
        first = 0
        with Loader(self._address, table.name) as loader:
            for batch in prefetch(iter(batches), f"the rows of {self._agreement.id}"):
                schema = schema or batch.schema
                if batch.num_rows:
                    loader.put(self._texts(table, batch, schema, first))
                first += batch.num_rows
        return schema

    def judge(self, *, blank_is_null: bool) -> dict[str, int]:
        """Compare by key and row, and choose what is delivered again.

        Args:
            blank_is_null: the inbox cannot tell the empty string from NULL.

        Returns:
            Number of rows by verdict, each of `VERDICTS` named.
        """
        self._connection.execute(
            query(
                "CREATE UNLOGGED TABLE {t} AS SELECT coalesce(s._k, h._k) AS _k, s._key, s._entry,"
                " {verdict} AS verdict FROM ({expected}) s FULL JOIN ({present}) h ON s._k = h._k",
                t=_table(self._verdict),
                verdict=self._judged(blank=blank_is_null),
                expected=self._newest(self.expected, blank=blank_is_null),
                present=self._newest(self.present, blank=blank_is_null),
            )
        )
        self._connection.execute(
            query(
                "CREATE UNLOGGED TABLE {t} AS SELECT DISTINCT _key FROM {v} WHERE verdict IN"
                " ({missing}, {differing})",
                t=_table(self.chosen),
                v=_table(self._verdict),
                missing=sql.Literal(MISSING),
                differing=sql.Literal(DIFFERING),
            )
        )
        rows = self._connection.execute(
            query("SELECT verdict, count(*) FROM {v} GROUP BY 1", v=_table(self._verdict))
        ).fetchall()
        return dict.fromkeys(VERDICTS, 0) | {str(v): int(str(n)) for v, n in rows}

    def keys(self, verdict: str, limit: int | None) -> list[RowKey]:
        """The first keys with a verdict, or all."""
        rows = self._connection.execute(
            query(
                "SELECT _k FROM {v} WHERE verdict = {verdict} ORDER BY 1 LIMIT {n}",
                v=_table(self._verdict),
                verdict=sql.Literal(verdict),
                n=sql.Literal(limit),
            )
        ).fetchall()
        return [tuple(str(v) for v in json.loads(str(row[0]))) for row in rows]

    def entries(self, *verdicts: str) -> pl.DataFrame:
        """References and digests of rows with one of these verdicts.

        Returns:
            Columns `high`, `low`, `digest`.
        """
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        listed = sql.SQL(", ").join(sql.Literal(v) for v in verdicts)
        rows = self._connection.execute(
            query(
                "SELECT _entry FROM {v} WHERE verdict IN ({listed}) AND _entry IS NOT NULL",
                v=_table(self._verdict),
                listed=listed,
            )
        ).fetchall()
        split = pl.Series([str(row[0]) for row in rows], dtype=pl.String).str.split(" ")
        names = ("high", "low", "digest")
        return pl.DataFrame({n: split.list.get(i).cast(pl.UInt64) for i, n in enumerate(names)})

    def keys_typed(self, verdict: str, schema: pa.Schema) -> pl.DataFrame:
        """Keys with a verdict, in the columns and types with which keys leave.

        A key that is no value of its type, which nobody can have sent, is left out.

        Args:
            verdict: one of `VERDICTS`.
            schema: the types with which rows leave.
        """
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        found = self.keys(verdict, None)
        columns = {}
        for index, name in enumerate(self._agreement.key):
            texts = pa.array([key[index] for key in found], pa.string())
            columns[name] = typed(texts, schema.field(name).type)
        frame = pl.DataFrame(pl.from_arrow(pa.table(columns)))
        return frame.drop_nulls()

    @property
    def _verdict(self) -> str:
        return self._prefix + "verdict"

    def _columns(self, table: StagingTable) -> tuple[str, ...]:
        return (*self._agreement.names, *table.more)

    def _texts(
        self, table: StagingTable, batch: pa.RecordBatch, schema: pa.Schema, first: int
    ) -> pl.DataFrame:
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        text = pa.string()
        columns = [
            canonical_text(batch.column(n), schema.field(n).type if n in schema.names else text)
            if n in batch.schema.names
            else pa.nulls(batch.num_rows, text)
            for n in self._columns(table)
        ]
        number = pa.array(range(first, first + batch.num_rows), pa.int64())
        listed = [*self._columns(table), SEQUENCE]
        return pl.DataFrame(
            pl.from_arrow(pa.RecordBatch.from_arrays([*columns, number], names=listed))
        )

    def _newest(self, table: StagingTable, *, blank: bool) -> sql.Composed:
        """The row of each key that counts: the last that came; one that waits only if no other."""
        key = query("jsonb_build_array({v})::text", v=_values(self._agreement.key, "", blank=blank))
        waits, order, there = query("false"), query("_k"), query("true")
        if GONE_FLAG in table.more:
            there = query("{g} IS NULL", g=sql.Identifier(GONE_FLAG))
        if STATE in table.more:
            waiting = query("{s} = {w}", s=sql.Identifier(STATE), w=sql.Literal(WAITING))
            waits = query("bool_or({w}) OVER (PARTITION BY {k})", w=waiting, k=key)
            order = query("_k, {w}", w=waiting)
        return query(
            "SELECT * FROM (SELECT DISTINCT ON (_k) * FROM"
            " (SELECT *, {key} AS _k, {waits} AS _waits FROM {t}) x"
            " ORDER BY {order}, {sequence} DESC) newest WHERE {there}",
            key=key,
            waits=waits,
            t=_table(table.name),
            order=order,
            there=there,
            sequence=sql.Identifier(SEQUENCE),
        )

    def _judged(self, *, blank: bool) -> sql.Composed:
        return query(
            "CASE WHEN s._k IS NULL THEN {extra}"
            " WHEN s.{state} = {leaving} THEN CASE WHEN h._k IS NULL THEN {gone} ELSE {waiting} END"
            " WHEN h._k IS NOT NULL AND ROW({mine}) IS NOT DISTINCT FROM ROW({its}) THEN {agreeing}"
            " WHEN s._waits THEN {waiting}"
            " WHEN s.{state} <> {held} THEN s.{state}"
            " WHEN h._k IS NULL THEN {missing} ELSE {differing} END",
            mine=_values(self._agreement.names, "s.", blank=blank),
            its=_values(self._agreement.names, "h.", blank=blank),
            state=sql.Identifier(STATE),
            **{
                word: sql.Literal(word)
                for word in (EXTRA, AGREEING, WAITING, HELD, MISSING, DIFFERING, LEAVING, GONE)
            },
        )

    def _drop(self) -> None:
        rows = self._connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND starts_with(tablename, %s)",
            (staging.STAGING, self._prefix),
        ).fetchall()
        for (name,) in rows:
            self._connection.execute(query("DROP TABLE IF EXISTS {t}", t=_table(str(name))))


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(staging.STAGING, name)


def _values(columns: tuple[str, ...], prefix: str, *, blank: bool) -> sql.Composed:
    if not blank:
        return names(columns, prefix)
    return sql.SQL(", ").join(
        query("nullif({c}, '')", c=sql.SQL(prefix) + sql.Identifier(n)) for n in columns
    )
