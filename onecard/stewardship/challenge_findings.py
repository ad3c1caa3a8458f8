"""Findings of rules, as a ticket remembers them and as the newest collect shows them."""

from __future__ import annotations

from typing import Any

from onecard.errors import ConfigError, unknown
from onecard.model.tickets import Ticket
from onecard.store.database import Connection

_READ = (
    "direction = 'collect' AND subject = %(dataset)s AND status IN ('published', 'held')"
    " AND NOT replay"
)


def finding_baseline(connection: Connection, dataset: str, rule: str, field: str) -> dict[str, Any]:
    """What the newest collect in which the rule or expectation failed has counted.

    Raises:
        ConfigError: it never failed in this dataset; lists those that did.
    """
    wanted = {"dataset": dataset, "rule": rule, "field": field}
    row = connection.execute(
        f"SELECT t.id, t.rows_read, sum(c.failed) FROM ledger.transfer t"  # noqa: S608
        " JOIN ledger.rule_count c ON c.transfer = t.id"
        f" WHERE {_READ} AND c.rule = %(rule)s AND %(field)s IN ('', c.field)"
        " GROUP BY t.id HAVING sum(c.failed) > 0 ORDER BY t.id DESC LIMIT 1".encode(),
        wanted,
    ).fetchone()
    if row is not None:
        transfer, read, failed = (int(str(value)) for value in row)
        return {"what": "rule", "transfer": transfer, "rows_read": read, "failed": failed}
    row = connection.execute(
        "SELECT t.id FROM ledger.transfer t JOIN ledger.finding f ON f.transfer = t.id"  # noqa: S608
        f" WHERE {_READ} AND f.name = %(rule)s AND NOT f.passed"
        " ORDER BY t.id DESC LIMIT 1".encode(),
        wanted,
    ).fetchone()
    if row is not None:
        return {"what": "expectation", "transfer": int(str(row[0]))}
    raise ConfigError(f"{dataset}: " + unknown("finding", rule, _known(connection, dataset, field)))


def _known(connection: Connection, dataset: str, field: str) -> set[str]:
    rows = connection.execute(
        "SELECT c.rule FROM ledger.transfer t JOIN ledger.rule_count c ON c.transfer = t.id"  # noqa: S608
        f" WHERE {_READ} AND c.failed > 0 AND %(field)s IN ('', c.field)"
        " UNION SELECT f.name FROM ledger.transfer t JOIN ledger.finding f ON f.transfer = t.id"
        f" WHERE {_READ} AND NOT f.passed".encode(),
        {"dataset": dataset, "field": field},
    ).fetchall()
    return {str(row[0]) for row in rows}


def finding_now(connection: Connection, ticket: Ticket) -> tuple[int, dict[str, Any]] | None:
    """Transfer and numbers when the newest collect since the opening shows it better, else None."""
    before = ticket.baseline
    if before["what"] == "expectation":
        return _expectation(connection, ticket)
    row = connection.execute(
        "SELECT t.id, t.rows_read, coalesce((SELECT sum(c.failed) FROM ledger.rule_count c"  # noqa: S608
        " WHERE c.transfer = t.id AND c.rule = %(rule)s AND %(field)s IN ('', c.field)), 0)"
        f" FROM ledger.transfer t WHERE {_READ} AND t.id > %(after)s AND t.rows_read > 0"
        " ORDER BY t.id DESC LIMIT 1".encode(),
        _wanted(ticket),
    ).fetchone()
    if row is None:
        return None
    transfer, read, failed = (int(str(value)) for value in row)
    was, was_read = int(before["failed"]), int(before["rows_read"])
    if failed >= was or failed * was_read >= was * read:
        return None
    return transfer, {"how": "fewer", "failed": failed, "rows_read": read, "was": was}


def _expectation(connection: Connection, ticket: Ticket) -> tuple[int, dict[str, Any]] | None:
    row = connection.execute(
        "SELECT t.id, f.passed FROM ledger.transfer t JOIN ledger.finding f ON f.transfer = t.id"  # noqa: S608
        f" WHERE {_READ} AND t.id > %(after)s AND f.name = %(rule)s"
        " ORDER BY t.id DESC LIMIT 1".encode(),
        _wanted(ticket),
    ).fetchone()
    return (int(str(row[0])), {"how": "passes"}) if row and row[1] else None


def _wanted(ticket: Ticket) -> dict[str, Any]:
    return {
        "dataset": ticket.dataset,
        "rule": ticket.rule,
        "field": ticket.field,
        "after": int(ticket.baseline["after"]),
    }
