"""What the ledger says about a span of days: frames of counts, for the stewards' reports.

Days are days of the hub's clock in Asia/Shanghai (`ledger.transfer.hub_time`), months the first
day of each. Replays of single quarantined rows are left out: they say nothing about a source.
Nothing here holds a row's value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import polars as pl
from psycopg import sql

from onecard.base.sql_text import query
from onecard.store.database import Connection

_TEXT, _INT, _FLOAT, _DATE = pl.String, pl.Int64, pl.Float64, pl.Date
_COUNTS: tuple[LiteralString, ...] = (
    "rows_read",
    "published",
    "unchanged",
    "quarantined",
    "deduplicated",
    "filtered_by_policy",
)
DAY = sql.SQL("CAST(hub_time AT TIME ZONE 'Asia/Shanghai' AS date)")
"""The day of a transfer by the hub's clock."""
_PARTS = {
    "day": DAY,
    "month": sql.SQL("CAST(date_trunc('month', hub_time AT TIME ZONE 'Asia/Shanghai') AS date)"),
    "span": sql.SQL("AND hub_time >= %(start)s AND hub_time < %(end)s"),
    "sums": sql.SQL(", ").join(
        query(
            "CAST(coalesce(sum({c}) FILTER (WHERE status = 'published'), 0) AS bigint) AS {c}",
            c=sql.Identifier(name),
        )
        for name in _COUNTS
    ),
}
"""What stands in braces in the statements."""

_COLLECTS: LiteralString = (
    "SELECT {day} AS day, subject AS dataset, count(*) AS runs,"
    " count(*) FILTER (WHERE status = 'published') AS done,"
    " count(*) FILTER (WHERE status = 'failed') AS failed,"
    " count(*) FILTER (WHERE status = 'held') AS held, {sums}"
    " FROM ledger.transfer WHERE direction = 'collect' AND NOT replay {span} GROUP BY 1, 2"
)
_DELIVERIES: LiteralString = (
    "SELECT {day} AS day, subject AS agreement, count(*) AS runs,"
    " count(*) FILTER (WHERE status = 'confirmed') AS done,"
    " count(*) FILTER (WHERE status = 'failed') AS failed,"
    " count(*) FILTER (WHERE status = 'held') AS held,"
    " CAST(coalesce(sum(sent_rows) FILTER (WHERE status = 'confirmed'), 0) AS bigint) AS sent"
    " FROM ledger.transfer WHERE direction = 'deliver' AND NOT replay {span} GROUP BY 1, 2"
)
_SECONDS: LiteralString = (
    "SELECT {month} AS month, direction, subject, percentile_cont(0.95) WITHIN GROUP"
    " (ORDER BY CAST(extract(epoch FROM finished_at - started_at) AS float8)) AS p95"
    " FROM ledger.transfer WHERE status IN ('published', 'confirmed') AND NOT replay {span}"
    " GROUP BY 1, 2, 3"
)
_RULES: LiteralString = (
    "SELECT {month} AS month, subject AS dataset, field, rule, severity,"
    " CAST(sum(r.failed) AS bigint) AS failed, min({day}) AS first_day, min(transfer) AS first,"
    " max(transfer) AS last"
    " FROM ledger.rule_count r JOIN ledger.transfer t ON t.id = r.transfer"
    " WHERE status = 'published' AND NOT replay {span} GROUP BY 1, 2, 3, 4, 5"
)
_FINDINGS: LiteralString = (
    "SELECT {month} AS month, subject AS dataset, name, severity, count(*) AS runs,"
    " count(*) FILTER (WHERE NOT passed) AS failed,"
    " (array_agg(observed ORDER BY transfer DESC))[1] AS observed"
    " FROM ledger.finding f JOIN ledger.transfer t ON t.id = f.transfer WHERE NOT replay {span}"
    " GROUP BY 1, 2, 3, 4"
)
_PRIVACY: LiteralString = (
    "SELECT {month} AS month, subject AS agreement, rule, action, count(*) AS runs,"
    " CAST(sum(checked) AS bigint) AS checked, CAST(sum(hits) AS bigint) AS hits,"
    " count(*) FILTER (WHERE outcome = 'hit' AND status IN ('failed', 'held')) AS stopped"
    " FROM ledger.privacy_result p JOIN ledger.transfer t ON t.id = p.transfer"
    " WHERE TRUE {span} GROUP BY 1, 2, 3, 4"
)
_BLOCKED: LiteralString = (
    "SELECT {month} AS month, subject AS agreement, count(*) AS blocked FROM ledger.transfer t"
    " WHERE direction = 'deliver' AND status IN ('failed', 'held') AND EXISTS (SELECT FROM"
    " ledger.privacy_result p WHERE p.transfer = t.id AND outcome = 'hit' AND action = 'block')"
    " {span} GROUP BY 1, 2"
)
_COUNTIES: LiteralString = (
    "SELECT {month} AS month, subject AS dataset, county,"
    " CAST(sum(c.rows_read) AS bigint) AS rows_read,"
    " CAST(sum(c.quarantined) AS bigint) AS quarantined"
    " FROM ledger.county_count c JOIN ledger.transfer t ON t.id = c.transfer"
    " WHERE status = 'published' AND NOT replay {span} GROUP BY 1, 2, 3"
)
_REVIEWED: LiteralString = (
    "SELECT {month} AS month, q.dataset, count(*) AS rows,"
    " count(*) FILTER (WHERE q.status = 'released') AS released"
    " FROM quarantine.record q JOIN ledger.transfer t ON t.id = q.first_transfer"
    " WHERE q.agreement IS NULL {span} GROUP BY 1, 2"
)
_RECEIPTS: LiteralString = (
    "SELECT {month} AS month, subject AS agreement, count(*) AS receipts FROM ledger.receipt r"
    " JOIN ledger.transfer t ON t.id = r.transfer WHERE direction = 'deliver'"
    " AND status = 'confirmed' AND NOT replay {span} GROUP BY 1, 2"
)
_INBOXES: LiteralString = (
    "SELECT {month} AS month, subject AS agreement, (array_agg(agreeing ORDER BY id DESC))[1] AS"
    " agreeing, (array_agg(agreeing + missing + differing + extra ORDER BY id DESC))[1] AS rows"
    " FROM ledger.reconciliation WHERE kind = 'agreement'"
    " AND outcome IN ('agreed', 'healed', 'open', 'held') {span} GROUP BY 1, 2"
)
_INCIDENTS: LiteralString = (
    "SELECT {month} AS month, i.agreement, count(*) AS incidents FROM ledger.incident i"
    " JOIN ledger.transfer t ON t.id = i.transfer WHERE TRUE {span} GROUP BY 1, 2"
)
_TICKETS: LiteralString = (
    "SELECT id, agency, opened_for, kind, dataset, field, rule,"
    " CAST(opened_at AT TIME ZONE 'Asia/Shanghai' AS date) AS opened, due_on,"
    " status, outcome, CAST(answered_at AT TIME ZONE 'Asia/Shanghai' AS date) AS answered,"
    " CAST(closed_at AT TIME ZONE 'Asia/Shanghai' AS date) AS closed FROM ledger.ticket"
    " WHERE opened_at < %(end)s ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class _Frame:
    """A statement and the columns of its answer."""

    statement: LiteralString
    columns: Mapping[str, type[pl.DataType]]


FRAMES: Mapping[str, _Frame] = {
    "collects": _Frame(
        _COLLECTS,
        {"day": _DATE, "dataset": _TEXT}
        | dict.fromkeys(("runs", "done", "failed", "held", *_COUNTS), _INT),
    ),
    "deliveries": _Frame(
        _DELIVERIES,
        {"day": _DATE, "agreement": _TEXT}
        | dict.fromkeys(("runs", "done", "failed", "held", "sent"), _INT),
    ),
    "seconds": _Frame(
        _SECONDS,
        {"month": _DATE, "direction": _TEXT, "subject": _TEXT, "p95": _FLOAT},
    ),
    "rules": _Frame(
        _RULES,
        {"month": _DATE}
        | dict.fromkeys(("dataset", "field", "rule", "severity"), _TEXT)
        | {"failed": _INT, "first_day": _DATE, "first": _INT, "last": _INT},
    ),
    "findings": _Frame(
        _FINDINGS,
        {"month": _DATE, "dataset": _TEXT, "name": _TEXT, "severity": _TEXT, "runs": _INT}
        | {"failed": _INT, "observed": _FLOAT},
    ),
    "privacy": _Frame(
        _PRIVACY,
        {"month": _DATE, "agreement": _TEXT, "rule": _TEXT, "action": _TEXT}
        | dict.fromkeys(("runs", "checked", "hits", "stopped"), _INT),
    ),
    "blocked": _Frame(_BLOCKED, {"month": _DATE, "agreement": _TEXT, "blocked": _INT}),
    "counties": _Frame(
        _COUNTIES,
        {"month": _DATE, "dataset": _TEXT, "county": _TEXT, "rows_read": _INT}
        | {"quarantined": _INT},
    ),
    "reviewed": _Frame(
        _REVIEWED, {"month": _DATE, "dataset": _TEXT, "rows": _INT, "released": _INT}
    ),
    "receipts": _Frame(_RECEIPTS, {"month": _DATE, "agreement": _TEXT, "receipts": _INT}),
    "inboxes": _Frame(
        _INBOXES,
        {"month": _DATE, "agreement": _TEXT} | dict.fromkeys(("agreeing", "rows"), _INT),
    ),
    "incidents": _Frame(_INCIDENTS, {"month": _DATE, "agreement": _TEXT, "incidents": _INT}),
    "tickets": _Frame(
        _TICKETS,
        {"id": _INT}
        | dict.fromkeys(("agency", "opened_for", "kind", "dataset", "field", "rule"), _TEXT)
        | {"opened": _DATE, "due_on": _DATE, "status": _TEXT, "outcome": _TEXT}
        | {"answered": _DATE, "closed": _DATE},
    ),
}
"""Each frame: its statement and its columns."""


@dataclass(frozen=True, slots=True)
class Span:
    """From the first moment to the last, which is not included."""

    start: datetime
    end: datetime


def frame(connection: Connection, name: str, span: Span) -> pl.DataFrame:
    """One frame of counts, with the columns that `FRAMES` gives for its name.

    Args:
        connection: of the hub's database.
        name: one of `FRAMES`.
        span: transfers of these moments; tickets opened before its end.
    """
    wanted = FRAMES[name]
    values = {"start": span.start, "end": span.end}
    rows = connection.execute(query(wanted.statement, **_PARTS), values).fetchall()
    return pl.DataFrame(rows, schema=dict(wanted.columns), orient="row")
