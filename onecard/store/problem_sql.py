"""Statements about problems of data quality: what a collect adds, what is locked, what is worse."""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store.days import DAY

_KEPT = sql.SQL("(p.kept AND (excluded.severity <> 'warning' OR p.open_rows > 0))")
"""A rule that only warns by now, and of which no row waits any more, is counted again."""
_LOCK: LiteralString = "SELECT FROM ledger.problem WHERE {which} ORDER BY id FOR UPDATE"
"""In the order in which triggers of `quarantine.record` lock them."""
OF_TRANSFER = query(
    _LOCK,
    which=sql.SQL("dataset = (SELECT subject FROM ledger.transfer WHERE id = %(transfer)s)"),
)
NAMED = query(_LOCK, which=sql.SQL("id = ANY(%(problems)s)"))
NOTE = query(
    "WITH t AS (SELECT *, {day} AS day FROM ledger.transfer WHERE id = %(transfer)s),"
    " counted AS (SELECT c.field, c.rule, c.severity, c.failed FROM ledger.rule_count c"
    " JOIN t ON t.id = c.transfer WHERE c.failed > 0 ORDER BY c.field, c.rule),"
    " noted AS (INSERT INTO ledger.problem AS p (dataset, field, rule, severity, first_seen,"
    " last_seen, last_transfer, last_failed, last_read, since)"
    " SELECT t.subject, c.field, c.rule, c.severity, t.hub_time, t.hub_time, t.id, c.failed,"
    " t.rows_read, t.hub_time FROM counted c, t"
    " ON CONFLICT (dataset, field, rule) DO UPDATE SET severity = excluded.severity,"
    " last_seen = excluded.last_seen, last_transfer = excluded.last_transfer,"
    " last_failed = excluded.last_failed, last_read = excluded.last_read,"
    " kept = {kept},"
    " since = CASE WHEN NOT {kept} AND p.ended_at IS NOT NULL THEN excluded.since"
    " ELSE p.since END,"
    " times = p.times + CAST(NOT {kept} AND p.ended_at IS NOT NULL AS integer),"
    " state = CASE WHEN NOT {kept} AND p.ended_at IS NOT NULL AND p.state = 'acknowledged'"
    " THEN 'open' ELSE p.state END,"
    " ended_by = CASE WHEN {kept} THEN p.ended_by ELSE 0 END,"
    " ended_at = CASE WHEN {kept} THEN p.ended_at END RETURNING p.id, p.field, p.rule),"
    " days AS (INSERT INTO ledger.problem_day AS d (problem, day, failed, rows_read)"
    " SELECT n.id, t.day, c.failed, t.rows_read FROM t, noted n JOIN counted c"
    " ON c.field = n.field AND c.rule = n.rule"
    " ON CONFLICT (problem, day) DO UPDATE SET failed = d.failed + excluded.failed,"
    " rows_read = d.rows_read + excluded.rows_read)"
    " UPDATE ledger.problem p SET ended_at = t.hub_time, ended_by = t.id FROM t WHERE t.whole"
    " AND t.source_rows IS NOT NULL AND t.rows_read > 0 AND p.dataset = t.subject AND NOT p.kept"
    " AND p.ended_at IS NULL AND p.last_transfer < t.id"
    " AND NOT EXISTS (SELECT FROM counted c WHERE c.field = p.field AND c.rule = p.rule)",
    day=DAY,
    kept=_KEPT,
)
WORSE: LiteralString = (
    "SELECT w.problem, w.now, w.before, array_agg(d.day ORDER BY d.day) AS days,"
    " array_agg(d.failed ORDER BY d.day) AS failed FROM ("
    "SELECT c.problem, c.now, c.total - c.now AS before FROM (SELECT problem,"
    " CAST(coalesce(sum(failed) FILTER (WHERE day > %(week)s), 0) AS bigint) AS now,"
    " CAST(sum(failed) AS bigint) AS total FROM ledger.problem_day"
    " WHERE day > %(start)s AND day <= %(today)s GROUP BY problem) c"
    " JOIN ledger.problem p ON p.id = c.problem WHERE p.dataset = ANY(%(datasets)s)"
    " AND p.ended_at IS NULL AND c.now > c.total - c.now"
    " ORDER BY 2 * c.now - c.total DESC, c.problem LIMIT %(limit)s) w"
    " JOIN ledger.problem_day d ON d.problem = w.problem AND d.day BETWEEN %(first)s AND %(today)s"
    " GROUP BY w.problem, w.now, w.before ORDER BY w.now - w.before DESC, w.problem"
)
