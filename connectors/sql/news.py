"""Whether a table has anything new behind a bound: the keys and cursors there, as a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from connectors.sql.options import SqlSource
from onecard.base.connections import Connection
from onecard.ports.news import SourcePlace, SourceState
from onecard.ports.source import Reading, ReadRequest


def state(
    read: Callable[[Connection, ReadRequest], Reading],
    connection: Connection,
    request: ReadRequest,
) -> SourceState:
    """A digest of keys and cursors of the rows behind the bound; nothing without a bound.

    A row that changes gets a later cursor, so that key and cursor of all rows there tell of every
    change, of late commits and of deletes too. A table that is scanned in another order has not
    changed. It can be read on from its latest cursor, where that is an instant.

    Args:
        read: the connector's own reading.
        connection: of the agency's system.
        request: names cursor and bound.
    """
    if request.cursor is None or request.since is None:
        return SourceState()
    wanted = {*request.key, request.cursor}
    options = SqlSource.model_validate(request.options.model_dump(by_alias=True))
    few = replace(
        request,
        columns=tuple(c for c in request.columns if c.name in wanted),
        options=options.model_copy(update={"count": False}),
    )
    batches = [chunk.batch for chunk in read(connection, few)]
    seen = hashlib.sha256()
    for batch in _in_order(batches):
        seen.update(batch.serialize())
    return SourceState(seen.hexdigest(), _end(batches, request.cursor, request.since))


def _end(batches: list[pa.RecordBatch], cursor: str, since: str) -> SourcePlace | None:
    """The latest cursor, or the bound where none is later; None where they are no instants."""
    latest = datetime.fromisoformat(since)
    for batch in batches:
        kind = batch.schema.field(cursor).type if cursor in batch.schema.names else None
        if kind is None or not pa.types.is_timestamp(kind) or kind.tz is None:
            return None
        micros = batch.column(cursor).cast(pa.timestamp("us", kind.tz), safe=False)
        found = pc.max(micros).as_py()
        latest = max(latest, found or latest)
    return SourcePlace(latest.isoformat())


def _in_order(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The same rows, by their values."""
    if not batches:
        return []
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    whole = pa.concat_tables(tables, promote_options="permissive")
    by = [(f.name, "ascending") for f in whole.schema if not pa.types.is_null(f.type)]
    ordered = whole.sort_by(by) if by else whole
    found: list[pa.RecordBatch] = ordered.combine_chunks().to_batches()
    return found
