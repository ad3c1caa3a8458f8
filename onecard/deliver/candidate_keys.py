"""The agreement keys that a delivery looks at, in a table of its snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from onecard.base.sql_text import query
from onecard.deliver.candidate_sql import KEYS, Since
from onecard.deliver.outgoing import Outgoing
from onecard.deliver.record import Record

if TYPE_CHECKING:
    import polars as pl

MOST_KEYS = 200_000
"""So many keys are looked up one by one; of more, and of a fifth of all, all rows are looked at."""
_KEYS = sql.Identifier("pg_temp", KEYS)


def few(outgoing: Outgoing, record: Record) -> pl.DataFrame | None:
    """The keys that may have changed since the record was made, where they are few.

    They stand in the table `KEYS` until the snapshot ends. Columns: the key's, and
    `gate_inputs.SUBJECT`.

    Args:
        outgoing: with the snapshot and the selection.
        record: a sound one.

    Returns:
        None where they are so many that a look at all rows is quicker.
    """
    head, snapshot = record.head, outgoing.snapshot
    assert head is not None  # noqa: S101 - of a sound record
    former = snapshot.frame(_newer(dict(head.versions)))["dataset"].to_list()
    count = _make(outgoing, Since(head.versions, head.looked_on, frozenset(former)))
    if count > max(MOST_KEYS, head.rows // 5):
        snapshot.do(query("DROP TABLE {k}", k=_KEYS))
        return None
    return snapshot.frame(query("SELECT * FROM {k}", k=_KEYS))


def every(outgoing: Outgoing) -> sql.Composed:
    """Statement: every key that there is or was, in scope or not; columns as `few`."""
    return outgoing.selection.candidates(None).statement()


def _make(outgoing: Outgoing, since: Since) -> int:
    """Make the table of keys that may have changed, and let PostgreSQL know its size, as we."""
    statement = outgoing.selection.candidates(since).statement()
    return outgoing.snapshot.number(
        query("CREATE TEMP TABLE {k} ON COMMIT DROP AS {s}", k=_KEYS, s=statement),
        query("ANALYZE {k}", k=_KEYS),
        query("SELECT count(*) FROM {k}", k=_KEYS),
    )


def _newer(versions: dict[str, int]) -> sql.Composed:
    """Datasets with old values that are newer than these versions."""
    some = [
        query("(dataset = {d} AND version > {v})", d=sql.Literal(d), v=sql.Literal(v))
        for d, v in sorted(versions.items())
    ]
    return query(
        "SELECT DISTINCT dataset FROM registry.former WHERE {some}",
        some=sql.SQL(" OR ").join(some) if some else query("false"),
    )
