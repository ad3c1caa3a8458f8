"""What the ledger says about a span of days: frames of counts, for the stewards' reports.

Days are days of the hub's clock in Asia/Shanghai (`ledger.transfer.hub_time`), months the first
day of each. Replays of single quarantined rows are left out: they say nothing about a source.
Folded transfers of the live lane (`onecard.store.folding`) count by their lines of a day, and give
the same figures. Nothing here holds a row's value.
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
from onecard.store.days import DAY

_TEXT, _INT, _FLOAT, _DATE = pl.String, pl.Int64, pl.Float64, pl.Date
_COUNTS: tuple[LiteralString, ...] = (
    "rows_read",
    "published",
    "unchanged",
    "quarantined",
    "deduplicated",
    "filtered_by_policy",
)
_PARTS = {
    "day": DAY,
    "month": sql.SQL("CAST(date_trunc('month', hub_time AT TIME ZONE 'Asia/Shanghai') AS date)"),
    "month_of_day": sql.SQL("CAST(date_trunc('month', CAST(day AS timestamp)) AS date)"),
    "span": sql.SQL("AND hub_time >= %(start)s AND hub_time < %(end)s"),
    "days": sql.SQL(
        "day >= CAST(%(start)s AT TIME ZONE 'Asia/Shanghai' AS date)"
        " AND day < CAST(%(end)s AT TIME ZONE 'Asia/Shanghai' AS date)"
    ),
    "sums": sql.SQL(", ").join(
        query(
            "CAST(coalesce(sum({c}) FILTER (WHERE status = 'published'), 0) AS bigint) AS {c}",
            c=sql.Identifier(name),
        )
        for name in _COUNTS
    ),
    "counts": sql.SQL(", ").join(sql.Identifier(name) for name in _COUNTS),
    "all_sums": sql.SQL(", ").join(
        query("CAST(sum({c}) AS bigint) AS {c}", c=sql.Identifier(name))
        for name in ("runs", "done", "failed", "held", *_COUNTS)
    ),
}
"""What stands in braces in the statements."""

_COLLECTS: LiteralString = (
    "SELECT day, dataset, {all_sums} FROM ("
    "SELECT {day} AS day, subject AS dataset, count(*) AS runs,"
    " count(*) FILTER (WHERE status = 'published') AS done,"
    " count(*) FILTER (WHERE status = 'failed') AS failed,"
    " count(*) FILTER (WHERE status = 'held') AS held, {sums}"
    " FROM ledger.transfer WHERE direction = 'collect' AND NOT replay {span} GROUP BY 1, 2"
    " UNION ALL SELECT day, subject, transfers, transfers, 0, 0, {counts} FROM ledger.lane_day"
    " WHERE direction = 'collect' AND {days}) c GROUP BY 1, 2"
)
_DELIVERIES: LiteralString = (
    "SELECT day, agreement, CAST(sum(runs) AS bigint) AS runs, CAST(sum(done) AS bigint) AS done,"
    " CAST(sum(failed) AS bigint) AS failed, CAST(sum(held) AS bigint) AS held,"
    " CAST(sum(sent) AS bigint) AS sent FROM ("
    "SELECT {day} AS day, subject AS agreement, count(*) AS runs,"
    " count(*) FILTER (WHERE status = 'confirmed') AS done,"
    " count(*) FILTER (WHERE status = 'failed') AS failed,"
    " count(*) FILTER (WHERE status = 'held') AS held,"
    " CAST(coalesce(sum(sent_rows) FILTER (WHERE status = 'confirmed'), 0) AS bigint) AS sent"
    " FROM ledger.transfer WHERE direction = 'deliver' AND NOT replay {span} GROUP BY 1, 2"
    " UNION ALL SELECT day, subject, transfers, transfers, 0, 0, sent_rows FROM ledger.lane_day"
    " WHERE direction = 'deliver' AND {days}) d GROUP BY 1, 2"
)
# `percentile_cont` of milliseconds that stand there once each, with how many took so long.
_SECONDS: LiteralString = (
    "WITH took AS (SELECT month, direction, subject, ms, CAST(sum(times) AS bigint) AS times FROM ("
    " SELECT {month} AS month, direction, subject,"
    " CAST(round(extract(epoch FROM finished_at - started_at) * 1000) AS bigint) AS ms, 1 AS times"
    " FROM ledger.transfer WHERE status IN ('published', 'confirmed') AND NOT replay {span}"
    " UNION ALL SELECT {month_of_day}, direction, subject, x.ms, x.times FROM ledger.lane_day,"
    " unnest(took_ms, took_times) AS x (ms, times) WHERE {days}) t GROUP BY 1, 2, 3, 4),"
    " ranked AS (SELECT *, sum(times) OVER (w ORDER BY ms) AS upto,"
    " 0.95 * (sum(times) OVER w - 1) AS place FROM took WINDOW w AS"
    " (PARTITION BY month, direction, subject))"
    " SELECT month, direction, subject, CAST((min(ms) FILTER (WHERE upto > floor(place))"
    " + (min(place) - floor(min(place))) * (min(ms) FILTER (WHERE upto > ceil(place))"
    " - min(ms) FILTER (WHERE upto > floor(place)))) / 1000 AS float8) AS p95"
    " FROM ranked GROUP BY 1, 2, 3"
)
_RULES: LiteralString = (
    "SELECT month, dataset, field, rule, severity, CAST(sum(failed) AS bigint) AS failed,"
    " min(day) AS first_day, min(first) AS first, max(last) AS last FROM ("
    "SELECT {month} AS month, subject AS dataset, field, rule, severity, r.failed, {day} AS day,"
    " transfer AS first, transfer AS last"
    " FROM ledger.rule_count r JOIN ledger.transfer t ON t.id = r.transfer"
    " WHERE status = 'published' AND NOT replay {span} UNION ALL SELECT {month_of_day}, dataset,"
    " field, rule, severity, failed, day, first_broken, last_broken FROM ledger.lane_rule"
    " WHERE {days}) r GROUP BY 1, 2, 3, 4, 5"
)
_FINDINGS: LiteralString = (
    "SELECT month, dataset, name, severity, CAST(sum(runs) AS bigint) AS runs,"
    " CAST(sum(failed) AS bigint) AS failed,"
    " (array_agg(observed ORDER BY last DESC))[1] AS observed FROM ("
    "SELECT {month} AS month, subject AS dataset, name, severity, 1 AS runs,"
    " CAST(NOT passed AS int) AS failed, observed, transfer AS last"
    " FROM ledger.finding f JOIN ledger.transfer t ON t.id = f.transfer WHERE NOT replay {span}"
    " UNION ALL SELECT {month_of_day}, dataset, name, severity, runs, failed, observed, last"
    " FROM ledger.lane_finding WHERE {days}) f GROUP BY 1, 2, 3, 4"
)
_PRIVACY: LiteralString = (
    "SELECT month, agreement, rule, action, CAST(sum(runs) AS bigint) AS runs,"
    " CAST(sum(checked) AS bigint) AS checked, CAST(sum(hits) AS bigint) AS hits,"
    " CAST(sum(stopped) AS bigint) AS stopped FROM ("
    "SELECT {month} AS month, subject AS agreement, rule, action, 1 AS runs, checked, hits,"
    " CAST(outcome = 'hit' AND status IN ('failed', 'held') AS int) AS stopped"
    " FROM ledger.privacy_result p JOIN ledger.transfer t ON t.id = p.transfer WHERE TRUE {span}"
    " UNION ALL SELECT {month_of_day}, agreement, rule, action, runs, checked, hits, 0"
    " FROM ledger.privacy_day WHERE {days}) p GROUP BY 1, 2, 3, 4"
)
_BLOCKED: LiteralString = (
    "SELECT {month} AS month, subject AS agreement, count(*) AS blocked FROM ledger.transfer t"
    " WHERE direction = 'deliver' AND status IN ('failed', 'held') AND EXISTS (SELECT FROM"
    " ledger.privacy_result p WHERE p.transfer = t.id AND outcome = 'hit' AND action = 'block')"
    " {span} GROUP BY 1, 2"
)
_COUNTIES: LiteralString = (
    "SELECT month, dataset, county, CAST(sum(rows_read) AS bigint) AS rows_read,"
    " CAST(sum(quarantined) AS bigint) AS quarantined FROM ("
    "SELECT {month} AS month, subject AS dataset, county, c.rows_read, c.quarantined"
    " FROM ledger.county_count c JOIN ledger.transfer t ON t.id = c.transfer"
    " WHERE status = 'published' AND NOT replay {span} UNION ALL"
    " SELECT {month_of_day}, dataset, county, rows_read, quarantined FROM ledger.lane_county"
    " WHERE {days}) c GROUP BY 1, 2, 3"
)
_REVIEWED: LiteralString = (
    "SELECT {month} AS month, q.dataset, count(*) AS rows,"
    " count(*) FILTER (WHERE q.status = 'released') AS released"
    " FROM quarantine.record q JOIN ledger.transfer t ON t.id = q.first_transfer"
    " WHERE q.agreement IS NULL {span} GROUP BY 1, 2"
)
_RECEIPTS: LiteralString = (
    "SELECT month, agreement, CAST(sum(receipts) AS bigint) AS receipts FROM ("
    "SELECT {month} AS month, subject AS agreement, 1 AS receipts FROM ledger.receipt r"
    " JOIN ledger.transfer t ON t.id = r.transfer WHERE direction = 'deliver'"
    " AND status = 'confirmed' AND NOT replay {span} UNION ALL"
    " SELECT {month_of_day}, subject, transfers FROM ledger.lane_day WHERE direction = 'deliver'"
    " AND {days}) r GROUP BY 1, 2"
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
