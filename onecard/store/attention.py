"""What the ledger knows of things that need a person: late, unusual, failing, expiring.

Counts, names and the hub's times; nothing here holds a row's value.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from onecard.store.database import Connection

_NEWEST: LiteralString = (
    "SELECT subject AS dataset, max(hub_time) AS at FROM ledger.transfer"
    " WHERE direction = 'collect' AND status = 'published' AND NOT replay GROUP BY subject"
)
_VOLUMES: LiteralString = (
    "SELECT t.subject AS dataset, t.hub_time AS at, t.rows_read FROM ("
    " SELECT DISTINCT ON (subject) * FROM ledger.transfer WHERE direction = 'collect'"
    " AND NOT replay AND status IN ('published', 'held') ORDER BY subject, id DESC) t"
    " JOIN ledger.finding f ON f.transfer = t.id"
    " WHERE NOT f.passed AND f.name = ANY(%(names)s) ORDER BY t.subject"
)
_FAILING: LiteralString = (
    "WITH t AS (SELECT direction, subject, id, status, hub_time, message,"
    " max(id) FILTER (WHERE status NOT IN ('failed', 'running'))"
    " OVER (PARTITION BY direction, subject) AS good FROM ledger.transfer)"
    " SELECT direction, subject, count(*) AS times, min(hub_time) AS since,"
    " (array_agg(message ORDER BY id DESC))[1] AS message FROM t"
    " WHERE status = 'failed' AND id > coalesce(good, 0)"
    " GROUP BY direction, subject ORDER BY direction, subject"
)
_EXPIRING: LiteralString = (
    "SELECT dataset, count(*) AS rows, min(expires_at) AS first FROM quarantine.record"
    " WHERE status = 'held' AND expires_at <= %(until)s GROUP BY dataset ORDER BY dataset"
)


@dataclass(frozen=True, slots=True)
class NewestPublished:
    """When a dataset's newest published collect ran, by the hub's clock."""

    dataset: str
    at: datetime


@dataclass(frozen=True, slots=True)
class UnusualVolume:
    """A dataset whose newest collect failed a volume expectation.

    Attributes:
        at: when the collect ran, by the hub's clock.
        rows_read: what it read.
    """

    dataset: str
    at: datetime | None
    rows_read: int


@dataclass(frozen=True, slots=True)
class FailingSubject:
    """A dataset or agreement whose newest transfers failed.

    Attributes:
        direction: `collect` or `deliver`.
        times: how many transfers in a row.
        since: when the first of them ran, by the hub's clock.
        message: what was said of the newest.
    """

    direction: str
    subject: str
    times: int
    since: datetime | None
    message: str


@dataclass(frozen=True, slots=True)
class ExpiringRows:
    """Quarantined rows of a dataset whose values are dropped soon.

    Attributes:
        rows: how many.
        first: when the first of them is.
    """

    dataset: str
    rows: int
    first: datetime


def newest_published(connection: Connection) -> dict[str, datetime]:
    """By dataset, when its newest published collect ran, by the hub's clock."""
    cursor = connection.cursor(row_factory=class_row(NewestPublished))
    return {found.dataset: found.at for found in cursor.execute(_NEWEST)}


def unusual_volumes(connection: Connection, names: Collection[str]) -> list[UnusualVolume]:
    """Datasets whose newest collect, published or held, failed one of these expectations."""
    cursor = connection.cursor(row_factory=class_row(UnusualVolume))
    return cursor.execute(_VOLUMES, {"names": sorted(names)}).fetchall()


def failing(connection: Connection) -> list[FailingSubject]:
    """Subjects whose newest ended transfer failed, collects before deliveries."""
    cursor = connection.cursor(row_factory=class_row(FailingSubject))
    return cursor.execute(_FAILING).fetchall()


def expiring(connection: Connection, until: datetime) -> list[ExpiringRows]:
    """By dataset, quarantined rows that are purged up to that moment."""
    cursor = connection.cursor(row_factory=class_row(ExpiringRows))
    return cursor.execute(_EXPIRING, {"until": until}).fetchall()
