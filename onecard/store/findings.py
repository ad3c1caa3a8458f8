"""Outcomes of the dataset-level expectations, `ledger.finding`."""

from __future__ import annotations

from collections.abc import Iterable

from onecard.ports.auditor import Finding
from onecard.store.database import Connection, columns, scalars


def record(connection: Connection, transfer: int, findings: Iterable[Finding]) -> None:
    """Write the outcome of an audit; that of an earlier audit of the transfer is overwritten.

    Args:
        connection: of the hub's database.
        transfer: the collect.
        findings: one for each expectation.
    """
    last = {f.name: f for f in findings}
    lines = [(f.name, f.severity, f.passed, f.observed, f.field) for f in last.values()]
    if lines:
        connection.execute(
            "INSERT INTO ledger.finding (transfer, name, severity, passed, observed, field)"
            " SELECT %s, x.* FROM unnest(%s::text[], %s::text[], %s::bool[], %s::float8[],"
            " %s::text[]) AS x ON CONFLICT (transfer, name) DO UPDATE"
            " SET severity = excluded.severity, passed = excluded.passed,"
            " observed = excluded.observed",
            (transfer, *columns(lines)),
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


def failed_before(connection: Connection, dataset: str) -> frozenset[str]:
    """Names of the expectations that the last published reading of a dataset did not meet.

    Args:
        connection: of the hub's database.
        dataset: the dataset.
    """
    found = scalars(
        connection,
        str,
        "SELECT f.name FROM ledger.finding f WHERE NOT f.passed AND f.transfer = ("
        "SELECT t.id FROM ledger.transfer t WHERE t.direction = 'collect' AND t.subject = %s"
        " AND t.status = 'published' AND EXISTS"
        " (SELECT FROM ledger.finding g WHERE g.transfer = t.id) ORDER BY t.id DESC LIMIT 1)",
        (dataset,),
    )
    return frozenset(found)
