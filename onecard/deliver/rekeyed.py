"""The record's entries after a new quarantine key: all rows are read once under both keys."""

from __future__ import annotations

import polars as pl

from onecard.deliver import candidate_keys
from onecard.deliver.outgoing import Outgoing
from onecard.deliver.record import Record
from onecard.deliver.row_refs import RowRefs
from onecard.store import holding


def entries_under_present_key(outgoing: Outgoing, record: Record, old: RowRefs) -> pl.DataFrame:
    """The entries by references of the present key; those that no row explains are left out.

    Columns: `holding.SCHEMA`.

    Args:
        outgoing: reads all rows.
        record: with its entries under the old key.
        old: makes references under that key.
    """
    made: list[pl.DataFrame] = []
    for raw in outgoing.rows(outgoing.selection.statement(ended=False)):
        was = old.of(raw).rename({"high": "h", "low": "l", "digest": "d"})
        made.append(pl.concat([was, record.refs.of(raw)], how="horizontal"))
    for raw in outgoing.rows(candidate_keys.every(outgoing)):
        was = old.of(raw, digests=False).rename({"high": "h", "low": "l"})
        unknown = pl.lit(holding.UNKNOWN, pl.UInt64)
        now = record.refs.of(raw, digests=False).with_columns(unknown.alias("digest"))
        found = pl.concat([was, now], how="horizontal").with_columns(unknown.alias("d"))
        made.append(found.select("h", "l", "d", "high", "low", "digest"))
    if not made:
        return holding.no_entries()
    known = pl.concat(made).unique(["h", "l"], keep="first", maintain_order=True)
    before = record.whole().rename({"high": "h", "low": "l", "digest": "was"})
    both = before.join(known, on=["h", "l"], how="inner")
    same = (pl.col("was") == pl.col("d")) & (pl.col("was") != holding.UNKNOWN)
    if old.shape != record.refs.shape:  # other columns or tokens now: every row leaves again
        same &= False
    digest = pl.when(same).then(pl.col("digest")).otherwise(holding.UNKNOWN)
    return both.with_columns(digest.cast(pl.UInt64)).select(list(holding.SCHEMA))
