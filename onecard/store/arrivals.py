"""On which days collects of datasets were published, held or failed: for the calendar of freshness.

Days are days of the hub's clock. Folded transfers of the live lane count by their lines of a day;
replays of single rows say nothing about a source.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import LiteralString

from onecard.base.sql_text import query
from onecard.base.times import ZONE
from onecard.store.database import Connection, fetch_all
from onecard.store.days import DAY

_DAYS: LiteralString = (
    "SELECT dataset, day, CAST(sum(published) AS bigint) AS published,"
    " (array_agg(newest ORDER BY last DESC))[1] AS newest FROM ("
    " SELECT subject AS dataset, {day} AS day, count(*) FILTER (WHERE status = 'published')"
    " AS published, (array_agg(status ORDER BY id DESC))[1] AS newest, max(id) AS last"
    " FROM ledger.transfer WHERE direction = 'collect' AND NOT replay"
    " AND subject = ANY(%(datasets)s) AND hub_time >= %(start)s GROUP BY 1, 2"
    " UNION ALL SELECT subject, day, transfers, 'published', last FROM ledger.lane_day"
    " WHERE direction = 'collect' AND subject = ANY(%(datasets)s) AND day >= %(first)s"
    " UNION ALL SELECT s.dataset, greatest(t.day, l.day), 1, 'published', 0"
    " FROM unnest(%(datasets)s::text[]) AS s (dataset)"
    " LEFT JOIN LATERAL (SELECT {day} AS day FROM ledger.transfer WHERE subject = s.dataset"
    " AND direction = 'collect' AND status = 'published' AND NOT replay AND hub_time < %(start)s"
    " ORDER BY id DESC LIMIT 1) t ON TRUE"
    " LEFT JOIN LATERAL (SELECT day FROM ledger.lane_day WHERE direction = 'collect'"
    " AND subject = s.dataset AND day < %(first)s ORDER BY day DESC LIMIT 1) l ON TRUE"
    " WHERE t.day IS NOT NULL OR l.day IS NOT NULL"
    ") a GROUP BY 1, 2 ORDER BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class DayOfCollects:
    """What became of a dataset's collects of one day.

    Attributes:
        published: how many were.
        newest: status of the last one.
    """

    dataset: str
    day: date
    published: int
    newest: str


def days_of_collects(
    connection: Connection, datasets: Collection[str], first: date
) -> list[DayOfCollects]:
    """Days from the first on, and of each dataset the last day before on which it was published.

    Args:
        connection: of the hub's database.
        datasets: their ids.
        first: day of the hub's clock.
    """
    start = datetime.combine(first, time(), ZONE)
    values = {"datasets": sorted(datasets), "start": start, "first": first}
    return fetch_all(connection, DayOfCollects, query(_DAYS, day=DAY), values)
