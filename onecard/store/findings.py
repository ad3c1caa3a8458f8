"""Outcomes of the dataset-level expectations, `ledger.finding`."""

from __future__ import annotations

from collections.abc import Iterable

from onecard.ports.auditor import Finding
from onecard.store.database import Connection, scalars


def record(connection: Connection, transfer: int, findings: Iterable[Finding]) -> None:
    """Write the outcome of an audit; that of an earlier audit of the transfer is overwritten.

    Args:
        connection: of the hub's database.
        transfer: the collect.
        findings: one for each expectation.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ledger.finding (transfer, name, severity, passed, observed, field)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (transfer, name) DO UPDATE"
            " SET severity = excluded.severity, passed = excluded.passed,"
            " observed = excluded.observed",
            [(transfer, f.name, f.severity, f.passed, f.observed, f.field) for f in findings],
        )


def failed(connection: Connection, transfer: int) -> list[str]:
    """Names of the critical expectations that the last audit of a transfer found failed."""
    return scalars(
        connection,
        str,
        "SELECT name FROM ledger.finding WHERE transfer = %s AND severity = 'critical'"
        " AND NOT passed ORDER BY name",
        (transfer,),
    )
