"""Findings of rules and expectations, collect by collect: when they failed, and how it is now.

Only collects that read a source count: published or held, and no replay of single rows. Those of
the live lane that are folded count by the last of a day that broke the rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from onecard.base.sql_text import query
from onecard.store.database import Connection, fetch_one, scalar, scalars

_READ = sql.SQL(
    "direction = 'collect' AND subject = %(dataset)s AND status IN ('published', 'held')"
    " AND NOT replay"
)
_LAST_BROKEN = query(
    "SELECT transfer, rows_read, CAST(sum(failed) AS bigint) AS failed FROM ("
    "SELECT t.id AS transfer, t.rows_read, c.failed"
    " FROM ledger.transfer t JOIN ledger.rule_count c ON c.transfer = t.id WHERE"
    " {read} AND c.rule = %(rule)s AND %(field)s IN ('', c.field) UNION ALL"
    " SELECT last_broken, last_read, last_failed FROM ledger.lane_rule WHERE dataset = %(dataset)s"
    " AND rule = %(rule)s AND %(field)s IN ('', field)) b"
    " GROUP BY transfer, rows_read HAVING sum(failed) > 0 ORDER BY transfer DESC LIMIT 1",
    read=_READ,
)
_LAST_UNMET = query(
    "SELECT max(transfer) FROM (SELECT t.id AS transfer FROM ledger.transfer t"
    " JOIN ledger.finding f ON f.transfer = t.id WHERE"
    " {read} AND f.name = %(rule)s AND NOT f.passed UNION ALL SELECT last_failed"
    " FROM ledger.lane_finding WHERE dataset = %(dataset)s AND name = %(rule)s) u",
    read=_READ,
)
_EVER_FAILED = query(
    "SELECT c.rule FROM ledger.transfer t JOIN ledger.rule_count c ON c.transfer = t.id WHERE"
    " {read} AND c.failed > 0 AND %(field)s IN ('', c.field)"
    " UNION SELECT rule FROM ledger.lane_rule WHERE dataset = %(dataset)s AND failed > 0"
    " AND %(field)s IN ('', field)"
    " UNION SELECT f.name FROM ledger.transfer t JOIN ledger.finding f ON f.transfer = t.id WHERE"
    " {read} AND NOT f.passed"
    " UNION SELECT name FROM ledger.lane_finding WHERE dataset = %(dataset)s AND failed > 0",
    read=_READ,
)
_NEWEST_COUNT = query(
    "SELECT t.id AS transfer, t.rows_read, CAST(coalesce((SELECT sum(c.failed)"
    " FROM ledger.rule_count c WHERE c.transfer = t.id AND c.rule = %(rule)s"
    " AND %(field)s IN ('', c.field)), 0) AS bigint) AS failed FROM ledger.transfer t WHERE"
    " {read} AND t.id > %(after)s AND t.rows_read > 0 AND t.whole AND t.source_rows IS NOT NULL"
    " ORDER BY t.id DESC LIMIT 1",
    read=_READ,
)
_NEWEST_OUTCOME = query(
    "SELECT t.id AS transfer, f.passed FROM ledger.transfer t"
    " JOIN ledger.finding f ON f.transfer = t.id WHERE"
    " {read} AND t.id > %(after)s AND f.name = %(rule)s"
    " AND (NOT f.passed OR f.observed IS NOT NULL) ORDER BY t.id DESC LIMIT 1",
    read=_READ,
)


@dataclass(frozen=True, slots=True)
class WatchedRule:
    """Which rule or expectation is looked at.

    Attributes:
        rule: its name.
        field: of the rule; empty for all fields.
    """

    dataset: str
    rule: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What one collect counted of a rule: rows read, and those that failed it."""

    transfer: int
    rows_read: int
    failed: int


@dataclass(frozen=True, slots=True)
class ExpectationOutcome:
    """Whether an expectation passed in one collect."""

    transfer: int
    passed: bool


def last_broken(connection: Connection, watched: WatchedRule) -> RuleCount | None:
    """The newest collect in which rows failed the rule."""
    return fetch_one(connection, RuleCount, _LAST_BROKEN, _values(watched))


def last_unmet(connection: Connection, watched: WatchedRule) -> int | None:
    """The newest collect in which the expectation failed: its transfer."""
    return scalar(connection, int, _LAST_UNMET, _values(watched))


def ever_failed(connection: Connection, dataset: str, field: str) -> set[str]:
    """Names of all rules and expectations that ever failed.

    Args:
        connection: of the hub's database.
        dataset: whose.
        field: only rules of this field; empty: of all.
    """
    return set(scalars(connection, str, _EVER_FAILED, {"dataset": dataset, "field": field}))


def newest_count(connection: Connection, watched: WatchedRule, after: int) -> RuleCount | None:
    """What the newest collect that read the whole source counted of the rule.

    An increment, or a folder of news, says nothing of rows that it does not hold.

    Args:
        connection: of the hub's database.
        watched: the rule.
        after: only transfers with a higher id.
    """
    return fetch_one(connection, RuleCount, _NEWEST_COUNT, {**_values(watched), "after": after})


def fields_of(connection: Connection, dataset: str, rule: str, transfer: int) -> list[str]:
    """Fields of which a collect counted rows that failed a rule.

    Args:
        connection: of the hub's database.
        dataset: whose rule it is.
        rule: its name.
        transfer: the collect.
    """
    return scalars(
        connection,
        str,
        "SELECT c.field FROM ledger.rule_count c JOIN ledger.transfer t ON t.id = c.transfer"
        " WHERE t.subject = %(dataset)s AND c.rule = %(rule)s AND t.id = %(transfer)s"
        " UNION SELECT field FROM ledger.lane_rule WHERE dataset = %(dataset)s"
        " AND rule = %(rule)s AND last_broken = %(transfer)s ORDER BY 1",
        {"dataset": dataset, "rule": rule, "transfer": transfer},
    )


def newest_outcome(
    connection: Connection, watched: WatchedRule, after: int
) -> ExpectationOutcome | None:
    """How the expectation ended in the newest collect that could measure it.

    Args:
        connection: of the hub's database.
        watched: the expectation.
        after: only transfers with a higher id.
    """
    values = {**_values(watched), "after": after}
    return fetch_one(connection, ExpectationOutcome, _NEWEST_OUTCOME, values)


def _values(watched: WatchedRule) -> dict[str, object]:
    return {"dataset": watched.dataset, "rule": watched.rule, "field": watched.field}
