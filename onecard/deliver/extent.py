"""How far the rows in scope are from what the consumer has."""

from __future__ import annotations

import polars as pl

from onecard.deliver.context import Extent
from onecard.deliver.known_rows import KEY, KnownRows
from onecard.deliver.outgoing import Outgoing
from onecard.deliver.record import Record
from onecard.store import holding


def extent(outgoing: Outgoing, record: Record) -> Extent:
    """How far rows in scope are from what the consumer has, before the gate.

    Args:
        outgoing: reads them.
        record: under the key of its entries.
    """
    held = record.whole()
    known, send, present = KnownRows(held), 0, []
    for raw in outgoing.rows(outgoing.selection.statement()):
        entries = record.refs.of(raw)
        same = (known.digests(entries) == entries["digest"]).fill_null(value=False)
        send += int((~same).sum())
        present.append(entries.select(KEY))
    if not outgoing.selection.agreement.tells_deletes:
        return Extent(send, 0)
    there = pl.concat([holding.no_entries().select(KEY), *present])
    return Extent(send, len(held.join(there, on=KEY, how="anti")))
