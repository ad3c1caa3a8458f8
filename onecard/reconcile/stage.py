"""The source's rows, through the gate, in a staging table; and what they say of some keys."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from psycopg import sql

from onecard.base.prefetch import prefetch
from onecard.collect.run import CollectContext
from onecard.errors import ProtocolError
from onecard.ports.comparison import RowKey
from onecard.ports.row_gate import Reason, Rejected
from onecard.ports.source import Reading
from onecard.store import ledger, quarantine, registry
from onecard.store.database import Connection, query
from onecard.store.loader import Loader
from schemas.models.contract import Contract
from schemas.models.rules import Unique

MOST_UNKNOWN = 100_000
"""Rejected rows that no collect has seen; with more, the source is another than the contract's."""
CANDIDATES = sql.SQL("pg_temp.onecard_candidate")


@dataclass(slots=True)
class Verdict:
    """What the source, read through the gate, says of the keys that were in doubt."""

    missing: list[RowKey] = field(default_factory=list)
    extra: list[RowKey] = field(default_factory=list)
    differing: list[RowKey] = field(default_factory=list)
    waiting: list[RowKey] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Located:
    """A rejected row, and the table, file or page that it came from."""

    origin: str
    row: Rejected


class Stage:
    """Staging tables of one reconciliation; a collect's clean-up does not see their names.

    Attributes:
        rejected: how many rows the gate refused.
        unknown: those of them that no collect has seen: no quarantined row is theirs, not even an
            ended one. What was purged when its time was over has been seen and counted; it does
            not come back.
        version: of the dataset when the comparison began; rows published later are left alone.
    """

    def __init__(
        self, tools: CollectContext, contract: Contract, connection: Connection, number: int
    ) -> None:
        self._tools, self._contract, self._connection = tools, contract, connection
        self._transfer = -number
        self.rejected = 0
        self.unknown: list[Located] = []
        self._rejected_keys: set[RowKey] = set()
        self.version = ledger.state(connection, contract.id).version

    @property
    def table(self) -> sql.Identifier:
        """The staged rows."""
        return registry.staged(self._contract, self._transfer)

    @property
    def chosen(self) -> sql.Identifier:
        """The staged rows that are healed."""
        return sql.Identifier(registry.STAGING, self._name + "__heal")

    @property
    def _name(self) -> str:
        return registry.staging_name(self._contract, self._transfer)

    @contextmanager
    def opened(self) -> Iterator[Stage]:
        """Make the tables, and drop them at the end; also those that a killed run left."""
        self._drop()
        registry.create_staging(self._connection, self._contract, self._transfer, first=False)
        try:
            yield self
        finally:
            self._drop()

    def fill(self, reading: Reading) -> int:
        """Take all rows of a reading; returns how many were read."""
        now, read = self._tools.settings.now(), 0
        with Loader(self._tools.address, self._name) as loader:
            for chunk in prefetch(iter(reading), f"the source of {self._contract.id}"):
                checked = self._tools.gate.check(chunk, now)
                read += chunk.batch.num_rows
                self._reject([Located(chunk.origin, row) for row in checked.rejected])
                if len(checked.good):
                    loader.put(checked.good)
        registry.deduplicate(self._connection, self._contract, self._transfer)
        for rule in self._contract.rules:
            if isinstance(rule.check, Unique):
                self._move(rule.check, Reason(rule.check.columns[-1], rule.name))
        return read

    def _reject(self, found: list[Located]) -> None:
        """Count them, and keep those that no collect has seen.

        Raises:
            ProtocolError: they are more than can be one mistake of a collect.
        """
        if not found:
            return
        self.rejected += len(found)
        self._rejected_keys.update(_key(self._contract, f.row) for f in found)
        key = self._tools.keys.quarantine()
        prints = [quarantine.fingerprint(self._contract.id, f.origin, f.row, key) for f in found]
        rows = self._connection.execute(
            "SELECT fingerprint FROM quarantine.record WHERE dataset = %s"
            " AND fingerprint = ANY(%s)",
            (self._contract.id, prints),
        ).fetchall()
        known = {bytes(row[0]) for row in rows if isinstance(row[0], bytes)}
        self.unknown += [f for f, p in zip(found, prints, strict=True) if p not in known]
        if len(self.unknown) > MOST_UNKNOWN:
            msg = (
                f"{self._contract.id}: the gate refuses more than {MOST_UNKNOWN} rows of the source"
                " that no collect has seen; nothing was healed. Look at the source with"
                f" `onecard drift {self._contract.id}`, and collect it first"
            )
            raise ProtocolError(msg)

    def judge(self, keys: Collection[RowKey], watermark: datetime | None) -> Verdict:
        """Compare the staged rows of these keys with the registry, value by value.

        Args:
            keys: the keys in doubt.
            watermark: staged rows with a cursor from here on are read by the next collect anyway.
        """
        self._candidates(keys)
        found = Verdict()
        for there, held, differs, waits, *values in self._compared(watermark):
            key = tuple(str(v) for v in values)
            if waits and (differs or not held):
                found.waiting.append(key)
            elif there and not held:
                found.missing.append(key)
            elif there and differs:
                found.differing.append(key)
            elif not there and held and key not in self._rejected_keys:
                found.extra.append(key)
        return found

    def choose(self, keys: Collection[RowKey]) -> None:
        """Keep the staged rows of these keys apart, to be published."""
        self._candidates(keys)
        self._connection.execute(
            query(
                "CREATE UNLOGGED TABLE {chosen} AS SELECT s.* FROM {c} c JOIN {t} s ON {on}",
                chosen=self.chosen,
                c=CANDIDATES,
                t=self.table,
                on=self._on("s"),
            )
        )

    def _compared(self, watermark: datetime | None) -> list[tuple[object, ...]]:
        contract, first = self._contract, sql.Identifier(self._contract.key[0])
        cursor = contract.source.cursor
        waits = query("false")
        if cursor and watermark:
            reached = sql.Literal(watermark.isoformat())
            waits = query("coalesce(s.{c} >= {w}, false)", c=sql.Identifier(cursor), w=reached)
        columns = [sql.Identifier(f"k{i}") for i in range(len(contract.key))]
        statement = query(
            "SELECT s.{k} IS NOT NULL, t.{k} IS NOT NULL AND t._deleted_at IS NULL,"
            " ROW({s}) IS DISTINCT FROM ROW({t}), {waits}, {columns} FROM {c} c"
            " LEFT JOIN {staged} s ON {on_s} LEFT JOIN {published} t ON {on_t}"
            " WHERE t.{k} IS NULL OR t._version <= {version}",
            k=first,
            s=_names(contract, "s"),
            t=_names(contract, "t"),
            waits=waits,
            columns=sql.SQL(", ").join(columns),
            c=CANDIDATES,
            staged=self.table,
            on_s=self._on("s"),
            published=registry.published(contract),
            on_t=self._on("t"),
            version=sql.Literal(self.version),
        )
        return self._connection.execute(statement).fetchall()

    def _candidates(self, keys: Collection[RowKey]) -> None:
        columns = [sql.Identifier(f"k{i}") for i in range(len(self._contract.key))]
        make = query(
            "CREATE TEMP TABLE {t} ({c})",
            t=sql.SQL("onecard_candidate"),
            c=sql.SQL(", ").join(query("{c} text", c=c) for c in columns),
        )
        for setting in ("TimeZone = 'UTC'", "DateStyle = 'ISO'"):  # as the sides write keys
            self._connection.execute(f"SET {setting}".encode())
        self._connection.execute(query("DROP TABLE IF EXISTS {t}", t=CANDIDATES))
        self._connection.execute(make)
        copy = query("COPY {t} FROM STDIN", t=CANDIDATES)
        with self._connection.cursor() as cursor, cursor.copy(copy) as target:
            for key in keys:
                target.write_row(key)
        self._connection.execute(query("ANALYZE {t}", t=CANDIDATES))

    def _on(self, alias: str) -> sql.Composed:
        """Join of the candidates with a table, on the key's values as text."""
        pairs = [
            query("{v}::text = c.{k}", v=sql.Identifier(alias, n), k=sql.Identifier(f"k{i}"))
            for i, n in enumerate(self._contract.key)
        ]
        return sql.SQL(" AND ").join(pairs)

    def _move(self, rule: Unique, reason: Reason) -> None:
        """Rows that break a `unique` rule are rejected ones, as in a collect."""
        places = registry.duplicates_of(self._contract, self._transfer, rule, against_registry=True)
        rows = self._connection.execute(
            query(
                "DELETE FROM {t} x WHERE x.ctid IN ({places}) RETURNING to_jsonb(x) - '_row_hash'",
                t=self.table,
                places=places,
            )
        ).fetchall()
        moved = []
        for n, (values,) in enumerate(rows, start=1):
            pairs = values.items() if isinstance(values, dict) else ()
            texts = {k: v if v is None or isinstance(v, str) else json.dumps(v) for k, v in pairs}
            moved.append(Located("staging", Rejected(n, texts, (reason,))))
        self._reject(moved)

    def _drop(self) -> None:
        rows = self._connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND starts_with(tablename, %s)",
            (registry.STAGING, f"{self._contract.table}__-"),
        ).fetchall()
        for (name,) in rows:
            table = sql.Identifier(registry.STAGING, str(name))
            self._connection.execute(query("DROP TABLE IF EXISTS {t}", t=table))


def _names(contract: Contract, alias: str) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in contract.names)


def _key(contract: Contract, row: Rejected) -> RowKey:
    """The key of a rejected row; not that of any record when a part is absent."""
    values = [row.values.get(name) for name in contract.key]
    return tuple(v for v in values if v is not None)
