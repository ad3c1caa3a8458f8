"""The source's rows, through the gate, in a staging table; and what they say of some keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from onecard.base.prefetch import prefetch
from onecard.base.sql_text import names, query
from onecard.base.times import ZONE
from onecard.collect.context import CollectContext
from onecard.errors import ProtocolError
from onecard.ports.comparison import RowKey
from onecard.ports.row_gate import Reason, Rejected
from onecard.ports.source import Reading
from onecard.reconcile.listed_keys import ListedKeys
from onecard.store import (
    datasets,
    live_keys,
    quarantine_intake,
    registry,
    row_order,
    staged_repeats,
    staging,
)
from onecard.store.database import Connection
from onecard.store.loader import Loader
from onecard.store.referrer import key_of
from onecard.store.sealing import fingerprint
from schemas.models.contract import Contract
from schemas.models.rules import Unique

MOST_UNKNOWN = 100_000
"""Rejected rows that no collect has seen; with more, the source is another than the contract's."""


@dataclass(frozen=True, slots=True)
class KeyDifferences:
    """What the source, read through the gate, says of the keys that were in doubt.

    Attributes:
        older: they differ or are missing, and the source's row is older than the published one
            (or than the one that was published as deleted): no collect publishes it.
    """

    missing: tuple[RowKey, ...]
    extra: tuple[RowKey, ...]
    differing: tuple[RowKey, ...]
    waiting: tuple[RowKey, ...]
    older: tuple[RowKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Located:
    """A rejected row, and the table, file or page that it came from."""

    origin: str
    row: Rejected


class SourceRows:
    """The source's rows in staging tables whose names a collect's clean-up does not see.

    Attributes:
        version: of the dataset when the comparison began; rows published later are left alone.
    """

    def __init__(
        self, tools: CollectContext, contract: Contract, connection: Connection, number: int
    ) -> None:
        """Note the published version.

        Args:
            tools: what a collect of the dataset needs.
            contract: of the dataset.
            connection: to the hub's database.
            number: id of the reconciliation.
        """
        self._tools, self._contract, self._connection = tools, contract, connection
        self._transfer = -number
        self._keys = ListedKeys(connection, contract)
        self._rejected = 0
        self._unknown: list[Located] = []
        self._rejected_keys: set[RowKey] = set()
        self._published: set[int] = set()
        self._later: set[int] = set()
        self.version = datasets.state(connection, contract.id).version

    @property
    def rejected(self) -> int:
        """How many rows the gate refused so far."""
        return self._rejected

    @property
    def unknown(self) -> tuple[Located, ...]:
        """Those of the rejected rows that no collect has seen.

        No quarantined row is theirs, not even an ended one. What was purged when its time was over
        has been seen and counted; it does not come back. Those whose record is published are not
        among them: see `doubtful`.
        """
        return tuple(found for i, found in enumerate(self._unknown) if i not in self._published)

    @property
    def doubtful(self) -> tuple[RowKey, ...]:
        """Keys of those that are published, and sound there.

        Either their agency has spoilt them since under an old time, or this reading did: a
        reconciliation takes no side. A collect of the whole source would.
        """
        found = sorted(self._published - self._later)
        return tuple(_key(self._contract, self._unknown[i].row) for i in found)

    @property
    def waiting(self) -> int:
        """How many of those that are published were changed since: the next collect reads them."""
        return len(self._published & self._later)

    def look_up(self, watermark: datetime | None) -> None:
        """Find out which of the unknown rejected rows are published, after all rows are taken.

        Args:
            watermark: rows with a cursor from here on are read by the next collect anyway.
        """
        cursor = self._contract.source.cursor or ""
        for i, found in enumerate(self._unknown):
            changed = _moment(found.row.values.get(cursor))
            if watermark is not None and changed is not None and changed >= watermark:
                self._later.add(i)
        keys = {i: key_of(self._contract, f.row.values) for i, f in enumerate(self._unknown)}
        whole = {i: key for i, key in keys.items() if key is not None}
        self._published = live_keys.live(self._connection, self._contract, whole)

    @property
    def table(self) -> sql.Identifier:
        """The staged rows."""
        return staging.table(self._contract, self._transfer)

    @property
    def chosen(self) -> sql.Identifier:
        """The staged rows that are healed."""
        return sql.Identifier(staging.STAGING, self._name + "__heal")

    @property
    def _name(self) -> str:
        return staging.table_name(self._contract, self._transfer)

    @contextmanager
    def opened(self) -> Iterator[SourceRows]:
        """Make the tables, and drop them at the end; also those that a killed run left."""
        self._drop()
        positions = self._tools.in_order
        staging.create(
            self._connection, self._contract, self._transfer, first=False, positions=positions
        )
        try:
            yield self
        finally:
            self._drop()

    def fill(self, reading: Reading) -> int:
        """Take all rows of a reading; returns how many were read."""
        now, read, place = self._tools.settings.now(), 0, 1
        with Loader(self._tools.address, self._name) as loader:
            for chunk in prefetch(iter(reading), f"the source of {self._contract.id}"):
                checked = self._tools.gate.check(chunk, now)
                read += chunk.batch.num_rows
                self._reject([Located(chunk.origin, row) for row in checked.rejected])
                good = checked.good
                if self._tools.in_order:
                    good = row_order.placed(good, row_order.begin(place, late=chunk.late))
                    place += len(good)
                if len(good):
                    loader.put(good)
        staged_repeats.deduplicate(self._connection, self._contract, self._transfer)
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
        self._rejected += len(found)
        self._rejected_keys.update(_key(self._contract, f.row) for f in found)
        key = self._tools.keys.quarantine()
        prints = [fingerprint(self._contract.id, f.origin, f.row, key) for f in found]
        known = quarantine_intake.known(self._connection, self._contract.id, prints)
        self._unknown += [f for f, p in zip(found, prints, strict=True) if p not in known]
        if len(self._unknown) > MOST_UNKNOWN:
            msg = (
                f"{self._contract.id}: the gate refuses more than {MOST_UNKNOWN} rows of the source"
                " that no collect has seen; nothing was healed. Look at the source with"
                f" `onecard drift {self._contract.id}`, and collect it first"
            )
            raise ProtocolError(msg)

    def judge(self, keys: Collection[RowKey], watermark: datetime | None) -> KeyDifferences:
        """Compare the staged rows of these keys with the registry, value by value.

        Args:
            keys: the keys in doubt.
            watermark: staged rows with a cursor from here on are read by the next collect anyway.
        """
        self._keys.load(keys)
        missing, extra, differing, waiting, older = [], [], [], [], []
        compared = self._keys.compared(self.table, self.version, watermark)
        for there, held, differs, waits, is_older, *values in compared:
            key = tuple(str(v) for v in values)
            if waits and (differs or not held):
                waiting.append(key)
            elif there and is_older and (differs or not held):
                older.append(key)
            elif there and not held:
                missing.append(key)
            elif there and differs:
                differing.append(key)
            elif not there and held and key not in self._rejected_keys:
                extra.append(key)
        return KeyDifferences(*map(tuple, (missing, extra, differing, waiting, older)))

    def choose(self, keys: Collection[RowKey]) -> None:
        """Keep the staged rows of these keys apart, to be published."""
        self._keys.load(keys)
        self._keys.copy(self.table, self.chosen)

    def choose_lacking(self, field: str, most: int) -> int:
        """Take apart staged rows whose published ones lack a field; they are staged no more.

        Rows that were published since the comparison began, are older than what is published, or
        lack the value too, are never among them.

        Args:
            field: of the contract.
            most: so many at most, by key.

        Returns:
            How many were chosen; 0: there are no more.
        """
        contract, column = self._contract, sql.Identifier(field)
        positions = staging.has_positions(self._connection, self.table)
        self._connection.execute(query("DROP TABLE IF EXISTS {into}", into=self.chosen))
        self._connection.execute(
            query(
                "CREATE UNLOGGED TABLE {into} AS SELECT s.* FROM {staged} s JOIN {t} t ON {on}"
                " WHERE s.{c} IS NOT NULL AND t.{c} IS NULL AND t._deleted_at IS NULL"
                " AND t._version <= {version} AND NOT coalesce({older}, false)"
                " ORDER BY {key} LIMIT {most}",
                into=self.chosen,
                staged=self.table,
                t=registry.published(contract),
                on=staging.pairs(contract.key),
                c=column,
                version=sql.Literal(self.version),
                older=row_order.older(contract, positions=positions),
                key=names(contract.key, "s."),
                most=sql.Literal(most),
            )
        )
        taken = query(
            "DELETE FROM {staged} s USING {chosen} t WHERE {on}",
            staged=self.table,
            chosen=self.chosen,
            on=staging.pairs(contract.key),
        )
        return self._connection.execute(taken).rowcount

    def _move(self, rule: Unique, reason: Reason) -> None:
        """Rows that break a `unique` rule are rejected ones, as in a collect."""
        rows = staged_repeats.take_repeated(
            self._connection, self._contract, self._transfer, rule, against_registry=True
        )
        moved = [
            Located("staging", Rejected(n, values, (reason,)))
            for n, values in enumerate(rows, start=1)
        ]
        self._reject(moved)

    def _drop(self) -> None:
        rows = self._connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s AND starts_with(tablename, %s)",
            (staging.STAGING, f"{self._contract.table}__-"),
        ).fetchall()
        for (name,) in rows:
            table = sql.Identifier(staging.STAGING, str(name))
            self._connection.execute(query("DROP TABLE IF EXISTS {t}", t=table))


def _moment(text: str | None) -> datetime | None:
    """A rejected row's cursor, where it can be read."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=ZONE)


def _key(contract: Contract, row: Rejected) -> RowKey:
    """The key of a rejected row; not that of any record when a part is absent."""
    values = [row.values.get(name) for name in contract.key]
    return tuple(v for v in values if v is not None)
