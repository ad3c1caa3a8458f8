"""For what a dataset is held until a person decides, or a reading shows that it is right again.

A later reading that fails, or that says nothing about an expectation, decides nothing.
"""

from __future__ import annotations

from onecard.store.database import Connection, scalars


def pending(connection: Connection, dataset: str, before: int) -> frozenset[str]:
    """Critical expectations that failed in the last audited reading, and nobody has released.

    Args:
        connection: of the hub's database.
        dataset: `<agency>/<dataset>`.
        before: the reading that comes now.
    """
    found = scalars(
        connection,
        str,
        "SELECT f.name FROM ledger.finding f WHERE f.transfer = (SELECT max(t.id)"
        " FROM ledger.transfer t WHERE t.subject = %(dataset)s AND t.direction = 'collect'"
        " AND NOT t.replay AND t.id < %(before)s"
        " AND EXISTS (SELECT FROM ledger.finding a WHERE a.transfer = t.id))"
        " AND f.severity = 'critical' AND NOT f.passed AND NOT EXISTS (SELECT FROM ledger.release r"
        " WHERE r.transfer = f.transfer AND r.finding = f.name)",
        {"dataset": dataset, "before": before},
    )
    return frozenset(found)
