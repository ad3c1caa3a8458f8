"""Which keys of a dataset may differ between the registry and its source.

Bucketed checksums find them: inside both databases where the source is a PostgreSQL, else after
streaming the source through the gate into a staging table.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import Literal

from psycopg import sql

from onecard.base.sql_text import query
from onecard.collect.context import CollectContext
from onecard.model.checkpoints import Checkpoint
from onecard.ports.source import Column, ReadRequest
from onecard.ports.sql_side import Comparable, SqlSide, settle, table_side
from onecard.reconcile.buckets import Candidates, compare
from onecard.reconcile.source_rows import SourceRows
from onecard.store import database, registry
from schemas.models.contract import Contract

MOST_KEYS = 100_000
"""With more keys in doubt than this the source is read whole."""


class KeysInDoubt:
    """Looks for the keys in doubt of one dataset."""

    def __init__(
        self,
        tools: CollectContext,
        contract: Contract,
        since: datetime | None,
        taken: Checkpoint,
    ) -> None:
        """Take what a collect of the dataset needs.

        Args:
            tools: connector, connections, the hub's database.
            contract: of the dataset.
            since: only rows whose cursor is not before are compared; None: all.
            taken: checkpoint of the source itself: what the collects have taken of it.
        """
        self._tools, self._contract, self._since = tools, contract, since
        self._taken = taken

    @property
    def _request(self) -> ReadRequest:
        return whole_source(self._tools, self._contract, self._taken)

    def found(self, rows: SourceRows) -> tuple[Literal["sql", "stream"], Candidates]:
        """The keys in doubt and how they were found; their rows then stand in `rows`."""
        by_sql = self._by_sql(rows)
        return ("sql", by_sql) if by_sql is not None else ("stream", self._by_stream(rows))

    def _by_sql(self, rows: SourceRows) -> Candidates | None:
        """By checksums inside both databases; the rows in doubt are staged. None: it cannot."""
        connector, contract = self._tools.connector, self._contract
        if not isinstance(connector, Comparable):
            return None
        system, request = self._tools.connections.get(contract.source.connection), self._request
        with ExitStack() as stack:
            theirs = stack.enter_context(connector.side(system, request, contract))
            if theirs is None:
                return None
            ours = stack.enter_context(database.connect(self._tools.address))
            settle(ours)
            mine = self._side(ours, registry.published(contract), live=True)
            if mine.probe() != theirs.probe():
                return None
            found = compare(mine, self._recent(theirs))
        if len(found.keys) > MOST_KEYS:
            return None
        if found.keys:
            rows.fill(connector.read_keys(system, request, contract.key, found.keys))
        return found

    def _by_stream(self, rows: SourceRows) -> Candidates:
        """After reading the source whole, through the gate, into staging."""
        system = self._tools.connections.get(self._contract.source.connection)
        rows.fill(self._tools.connector.read(system, self._request))
        with (
            database.connect(self._tools.address) as first,
            database.connect(self._tools.address) as second,
        ):
            settle(first)
            settle(second)
            mine = self._side(first, registry.published(self._contract), live=True)
            return compare(mine, self._side(second, rows.table, live=False))

    def _side(
        self, connection: database.Connection, table: sql.Identifier, *, live: bool
    ) -> SqlSide:
        where = sql.SQL("_deleted_at IS NULL" if live else "true")
        return self._recent(table_side(connection, self._contract, table, where))

    def _recent(self, side: SqlSide) -> SqlSide:
        cursor, since = self._contract.source.cursor, self._since
        if not cursor or since is None:
            return side
        bound = sql.Literal(since.isoformat())
        where = query("{w} AND {c} >= {b}", w=side.where, c=side.values[cursor], b=bound)
        return replace(side, where=where)


def whole_source(tools: CollectContext, contract: Contract, taken: Checkpoint) -> ReadRequest:
    """The request that reads a source whole, to be compared with what is published.

    Args:
        tools: what a collect of the dataset needs.
        contract: of the dataset.
        taken: checkpoint of the source itself: what the collects have taken of it.
    """
    return ReadRequest(
        dataset=contract.id,
        columns=tuple(
            Column(f.name, f.native, f.required, key=f.key_position is not None, type=f.type)
            for f in contract.fields
        ),
        options=tools.connector.source_options.model_validate(dict(contract.source.options)),
        cursor=contract.source.cursor,
        key=contract.key,
        order=contract.ordering,
        file_order=contract.file_order,
        order_stated=contract.stated_file_order is not None,
        taken=taken,
    )
