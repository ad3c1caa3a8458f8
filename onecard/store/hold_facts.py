"""What the ledger has of one thing that waits, or has waited, for a person: numbers and its end.

Counts, names and the hub's times; no value of a row, and not the reason that a person gave.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import LiteralString

from onecard.model.holds import Hold
from onecard.store import deliveries, locks, usual_volumes
from onecard.store.audit_queries import ACTS
from onecard.store.database import Connection, fetch_one, scalar

_STAGED: LiteralString = (
    "SELECT rows_read AS read, quarantined AS rejected,"
    " rows_read - unchanged - quarantined - deduplicated AS publishes, whole"
    " FROM ledger.transfer WHERE id = %s"
)
_COMPARED: LiteralString = (
    "SELECT rows_hub, held, rows_other FROM ledger.reconciliation WHERE id = %s"
)
_ENDED: LiteralString = (
    "SELECT status, message, published, unchanged, quarantined, version"
    " FROM ledger.transfer WHERE id = %s"
)
_RECONCILED: LiteralString = (
    "SELECT n.id AS number, n.outcome, n.tombstoned, n.hub_time AS at,"
    " coalesce(a.body::jsonb ->> 'released_by', '') AS by"
    " FROM ledger.reconciliation r JOIN LATERAL (SELECT * FROM ledger.reconciliation o"
    " WHERE o.subject = r.subject AND o.id > r.id AND o.kind = 'dataset' AND o.since IS NULL"
    " AND o.outcome NOT IN ('running', 'failed', 'held') ORDER BY o.id LIMIT 1) n ON true"
    " LEFT JOIN LATERAL (SELECT body FROM ledger.audit WHERE "
    + ACTS
    + " AND kind = 'reconcile.' || n.outcome AND subject = r.subject"
    " AND CASE WHEN kind = 'reconcile.' || n.outcome"  # before its text is read, which may be none
    " THEN (body::jsonb ->> 'reconciliation')::bigint = n.id END LIMIT 1) a ON true"
    " WHERE r.id = %(number)s"
)
_HELD_RECONCILIATION: LiteralString = (
    "SELECT subject FROM ledger.reconciliation WHERE id = %s AND kind = 'dataset'"
    " AND outcome = 'held'"
)


@dataclass(frozen=True, slots=True)
class HeldCounts:
    """Rows before and after, by which a person decides.

    Attributes:
        before: of a collect: what the last published reading of its kind has read; of a delivery:
            what is usual; of a reconciliation: rows that are published. None: there was none.
        after: what this reading has read; the published rows that would stay; None of a delivery,
            whose rows its message tells.
        publishes: of a collect: rows that are staged, to be published or found unchanged.
        rejected: of a collect: rows that the gate refused.
        at_source: of a reconciliation: rows of the source.
    """

    before: int | None
    after: int | None
    publishes: int | None = None
    rejected: int | None = None
    at_source: int | None = None


@dataclass(frozen=True, slots=True)
class _Staged:
    read: int
    rejected: int
    publishes: int
    whole: bool


@dataclass(frozen=True, slots=True)
class _Compared:
    rows_hub: int
    held: int
    rows_other: int


def counts(connection: Connection, hold: Hold) -> HeldCounts:
    """The numbers of what waits.

    Args:
        connection: of the hub's database.
        hold: what waits.
    """
    if hold.kind == "deliver":
        usual = deliveries.usual_rows(connection, hold.subject)
        return HeldCounts(round(median(usual)) if usual else None, None)
    if hold.kind == "reconcile":
        found = fetch_one(connection, _Compared, _COMPARED, (hold.number,))
        if found is None:
            return HeldCounts(None, None)
        left = found.rows_hub - found.held
        return HeldCounts(found.rows_hub, left, at_source=found.rows_other)
    staged = fetch_one(connection, _Staged, _STAGED, (hold.number,))
    if staged is None:
        return HeldCounts(None, None)
    earlier = usual_volumes.read_before(connection, hold.subject, whole=staged.whole, last=1)
    before = earlier[0] if earlier else None
    return HeldCounts(before, staged.read, staged.publishes, staged.rejected)


def under_way(connection: Connection, hold: Hold) -> bool:
    """Whether somebody is releasing it at this moment.

    Args:
        connection: of the hub's database, in no transaction.
        hold: what waits.
    """
    if hold.kind == "reconcile":
        return locks.taken(connection, locks.Kind.RECONCILIATION, hold.subject)
    return locks.taken(connection, locks.Kind.RELEASE, hold.number)


@dataclass(frozen=True, slots=True)
class EndedTransfer:
    """How a transfer stands that has waited."""

    status: str
    message: str
    published: int
    unchanged: int
    quarantined: int
    version: int | None


def ended_transfer(connection: Connection, number: int) -> EndedTransfer | None:
    """How a transfer stands; None: there is none."""
    return fetch_one(connection, EndedTransfer, _ENDED, (number,))


@dataclass(frozen=True, slots=True)
class EndedReconciliation:
    """The reconciliation that ended what an earlier one was held for.

    Attributes:
        number: its id.
        tombstoned: rows that it has published as deleted.
        by: who released it; empty: nobody did, the rows were there again.
    """

    number: int
    outcome: str
    tombstoned: int
    at: datetime
    by: str


def ended_reconciliation(connection: Connection, number: int) -> EndedReconciliation | None:
    """What ended a reconciliation that was held; None: nothing has yet.

    Args:
        connection: of the hub's database.
        number: of the one that was held.
    """
    return fetch_one(connection, EndedReconciliation, _RECONCILED, {"number": number})


def held_reconciliation(connection: Connection, number: int) -> str:
    """The dataset of a reconciliation that was held; empty: none of that id was."""
    return scalar(connection, str, _HELD_RECONCILIATION, (number,)) or ""
