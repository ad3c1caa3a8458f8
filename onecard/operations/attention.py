"""What needs a person now: late, held, failing, overdue, unapproved, expiring.

One list for `onecard status`, the alarms and whoever else asks; by the hub's clock, from the
ledger, without any value of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from onecard.model.holds import agency_of
from onecard.ports.desk import Desk
from onecard.store import agreement_lives, holds, tickets
from onecard.store.database import Connection

Kind = Literal["late", "volume", "held", "failing", "overdue", "unapproved", "expiring"]

EXPIRY_NEAR = timedelta(days=14)
"""So long before they are purged, quarantined rows are spoken of."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that needs a person.

    Attributes:
        subject: dataset, agreement, `ticket <id>` or `reconciliation <dataset>`.
        since: the hub's time from which it holds; None: from the beginning.
        times: how many times in a row (failing), or rows (expiring); else 1.
        who: who may mend or release it.
        todo: the command or step.
    """

    kind: Kind
    subject: str
    says: str
    todo: str
    who: str = ""
    since: datetime | None = None
    times: int = 1


def issues(connection: Connection, desk: Desk) -> list[Issue]:
    """Everything that needs a person, the most urgent kind first."""
    parts: tuple[Callable[[Connection, Desk], Iterator[Issue]], ...] = (
        _held,
        _failing,
        _late,
        _volume,
        _overdue,
        _unapproved,
        _expiring,
    )
    return [trouble for part in parts for trouble in part(connection, desk)]


def _late(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Datasets whose newest good transfer is older than their contract's freshness."""
    rows = connection.execute(
        "SELECT subject, max(hub_time) FROM ledger.transfer WHERE direction = 'collect'"
        " AND status = 'published' AND NOT replay GROUP BY subject"
    ).fetchall()
    newest = {str(r[0]): r[1] for r in rows}
    now = desk.settings.now()
    for dataset, contract in sorted(desk.catalogue.contracts.items()):
        last = newest.get(dataset)
        todo = f"`onecard collect {dataset}`; if that fails, `onecard drift {dataset}`"
        if not isinstance(last, datetime):
            yield Issue("late", dataset, "never published", todo, contract.agency)
            continue
        due = last + contract.freshness.span
        if now > due:
            says = f"published {_ago(now - last)} ago, the contract says {contract.freshness}"
            yield Issue("late", dataset, says, todo, contract.agency, due)


def _volume(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Newest collects whose volume expectation failed without holding them."""
    rows = connection.execute(
        "SELECT t.subject, t.hub_time, t.rows_read FROM (SELECT DISTINCT ON (subject) *"
        " FROM ledger.transfer WHERE direction = 'collect' AND NOT replay"
        " AND status IN ('published', 'held') ORDER BY subject, id DESC) t"
        " JOIN ledger.finding f ON f.transfer = t.id"
        " WHERE NOT f.passed AND f.name = ANY(%s) ORDER BY t.subject",
        (sorted(_volume_names(desk)),),
    ).fetchall()
    for subject, at, read in rows:
        says = f"{int(str(read)):,} rows read, far from what is usual"
        todo = "ask the agency; `onecard report` shows the history"
        yield Issue("volume", str(subject), says, todo, agency_of(str(subject)), _moment(at))


def _volume_names(desk: Desk) -> set[str]:
    every = (e for c in desk.catalogue.contracts.values() for e in c.expectations)
    return {e.name for e in every if e.check.check == "volume"}


def _held(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """What waits for a person, and who that is."""
    for hold in holds.holds(connection, desk.catalogue):
        name = hold.subject
        if hold.kind == "reconcile":
            name = f"reconciliation {name}"
        yield Issue("held", name, hold.message, hold.todo, hold.who, hold.since)


def _failing(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Subjects whose newest transfer failed, and how many times in a row."""
    rows = connection.execute(
        "WITH t AS (SELECT direction, subject, id, status, hub_time, message,"
        " max(id) FILTER (WHERE status NOT IN ('failed', 'running'))"
        " OVER (PARTITION BY direction, subject) AS good FROM ledger.transfer)"
        " SELECT direction, subject, count(*), min(hub_time),"
        " (array_agg(message ORDER BY id DESC))[1] FROM t"
        " WHERE status = 'failed' AND id > coalesce(good, 0)"
        " GROUP BY direction, subject ORDER BY direction, subject"
    ).fetchall()
    for direction, subject, times, since, message in rows:
        name, number = str(subject), int(str(times))
        step = "`onecard doctor` and `onecard drift`, then `onecard"
        todo = f"{step} {direction} {name}`"
        known = desk.catalogue.agreements.get(name)
        who = known.consumer if known else agency_of(name)
        says = f"{number} time(s) in a row: {message}"
        yield Issue("failing", name, says, todo, who, _moment(since), number)


def _overdue(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Challenges that their agency has not answered in time."""
    today = desk.settings.now().date()
    for ticket in tickets.listed(connection, None):
        if ticket.overdue(today):
            says = f"{ticket.dataset}: the answer was due on {ticket.due_on}"
            todo = f"`onecard challenge answer {ticket.id}`"
            yield Issue("overdue", f"ticket {ticket.id}", says, todo, ticket.agency)


def _unapproved(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Served agreements under which nothing leaves because nobody approved this text."""
    today = desk.settings.now().date()
    for name, agreement in sorted(desk.catalogue.agreements.items()):
        found = agreement_lives.life(connection, agreement, today)
        if found.state == "draft":
            says = "changed since its approval" if found.changed else "not approved"
            todo = f"`onecard agreements diff {name}`, then `onecard agreements approve {name}`"
            yield Issue("unapproved", name, says, todo, agreement.responsible)


def _expiring(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Quarantined rows that are purged soon, by dataset."""
    rows = connection.execute(
        "SELECT dataset, count(*), min(expires_at) FROM quarantine.record"
        " WHERE status = 'held' AND expires_at <= %s GROUP BY dataset ORDER BY dataset",
        (desk.settings.now() + EXPIRY_NEAR,),
    ).fetchall()
    for dataset, number, first in rows:
        day = first.date() if isinstance(first, datetime) else ""
        says = f"{number} quarantined row(s) are purged from {day} on"
        todo = f"`onecard quarantine list {dataset}`, then `hand-back` or `replay`"
        name = str(dataset)
        yield Issue("expiring", name, says, todo, agency_of(name), None, int(str(number)))


def _moment(value: object) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _ago(span: timedelta) -> str:
    hours = int(span.total_seconds() // 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h"
