"""What the ledger says about a span of days: frames of counts, read once for all reports.

Days are days of the hub's clock in Asia/Shanghai (`ledger.transfer.hub_time`). Replays of single
quarantined rows are left out: they say nothing about a source. Nothing here holds a row's value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from onecard.store.database import Connection

DAY = "CAST(hub_time AT TIME ZONE 'Asia/Shanghai' AS date)"
MONTH = "CAST(date_trunc('month', hub_time AT TIME ZONE 'Asia/Shanghai') AS date)"

_TEXT, _INT, _FLOAT, _DATE = pl.String, pl.Int64, pl.Float64, pl.Date
_COUNTS = [
    "rows_read",
    "published",
    "unchanged",
    "quarantined",
    "deduplicated",
    "filtered_by_policy",
]

_COLLECTS = (
    "SELECT {day} AS day, subject AS dataset, count(*) AS runs,"
    " count(*) FILTER (WHERE status = 'published') AS done,"
    " count(*) FILTER (WHERE status = 'failed') AS failed,"
    " count(*) FILTER (WHERE status = 'held') AS held, {sums}"
    " FROM ledger.transfer WHERE direction = 'collect' AND NOT replay {span} GROUP BY 1, 2"
)
_DELIVERIES = (
    "SELECT {day} AS day, subject AS agreement, count(*) AS runs,"
    " count(*) FILTER (WHERE status = 'confirmed') AS done,"
    " count(*) FILTER (WHERE status = 'failed') AS failed,"
    " count(*) FILTER (WHERE status = 'held') AS held,"
    " CAST(coalesce(sum(sent_rows) FILTER (WHERE status = 'confirmed'), 0) AS bigint) AS sent"
    " FROM ledger.transfer WHERE direction = 'deliver' AND NOT replay {span} GROUP BY 1, 2"
)
_SECONDS = (
    "SELECT {month} AS month, direction, subject, percentile_cont(0.95) WITHIN GROUP"
    " (ORDER BY CAST(extract(epoch FROM finished_at - started_at) AS float8)) AS p95"
    " FROM ledger.transfer WHERE status IN ('published', 'confirmed') AND NOT replay {span}"
    " GROUP BY 1, 2, 3"
)
_RULES = (
    "SELECT {month} AS month, subject AS dataset, field, rule, severity,"
    " CAST(sum(r.failed) AS bigint) AS failed, min({day}) AS first_day, max(transfer) AS last"
    " FROM ledger.rule_count r JOIN ledger.transfer t ON t.id = r.transfer"
    " WHERE status = 'published' AND NOT replay {span} GROUP BY 1, 2, 3, 4, 5"
)
_FINDINGS = (
    "SELECT {month} AS month, subject AS dataset, name, severity, count(*) AS runs,"
    " count(*) FILTER (WHERE NOT passed) AS failed,"
    " (array_agg(observed ORDER BY transfer DESC))[1] AS observed"
    " FROM ledger.finding f JOIN ledger.transfer t ON t.id = f.transfer WHERE NOT replay {span}"
    " GROUP BY 1, 2, 3, 4"
)
_PRIVACY = (
    "SELECT {month} AS month, subject AS agreement, rule, action, count(*) AS runs,"
    " CAST(sum(checked) AS bigint) AS checked, CAST(sum(hits) AS bigint) AS hits,"
    " count(*) FILTER (WHERE outcome = 'hit' AND status IN ('failed', 'held')) AS stopped"
    " FROM ledger.privacy_result p JOIN ledger.transfer t ON t.id = p.transfer"
    " WHERE TRUE {span} GROUP BY 1, 2, 3, 4"
)
_BLOCKED = (
    "SELECT {month} AS month, subject AS agreement, count(*) AS blocked FROM ledger.transfer t"
    " WHERE direction = 'deliver' AND status IN ('failed', 'held') AND EXISTS (SELECT FROM"
    " ledger.privacy_result p WHERE p.transfer = t.id AND outcome = 'hit' AND action = 'block')"
    " {span} GROUP BY 1, 2"
)
_COUNTIES = (
    "SELECT {month} AS month, subject AS dataset, county,"
    " CAST(sum(c.rows_read) AS bigint) AS rows_read,"
    " CAST(sum(c.quarantined) AS bigint) AS quarantined"
    " FROM ledger.county_count c JOIN ledger.transfer t ON t.id = c.transfer"
    " WHERE status = 'published' AND NOT replay {span} GROUP BY 1, 2, 3"
)
_REVIEWED = (
    "SELECT {month} AS month, q.dataset, count(*) AS rows,"
    " count(*) FILTER (WHERE q.status = 'released') AS released"
    " FROM quarantine.record q JOIN ledger.transfer t ON t.id = q.first_transfer"
    " WHERE q.agreement IS NULL {span} GROUP BY 1, 2"
)
_RECEIPTS = (
    "SELECT {month} AS month, subject AS agreement, count(*) AS receipts FROM ledger.receipt r"
    " JOIN ledger.transfer t ON t.id = r.transfer WHERE direction = 'deliver'"
    " AND status = 'confirmed' AND NOT replay {span} GROUP BY 1, 2"
)
_INBOXES = (
    "SELECT {month} AS month, subject AS agreement, (array_agg(agreeing ORDER BY id DESC))[1] AS"
    " agreeing, (array_agg(agreeing + missing + differing + extra ORDER BY id DESC))[1] AS rows"
    " FROM ledger.reconciliation WHERE kind = 'agreement'"
    " AND outcome IN ('agreed', 'healed', 'open', 'held') {span} GROUP BY 1, 2"
)
_INCIDENTS = (
    "SELECT {month} AS month, i.agreement, count(*) AS incidents FROM ledger.incident i"
    " JOIN ledger.transfer t ON t.id = i.transfer WHERE TRUE {span} GROUP BY 1, 2"
)
_FILLED = (
    f"SELECT subject, min({DAY}) FROM ledger.transfer WHERE direction = 'collect'"  # noqa: S608
    " AND NOT replay AND status = 'published' AND published + unchanged > 0 GROUP BY subject"
)
_TICKETS = (
    "SELECT id, agency, opened_for, kind, dataset, field, rule,"
    " CAST(opened_at AT TIME ZONE 'Asia/Shanghai' AS date) AS opened, due_on,"
    " status, outcome, CAST(answered_at AT TIME ZONE 'Asia/Shanghai' AS date) AS answered,"
    " CAST(closed_at AT TIME ZONE 'Asia/Shanghai' AS date) AS closed FROM ledger.ticket"
    " WHERE opened_at < %(end)s ORDER BY id"
)

_LONG = ("collects", "rules", "tickets")
"""Facts of which scores over 13 months and the recurrence of problems are made."""

_SHAPES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "collects": (
        _COLLECTS,
        {"day": _DATE, "dataset": _TEXT}
        | dict.fromkeys(("runs", "done", "failed", "held", *_COUNTS), _INT),
    ),
    "deliveries": (
        _DELIVERIES,
        {"day": _DATE, "agreement": _TEXT}
        | dict.fromkeys(("runs", "done", "failed", "held", "sent"), _INT),
    ),
    "seconds": (
        _SECONDS,
        {"month": _DATE, "direction": _TEXT, "subject": _TEXT, "p95": _FLOAT},
    ),
    "rules": (
        _RULES,
        {"month": _DATE}
        | dict.fromkeys(("dataset", "field", "rule", "severity"), _TEXT)
        | {"failed": _INT, "first_day": _DATE, "last": _INT},
    ),
    "findings": (
        _FINDINGS,
        {"month": _DATE, "dataset": _TEXT, "name": _TEXT, "severity": _TEXT, "runs": _INT}
        | {"failed": _INT, "observed": _FLOAT},
    ),
    "privacy": (
        _PRIVACY,
        {"month": _DATE, "agreement": _TEXT, "rule": _TEXT, "action": _TEXT}
        | dict.fromkeys(("runs", "checked", "hits", "stopped"), _INT),
    ),
    "blocked": (_BLOCKED, {"month": _DATE, "agreement": _TEXT, "blocked": _INT}),
    "counties": (
        _COUNTIES,
        {"month": _DATE, "dataset": _TEXT, "county": _TEXT, "rows_read": _INT}
        | {"quarantined": _INT},
    ),
    "reviewed": (_REVIEWED, {"month": _DATE, "dataset": _TEXT, "rows": _INT, "released": _INT}),
    "receipts": (_RECEIPTS, {"month": _DATE, "agreement": _TEXT, "receipts": _INT}),
    "inboxes": (
        _INBOXES,
        {"month": _DATE, "agreement": _TEXT} | dict.fromkeys(("agreeing", "rows"), _INT),
    ),
    "incidents": (_INCIDENTS, {"month": _DATE, "agreement": _TEXT, "incidents": _INT}),
    "tickets": (
        _TICKETS,
        {"id": _INT}
        | dict.fromkeys(("agency", "opened_for", "kind", "dataset", "field", "rule"), _TEXT)
        | {"opened": _DATE, "due_on": _DATE, "status": _TEXT, "outcome": _TEXT}
        | {"answered": _DATE, "closed": _DATE},
    ),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """Frames of counts, named as in `_SHAPES`.

    Attributes:
        first: day of the hub's first transfer.
        newest: by dataset, the newest published collect.
        filled: by dataset, the day from which it holds data.
    """

    frames: Mapping[str, pl.DataFrame]
    first: date | None
    as_of: datetime
    newest: Mapping[str, int]
    filled: Mapping[str, date]

    def __getitem__(self, name: str) -> pl.DataFrame:
        """One frame."""
        return self.frames[name]


def read(connection: Connection, start: date, end: date, as_of: datetime) -> Facts:
    """Read the facts of the days from `start` (included) to `end` (not included).

    What is shown of one month and the month before only is read of these two months.
    """
    recent = max(start, before((end - timedelta(days=1)).replace(day=1)))
    spans = {
        name: {
            "start": midnight(start if name in _LONG else recent, as_of),
            "end": midnight(end, as_of),
        }
        for name in _SHAPES
    }
    span = spans["collects"]
    frames = {
        name: _frame(connection, text, shape, spans[name])
        for name, (text, shape) in _SHAPES.items()
    }
    first = connection.execute(f"SELECT min({DAY}) FROM ledger.transfer").fetchone()  # noqa: S608
    newest = connection.execute(
        "SELECT subject, max(id) FROM ledger.transfer WHERE direction = 'collect' AND NOT replay"
        " AND status = 'published' AND hub_time < %(end)s GROUP BY subject",
        span,
    ).fetchall()
    filled: list[Any] = connection.execute(_FILLED.encode()).fetchall()
    return Facts(
        frames=frames,
        first=first[0] if first and isinstance(first[0], date) else None,
        as_of=as_of,
        newest={str(d): int(str(n)) for d, n in newest},
        filled=dict(filled),
    )


def _frame(
    connection: Connection, text: str, shape: Mapping[str, Any], span: Mapping[str, datetime]
) -> pl.DataFrame:
    sums = ", ".join(
        f"CAST(coalesce(sum({c}) FILTER (WHERE status = 'published'), 0) AS bigint) AS {c}"
        for c in _COUNTS
    )
    within = "AND hub_time >= %(start)s AND hub_time < %(end)s"
    statement = text.format(day=DAY, month=MONTH, span=within, sums=sums)
    rows = connection.execute(statement.encode(), span).fetchall()
    return pl.DataFrame(rows, schema=dict(shape), orient="row")


def midnight(day: date, zone_of: datetime) -> datetime:
    """The beginning of a day in the zone of a moment."""
    return datetime.combine(day, datetime.min.time(), zone_of.tzinfo)


def following(month: date) -> date:
    """The first day of the next month."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def before(month: date, count: int = 1) -> date:
    """The first day of the month `count` months earlier."""
    number = month.year * 12 + month.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)
