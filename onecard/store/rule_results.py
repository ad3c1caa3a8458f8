"""How many rows broke which rule: of the gate by field, by county, and of the privacy gate.

Tables `ledger.rule_count`, `ledger.county_count`, `ledger.privacy_result`, `ledger.privacy_day`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onecard.base.sql_text import query
from onecard.ports.privacy_gate import RuleResult
from onecard.ports.row_gate import Reason
from onecard.store.database import Connection, columns
from onecard.store.days import DAY


def record_rules(
    connection: Connection, transfer: int, counts: Mapping[Reason, int], severity: str
) -> None:
    """Add how many rows failed each rule.

    Args:
        connection: of the hub's database.
        transfer: the collect.
        counts: rows by reason.
        severity: `error` or `warning`.
    """
    lines = [(r.field, r.rule, failed) for r, failed in sorted(counts.items())]
    if lines:
        connection.execute(
            "INSERT INTO ledger.rule_count (transfer, field, rule, severity, failed)"
            " SELECT %s, field, rule, %s, failed FROM unnest(%s::text[], %s::text[], %s::bigint[])"
            " AS x (field, rule, failed) ON CONFLICT (transfer, field, rule)"
            " DO UPDATE SET failed = ledger.rule_count.failed + excluded.failed",
            (transfer, severity, *columns(lines)),
        )


def record_counties(
    connection: Connection, transfer: int, read: Mapping[str, int], quarantined: Mapping[str, int]
) -> None:
    """Add rows read and rows quarantined by county.

    Args:
        connection: of the hub's database.
        transfer: the collect.
        read: rows by county (six digits; empty: another place).
        quarantined: rows by county.
    """
    lines = [(c, read.get(c, 0), quarantined.get(c, 0)) for c in sorted({*read, *quarantined})]
    if lines:
        connection.execute(
            "INSERT INTO ledger.county_count (transfer, county, rows_read, quarantined)"
            " SELECT %s, x.* FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS x"
            " ON CONFLICT (transfer, county) DO UPDATE SET"
            " rows_read = ledger.county_count.rows_read + excluded.rows_read,"
            " quarantined = ledger.county_count.quarantined + excluded.quarantined",
            (transfer, *columns(lines)),
        )


def forget(connection: Connection, transfer: int) -> None:
    """Forget what was counted of a collect whose rows are staged anew."""
    connection.execute(
        "WITH rules AS (DELETE FROM ledger.rule_count WHERE transfer = %(transfer)s)"
        " DELETE FROM ledger.county_count WHERE transfer = %(transfer)s",
        {"transfer": transfer},
    )


def record_privacy(connection: Connection, transfer: int, results: Iterable[RuleResult]) -> None:
    """Write what each rule of the privacy gate found.

    Args:
        connection: of the hub's database.
        transfer: the delivery.
        results: one for each rule.
    """
    lines = [(r.rule, r.action, r.outcome, r.checked, r.hits, r.detail) for r in results]
    if lines:
        connection.execute(
            "INSERT INTO ledger.privacy_result (transfer, rule, action, outcome, checked, hits,"
            " detail) SELECT %s, x.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[],"
            " %s::bigint[], %s::text[]) AS x ON CONFLICT DO NOTHING",
            (transfer, *columns(lines)),
        )


def count_privacy(connection: Connection, transfer: int, results: Iterable[RuleResult]) -> None:
    """Add what rules found in a confirmed delivery to its day; its receipt has them one by one.

    Args:
        connection: in the transaction that confirms; the agreement is locked.
        transfer: the delivery.
        results: one for each rule.
    """
    lines = sorted((r.rule, r.action, r.checked, r.hits) for r in results)
    if lines:
        connection.execute(
            query(
                "INSERT INTO ledger.privacy_day AS d (agreement, day, rule, action, runs, checked,"
                " hits) SELECT t.subject, {day}, x.rule, x.action, 1, x.checked, x.hits"
                " FROM ledger.transfer t, unnest(%s::text[], %s::text[], %s::bigint[],"
                " %s::bigint[]) AS x (rule, action, checked, hits) WHERE t.id = %s"
                " ON CONFLICT (agreement, day, rule, action) DO UPDATE SET runs = d.runs + 1,"
                " checked = d.checked + excluded.checked, hits = d.hits + excluded.hits",
                day=DAY,
            ),
            (*columns(lines), transfer),
        )
