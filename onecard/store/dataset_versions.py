"""The version of what is published of a dataset, moved on without a collect."""

from __future__ import annotations

from typing import LiteralString

from psycopg.rows import scalar_row

from onecard.store.database import Connection

_LOCKED: LiteralString = "SELECT version FROM ledger.dataset WHERE dataset = %(dataset)s FOR UPDATE"
_MOVED: LiteralString = (
    "UPDATE ledger.dataset SET version = %(version)s WHERE dataset = %(dataset)s"
)


def locked(connection: Connection, dataset: str) -> int:
    """The published version, locked until the transaction ends; 0 when nothing is."""
    cursor = connection.cursor(row_factory=scalar_row)
    return cursor.execute(_LOCKED, {"dataset": dataset}).fetchone() or 0


def move(connection: Connection, dataset: str, version: int) -> None:
    """Set the published version, in the transaction that has locked it.

    Args:
        connection: of the hub's database.
        dataset: whose.
        version: the new one.
    """
    connection.execute(_MOVED, {"dataset": dataset, "version": version})
