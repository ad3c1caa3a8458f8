"""Which rejected rows a collect has seen before, by their keyed fingerprints."""

from __future__ import annotations

from collections.abc import Collection
from typing import LiteralString

from psycopg.rows import scalar_row

from onecard.store.database import Connection

_KNOWN: LiteralString = (
    "SELECT fingerprint FROM quarantine.record WHERE dataset = %(dataset)s"
    " AND fingerprint = ANY(%(fingerprints)s)"
)


def known(connection: Connection, dataset: str, fingerprints: Collection[bytes]) -> set[bytes]:
    """Those that stand in quarantine, held or ended.

    Args:
        connection: of the hub's database.
        dataset: whose rows they are.
        fingerprints: of the rows, as `onecard.store.quarantine.fingerprint` makes them.
    """
    values = {"dataset": dataset, "fingerprints": list(fingerprints)}
    found = connection.cursor(row_factory=scalar_row).execute(_KNOWN, values).fetchall()
    return {bytes(one) for one in found}
