"""What is usual of a source: earlier readings, back to the last one that a person has released.

What was released is what is usual from then on: nothing before it counts.
"""

from __future__ import annotations

from typing import LiteralString

from onecard.store.database import Connection, scalar, scalars

_EARLIER: LiteralString = (
    " FROM ledger.transfer WHERE subject = %(dataset)s AND direction = 'collect'"
    " AND status = 'published' AND NOT replay AND id >= (SELECT coalesce(max(t.id), 0)"
    " FROM ledger.release r JOIN ledger.transfer t ON t.id = r.transfer"
    " WHERE t.subject = %(dataset)s AND t.direction = 'collect' AND t.status = 'published'"
    " AND NOT t.replay)"
)


def read_before(connection: Connection, dataset: str, *, whole: bool, last: int = 14) -> list[int]:
    """Rows read by the last published collects of the same kind, newest first.

    Args:
        connection: of the hub's database.
        dataset: `<agency>/<dataset>`.
        whole: readings of the whole source, or those from a watermark on.
        last: at most so many.
    """
    return scalars(
        connection,
        int,
        "SELECT rows_read" + _EARLIER + " AND whole = %(whole)s AND rows_read > 0"
        " ORDER BY id DESC LIMIT %(last)s",
        {"dataset": dataset, "whole": whole, "last": last},
    )


def there_before(connection: Connection, dataset: str, last: int = 14) -> list[int]:
    """Rows that the source held at the last published collects that know it, newest first.

    Args:
        connection: of the hub's database.
        dataset: `<agency>/<dataset>`.
        last: at most so many.
    """
    return scalars(
        connection,
        int,
        "SELECT source_rows" + _EARLIER + " AND source_rows > 0 ORDER BY id DESC LIMIT %(last)s",
        {"dataset": dataset, "last": last},
    )


def last_read(connection: Connection, dataset: str) -> int:
    """Rows that the last published collect of a dataset read; 0 when there was none."""
    found = scalar(
        connection,
        int,
        "SELECT rows_read FROM ledger.transfer WHERE subject = %s AND direction = 'collect'"
        " AND status = 'published' AND NOT replay ORDER BY id DESC LIMIT 1",
        (dataset,),
    )
    return found or 0
