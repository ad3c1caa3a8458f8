"""Findings of rules, as a ticket remembers them and as the newest collect shows them."""

from __future__ import annotations

from typing import Any

from onecard.errors import UsageError, unknown
from onecard.model.tickets import Ticket
from onecard.store import finding_history
from onecard.store.database import Connection
from onecard.store.finding_history import WatchedRule


def finding_baseline(connection: Connection, watched: WatchedRule) -> dict[str, Any]:
    """What the newest collect in which the rule or expectation failed has counted.

    Raises:
        ConfigError: it never failed in this dataset; lists those that did.
    """
    broken = finding_history.last_broken(connection, watched)
    if broken is not None:
        return {
            "what": "rule",
            "transfer": broken.transfer,
            "rows_read": broken.rows_read,
            "failed": broken.failed,
        }
    unmet = finding_history.last_unmet(connection, watched)
    if unmet is not None:
        return {"what": "expectation", "transfer": unmet}
    known = finding_history.ever_failed(connection, watched.dataset, watched.field)
    raise UsageError(f"{watched.dataset}: " + unknown("finding", watched.rule, known))


def finding_now(connection: Connection, ticket: Ticket) -> tuple[int, dict[str, Any]] | None:
    """Transfer and numbers when the newest collect since the opening shows it better, else None."""
    before = ticket.baseline
    watched = WatchedRule(ticket.dataset, ticket.rule, ticket.field)
    after = int(before["after"])
    if before["what"] == "expectation":
        outcome = finding_history.newest_outcome(connection, watched, after)
        return (outcome.transfer, {"how": "passes"}) if outcome and outcome.passed else None
    count = finding_history.newest_count(connection, watched, after)
    if count is None:
        return None
    was, was_read = int(before["failed"]), int(before["rows_read"])
    if count.failed >= was or count.failed * was_read >= was * count.rows_read:
        return None
    detail = {"how": "fewer", "failed": count.failed, "rows_read": count.rows_read, "was": was}
    return count.transfer, detail
