"""Findings of rules, as a ticket remembers them and as the newest collect shows them."""

from __future__ import annotations

from typing import Any

from onecard.errors import UsageError, unknown
from onecard.model.tickets import Ticket
from onecard.store import finding_history, unresolved
from onecard.store.database import Connection
from onecard.store.finding_history import WatchedRule
from onecard.store.unresolved import BrokenIn


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
        return _own_rows(connection, ticket)
    was, was_read = int(before["failed"]), int(before["rows_read"])
    if count.failed >= was or count.failed * was_read >= was * count.rows_read:
        return None
    detail = {"how": "fewer", "failed": count.failed, "rows_read": count.rows_read, "was": was}
    return count.transfer, detail


def _own_rows(connection: Connection, ticket: Ticket) -> tuple[int, dict[str, Any]] | None:
    """The same by the rows that failed then: fewer of them still stand in quarantine."""
    then = int(ticket.baseline["transfer"])
    fields = (
        [ticket.field]
        if ticket.field
        else finding_history.fields_of(connection, ticket.dataset, ticket.rule, then)
    )
    broken = [BrokenIn(ticket.dataset, name, ticket.rule, then, then) for name in fields]
    own = unresolved.counted(connection, broken).values()
    was, left = sum(o.rows for o in own), sum(o.unresolved for o in own)
    ended = unresolved.newest_end(connection, ticket.dataset, then)
    if left >= was or ended <= int(ticket.baseline["after"]):
        return None
    return ended, {"how": "fewer", "failed": left, "was": was}
