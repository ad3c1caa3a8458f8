"""How many rows broke which rule: of the gate by field, by county, and of the privacy gate.

Tables `ledger.rule_count`, `ledger.county_count`, `ledger.privacy_result`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onecard.ports.privacy_gate import RuleResult
from onecard.ports.row_gate import Reason
from onecard.store.database import Connection


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
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.rule_count (transfer, field, rule, severity, failed)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (transfer, field, rule)"
            " DO UPDATE SET failed = ledger.rule_count.failed + excluded.failed",
            [(transfer, r.field, r.rule, severity, n) for r, n in sorted(counts.items())],
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
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.county_count (transfer, county, rows_read, quarantined)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (transfer, county) DO UPDATE SET"
            " rows_read = ledger.county_count.rows_read + excluded.rows_read,"
            " quarantined = ledger.county_count.quarantined + excluded.quarantined",
            [
                (transfer, county, read.get(county, 0), quarantined.get(county, 0))
                for county in sorted({*read, *quarantined})
            ],
        )


def forget(connection: Connection, transfer: int) -> None:
    """Forget what was counted of a collect whose rows are staged anew."""
    connection.execute("DELETE FROM ledger.rule_count WHERE transfer = %s", (transfer,))
    connection.execute("DELETE FROM ledger.county_count WHERE transfer = %s", (transfer,))


def record_privacy(connection: Connection, transfer: int, results: Iterable[RuleResult]) -> None:
    """Write what each rule of the privacy gate found.

    Args:
        connection: of the hub's database.
        transfer: the delivery.
        results: one for each rule.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.privacy_result (transfer, rule, action, outcome, checked, hits,"
            " detail) VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [(transfer, r.rule, r.action, r.outcome, r.checked, r.hits, r.detail) for r in results],
        )
