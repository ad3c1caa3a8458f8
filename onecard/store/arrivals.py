"""On which days collects of datasets were published, held or failed: for the calendar of freshness.

Days are days of the hub's clock. Folded transfers of the live lane count by their lines of a day;
replays of single rows say nothing about a source.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import LiteralString

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store.database import Connection, fetch_all
from onecard.store.days import DAY

_COLLECTS: LiteralString = (
    "FROM ledger.transfer WHERE subject = {dataset} AND direction = 'collect' AND NOT replay"
)
_DAYS: LiteralString = (
    "WITH asked AS (SELECT s.dataset, CAST(d AS date) AS day,"
    " d AT TIME ZONE 'Asia/Shanghai' AS begins,"
    " (d + interval '1 day') AT TIME ZONE 'Asia/Shanghai' AS ends"
    " FROM unnest(%(datasets)s::text[]) AS s (dataset), generate_series("
    " CAST(%(first)s AS timestamp), CAST(%(last)s AS timestamp), interval '1 day') AS d)"
    " SELECT dataset, array_agg(day ORDER BY day) AS days, array_agg(came ORDER BY day) AS came,"
    " array_agg(newest ORDER BY day) AS newest"
    " FROM (SELECT a.dataset, a.day, p.came IS NOT NULL OR f.came IS NOT NULL AS came,"
    " coalesce(n.status, 'published') AS newest FROM asked a"
    " LEFT JOIN LATERAL (SELECT true AS came {collects} AND status = 'published'"
    " AND hub_time >= a.begins AND hub_time < a.ends LIMIT 1) p ON true"
    " LEFT JOIN LATERAL (SELECT true AS came FROM ledger.lane_day WHERE p.came IS NULL"
    " AND direction = 'collect' AND subject = a.dataset AND day = a.day LIMIT 1) f ON true"
    " LEFT JOIN LATERAL (SELECT status {collects} AND p.came IS NULL AND f.came IS NULL"
    " AND hub_time >= a.begins AND hub_time < a.ends ORDER BY id DESC LIMIT 1) n ON true"
    " WHERE p.came OR f.came OR n.status IS NOT NULL"
    " UNION ALL SELECT a.dataset, greatest(t.day, l.day), true, 'published'"
    " FROM unnest(%(datasets)s::text[]) AS a (dataset)"
    " LEFT JOIN LATERAL (SELECT {day} AS day {collects} AND status = 'published' AND hub_time <"
    " CAST(%(first)s AS timestamp) AT TIME ZONE 'Asia/Shanghai' ORDER BY hub_time DESC LIMIT 1)"
    " t ON true LEFT JOIN LATERAL (SELECT day FROM ledger.lane_day WHERE direction = 'collect'"
    " AND subject = a.dataset AND day < %(first)s ORDER BY day DESC LIMIT 1) l ON true"
    " WHERE t.day IS NOT NULL OR l.day IS NOT NULL) found GROUP BY 1 ORDER BY 1"
)
"""Of each day the first collect that was published, where there is none the newest one."""


@dataclass(frozen=True, slots=True)
class DayOfCollects:
    """What became of a dataset's collects of one day.

    Attributes:
        came: whether one of them was published.
        newest: status of the last one; where one was published, that.
    """

    dataset: str
    day: date
    came: bool
    newest: str


@dataclass(frozen=True, slots=True)
class _Days:
    """The same of all days of a dataset."""

    dataset: str
    days: list[date]
    came: list[bool]
    newest: list[str]


def days_of_collects(
    connection: Connection, datasets: Collection[str], first: date, last: date
) -> list[DayOfCollects]:
    """Days from the first on, and of each dataset the last day before on which it was published.

    Args:
        connection: of the hub's database.
        datasets: their ids.
        first: day of the hub's clock.
        last: another one; both are included.
    """
    collects = query(_COLLECTS, dataset=sql.SQL("a.dataset"))
    values = {"datasets": sorted(datasets), "first": first, "last": last}
    found = fetch_all(connection, _Days, query(_DAYS, day=DAY, collects=collects), values)
    return [
        DayOfCollects(of.dataset, *line)
        for of in found
        for line in zip(of.days, of.came, of.newest, strict=True)
    ]
