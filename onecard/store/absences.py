"""Rows that a source has not any more: remembered by keyed reference until they are believed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import scalar_row

from onecard.store.database import Connection

_BELIEVED: LiteralString = (
    "SELECT record_ref FROM ledger.absence WHERE dataset = %(dataset)s"
    " AND record_ref = ANY(%(refs)s)"
    " AND ((last_seen_by = %(before)s AND %(before)s > 0) OR first_seen <= %(long_ago)s)"
)
_BACK: LiteralString = (
    "DELETE FROM ledger.absence WHERE dataset = %(dataset)s AND NOT record_ref = ANY(%(refs)s)"
)
_SEEN: LiteralString = (
    "INSERT INTO ledger.absence (dataset, record_ref, first_seen, last_seen_by)"
    " SELECT %(dataset)s, r, %(now)s, %(number)s FROM unnest(%(refs)s::bytea[]) r"
    " ON CONFLICT (dataset, record_ref) DO UPDATE SET last_seen_by = excluded.last_seen_by"
)
_DELETED: LiteralString = (
    "DELETE FROM ledger.absence WHERE dataset = %(dataset)s AND record_ref = ANY(%(refs)s)"
)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Which reconciliation looks for absences.

    Attributes:
        number: its id.
        before: id of the last complete one of the dataset before it; 0: none.
        now: the hub's time.
        long_ago: what is absent since then or longer is believed.
    """

    number: int
    before: int
    now: datetime
    long_ago: datetime


def note(connection: Connection, dataset: str, refs: Collection[bytes], sweep: Sweep) -> set[bytes]:
    """Remember what is absent now and forget what is back, in one transaction.

    Args:
        connection: of the hub's database.
        dataset: whose rows they are.
        refs: keyed references of all rows that are absent now.
        sweep: which reconciliation looks.

    Returns:
        The references of the absences to be believed: those that the reconciliation before this
        one found absent too, and those that are absent for long.
    """
    values: dict[str, object] = {
        "dataset": dataset,
        "refs": sorted(refs),
        "number": sweep.number,
        "before": sweep.before,
        "now": sweep.now,
        "long_ago": sweep.long_ago,
    }
    with connection.transaction():
        believed = connection.cursor(row_factory=scalar_row).execute(_BELIEVED, values).fetchall()
        connection.execute(_BACK, values)
        connection.execute(_SEEN, values)
    return {bytes(ref) for ref in believed}


def forget(connection: Connection, dataset: str, refs: Collection[bytes]) -> None:
    """Drop absences that were published as deleted.

    Args:
        connection: of the hub's database.
        dataset: whose rows they were.
        refs: their keyed references.
    """
    connection.execute(_DELETED, {"dataset": dataset, "refs": sorted(refs)})
