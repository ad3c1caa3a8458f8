"""What needs a person now: `IssueKind` has the kinds, from late to expiring.

One list for `onecard status`, the alarms and whoever else asks; by the hub's clock, from the
ledger, without any value of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from onecard.base.times import shown
from onecard.model.holds import ON_DUTY, agency_of
from onecard.operations import calls, reactions, slowness
from onecard.ports.desk import Desk
from onecard.store import (
    agreement_lives,
    carrier_gaps,
    holds,
    leases,
    suspensions,
    tickets,
    waiting_carriers,
    watched,
)
from onecard.store import attention as ledger_attention
from onecard.store.database import Connection

IssueKind = Literal[
    "late",
    "volume",
    "held",
    "failing",
    "lane",
    "unblocked",
    "misuse",
    "slow",
    "gap",
    "overdue",
    "unapproved",
    "expiring",
]

EXPIRY_NEAR = timedelta(days=14)
"""So long before they are purged, quarantined rows are spoken of."""

LANE = "live lane"
"""The subject of an issue that concerns `onecard live` as a whole."""
LANE_SILENT = timedelta(minutes=1)
"""After this time without a word of any of its processes, the live lane counts as dead."""
SINGLE_CALLS = "single calls"
"""The subject of an issue that concerns the watch over calls as a whole."""
UNSEEN = timedelta(minutes=1)
"""After this time without a look, nobody watches over calls."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that needs a person.

    Attributes:
        subject: dataset, agreement, `ticket <id>`, `reconciliation <dataset>`, `LANE`,
            `SINGLE_CALLS`, or caller, operator and rule.
        since: the hub's time from which it holds; None: from the beginning.
        times: how many times in a row (failing), carriers (unblocked, gap), rows (expiring), or
            events or answers (slow), what a rule has counted (misuse); else 1.
        who: who may mend or release it.
        todo: the command or step.
        agency: whose dataset it is, who receives under the agreement, or must answer the ticket.
        onboarding: its agency or dataset is not on board yet: nobody is alarmed.
    """

    kind: IssueKind
    subject: str
    says: str
    todo: str
    who: str = ""
    since: datetime | None = None
    times: int = 1
    agency: str = ""
    onboarding: bool = False


def issues(
    connection: Connection, desk: Desk, kinds: Collection[IssueKind] | None = None
) -> list[Issue]:
    """Everything that needs a person: what is on board first, then the most urgent kind.

    Args:
        connection: of the hub's database.
        desk: the hub.
        kinds: only these are looked at; None: all.
    """
    looks: dict[IssueKind, Callable[[Connection, Desk], Iterator[Issue]]] = {
        "held": _held,
        "failing": _failing,
        "lane": _lane,
        "unblocked": _unblocked,
        "misuse": _misuse,
        "slow": _slow,
        "gap": _gaps,
        "late": _late,
        "volume": _volume,
        "overdue": _overdue,
        "unapproved": _unapproved,
        "expiring": _expiring,
    }
    wanted = [look for kind, look in looks.items() if kinds is None or kind in kinds]
    found = [_placed(issue, desk) for look in wanted for issue in look(connection, desk)]
    return sorted(found, key=lambda issue: issue.onboarding)


def _placed(issue: Issue, desk: Desk) -> Issue:
    """With the agency it belongs to, and whether that is on board."""
    name = issue.subject.removeprefix("reconciliation ")
    agreement = desk.catalogue.agreements.get(name)
    agency = issue.agency or (agreement.consumer if agreement else agency_of(name))
    subject = name if name in desk.catalogue.contracts or agreement else agency
    return replace(issue, agency=agency, onboarding=desk.catalogue.onboarding(subject))


def _late(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Datasets whose newest good transfer is older than their contract's freshness."""
    newest = ledger_attention.newest_published(connection)
    now = desk.settings.now()
    for dataset, contract in sorted(desk.catalogue.collected.items()):
        last = newest.get(dataset)
        todo = f"`onecard collect {dataset}`; if that fails, `onecard drift {dataset}`"
        if last is None:
            yield Issue("late", dataset, "never published", todo, contract.agency)
            continue
        due = last + contract.freshness.span
        if now > due:
            says = f"published {_ago(now - last)} ago, the contract says {contract.freshness}"
            yield Issue("late", dataset, says, todo, contract.agency, due)


def _volume(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Newest collects whose volume expectation failed without holding them."""
    for found in ledger_attention.unusual_volumes(connection, _volume_names(desk)):
        says = f"{found.rows_read:,} rows read, far from what is usual"
        todo = "ask the agency; `onecard report` shows the history"
        yield Issue("volume", found.dataset, says, todo, agency_of(found.dataset), found.at)


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
    for found in ledger_attention.failing(connection):
        name = found.subject
        step = "`onecard doctor` and `onecard drift`, then `onecard"
        todo = f"{step} {found.direction} {name}`"
        known = desk.catalogue.agreements.get(name)
        who = known.consumer if known else agency_of(name)
        says = f"{found.times} time(s) in a row: {found.message}"
        yield Issue("failing", name, says, todo, who, found.since, found.times)


def _unblocked(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Agreements that have not confirmed that carriers are blocked whose successors are in use.

    One that has ended, or is no more in the catalogue, confirms nothing any more, and nobody can
    mend that here: its consumer may use none of what it has.
    """
    today = desk.settings.now().date()
    for found in waiting_carriers.unconfirmed(connection):
        name = found.agreement
        agreement = desk.catalogue.agreements.get(name)
        if agreement is None or today > agreement.validity.last:
            continue
        says = (
            f"{found.carriers} replaced carrier(s) may still be accepted: not confirmed as blocked"
            " in time, and the new ones are enabled elsewhere"
        )
        todo = f"`onecard deliver {name}`; until it is confirmed, tell the consumer"
        yield Issue("unblocked", name, says, todo, "", found.since, found.carriers)


def _misuse(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Operators of callers who are suspended, a rule each; calls that nobody looks at."""
    for found in suspensions.open_ones(connection, desk.settings.now()):
        name = f"{found.caller} {found.operator} {found.rule}"
        says = (
            f"{found.number:,} counted, the rule's limit is {found.allowed:,}; not answered until"
            f" {shown(found.until)}"
        )
        todo = (
            "ask the caller's agency; where there was need for the calls, `onecard misuse lift"
            f" {found.caller} {found.operator} --by … --reason …`"
        )
        who, times = found.agency, found.number
        yield Issue("misuse", name, says, todo, who, found.at, times, agency=found.agency)
    since = watched.waiting_since(connection)
    if since is not None and since <= desk.settings.now() - UNSEEN:
        says = f"calls since {shown(since)} were not held against the rules of misuse.yaml"
        todo = "look at the log of `onecard serve`, or start it: it looks at what waits"
        yield Issue("misuse", SINGLE_CALLS, says, todo, ON_DUTY, since)


def _gaps(connection: Connection, _desk: Desk) -> Iterator[Issue]:
    """Carriers whose events skip a number, by dataset."""
    for found in carrier_gaps.open_gaps(connection):
        refs = ", ".join(ref[:16] for ref in found.refs)
        says = f"{found.carriers} carrier(s) whose events skip a number: {refs}"
        todo = "ask the agency for the events that are lacking; they are looked for at each collect"
        who = agency_of(found.dataset)
        yield Issue("gap", found.dataset, says, todo, who, found.since, found.carriers)


def _slow(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Consumers that know of events, or are answered, later than is allowed or promised."""
    now = desk.settings.now()
    for found in slowness.slow(reactions.lately(connection, desk.catalogue, now), now):
        todo = "`onecard doctor`; `onecard status` lists the causes, docs/live.md what to do"
        who, times = found.consumer, found.events
        yield Issue("slow", found.agreement, found.says, todo, who, found.since, times)
    for broken in calls.broken_promises(calls.lately(connection, desk.catalogue, now)):
        promise = broken.agreement.promise
        says = (
            f"{broken.late} of {broken.answered.calls} answers of the last 24 h took longer than"
            f" promised ({promise.shown if promise else ''})"
        )
        todo = "docs/operations.md, The query and verify service; `onecard status` shows calls"
        yield Issue("slow", broken.agreement.id, says, todo, ON_DUTY, None, broken.late)


def _lane(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """The live lane, where one was there and nothing is heard of it any more."""
    found = leases.processes(connection, LANE_SILENT.total_seconds())
    if found.heard or found.silent_s is None:
        return
    silent = timedelta(seconds=found.silent_s)
    says = (
        f"no process was heard of for {_ago(silent)}; the DAG `card_status` does its work once a"
        " minute"
    )
    todo = "start `onecard live`; given up for good: docs/live.md, Stop it"
    yield Issue("lane", LANE, says, todo, ON_DUTY, desk.settings.now() - silent)


def _overdue(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Challenges that their agency has not answered in time."""
    today = desk.settings.now().date()
    for ticket in tickets.listed(connection, None):
        if ticket.overdue(today):
            says = f"{ticket.dataset}: the answer was due on {ticket.due_on}"
            todo = f"`onecard challenge answer {ticket.id}`"
            name = f"ticket {ticket.id}"
            yield Issue("overdue", name, says, todo, ticket.agency, agency=ticket.agency)


def _unapproved(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Served agreements under which nothing leaves because nobody approved this text."""
    today = desk.settings.now().date()
    for name, agreement in sorted(desk.catalogue.agreements.items()):
        found = agreement_lives.life(connection, agreement, today)
        if found.state == "draft":
            says = "changed since its approval" if found.changed else "not approved"
            if found.first is not None:
                says = f"approved by {found.first.actor}; a second person must approve it too"
            todo = f"`onecard agreements diff {name}`, then `onecard agreements approve {name}`"
            yield Issue("unapproved", name, says, todo, agreement.responsible)


def _expiring(connection: Connection, desk: Desk) -> Iterator[Issue]:
    """Quarantined rows that are purged soon, by dataset."""
    for found in ledger_attention.expiring(connection, desk.settings.now() + EXPIRY_NEAR):
        name = found.dataset
        says = f"{found.rows} quarantined row(s) are purged from {found.first.date()} on"
        todo = f"`onecard quarantine list {name}`, then `hand-back` or `replay`"
        yield Issue("expiring", name, says, todo, agency_of(name), None, found.rows)


def _ago(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    hours = minutes // 60
    if minutes < 60:
        return f"{minutes} min"
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h"
