"""Housekeeping: what the hub does every day so that nothing is kept too long or changed unseen.

And so that the ledger stays small: transfers of the live lane that are two days old are folded, a
line a day for each dataset and agreement, with their evidence (ADR 0037).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta

from onecard.base.times import ZONE
from onecard.crypto.audit_verify import Verdict
from onecard.errors import FatalError
from onecard.operations import spools
from onecard.ports.desk import Desk
from onecard.store import (
    audit,
    call_figures,
    database,
    disclosures,
    folding,
    locks,
    quarantine,
    question_audit,
    questions,
    reaction,
    suspensions,
    watched,
)
from onecard.store.folding import LaneSubject
from schemas.models.catalogue import Catalogue

HOURS_KEPT = timedelta(days=8)
"""So far back how fast events travel, and how calls were answered, is known by the hour."""
FOLDED_AFTER = timedelta(days=2)
"""So many whole days before today the live lane's transfers stand in the ledger one by one."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Outcome of one housekeeping.

    Attributes:
        purged: rejected rows whose values were dropped.
        expired_months: months of the disclosure ledger that were dropped.
        folded: transfers of the live lane that were folded.
        verdict: of the audit log.
        uploads: that were not collected in time, and were removed.
    """

    purged: int
    expired_months: int
    folded: int
    verdict: Verdict
    uploads: int = 0

    def check(self) -> None:
        """Raise when the audit log is not as it was written.

        Raises:
            FatalError: it names the first bad entry.
        """
        if not self.verdict.ok:
            msg = f"audit log: first bad entry {self.verdict.first_bad}: {self.verdict.problem}"
            raise FatalError(msg)


def keep_house(hub: Desk) -> Kept:
    """Drop rejected values and uploads whose time is over, verify the audit log, fold.

    Old disclosures go too.

    The log is verified before a month of disclosures goes, so that whatever is wrong with the one
    is known whether or not the other can be done. Where it is not whole, nothing is folded.

    Raises:
        SourceUnavailable: the hub's database cannot be reached.
    """
    with database.connect(hub.address, autocommit=True) as connection:
        purged = purge(hub, connection)
        folder = hub.settings.home / "audit"
        verdict = question_audit.verify_all(connection, folder, hub.signer)
        months = expire_disclosures(hub, connection)
        questions.tidy(connection, hub.settings.now())
        watched.tidy(connection, hub.settings.now())
        brought = spools.tidy(hub, connection)
        fold_figures(hub, connection)
        folded = fold(hub, connection) if verdict.ok else 0
    return Kept(purged, months, folded, verdict, brought)


def purge(hub: Desk, connection: database.Connection) -> int:
    """Drop the values of rejected rows whose time is over, with an audit entry; how many."""
    actor = hub.settings.actor
    with connection.transaction():
        number = quarantine.purge(connection, hub.settings.now(), actor)
        audit.append(connection, "quarantine.purged", "quarantine", actor, {"rows": number})
    return number


def expire_disclosures(hub: Desk, connection: database.Connection) -> int:
    """Drop the months of the disclosure ledger that are older than three years; how many.

    Each month that goes is named in an audit entry; on a day on which none goes there is none.
    """
    with connection.transaction():
        today = hub.settings.now().date()
        # First, as whoever folds, and then whoever records calls: else each waits for the other.
        locks.hold_in_transaction(connection, locks.Kind.FOLDING)
        audit.head(connection, lock=True)
        dropped = disclosures.expire(connection, today)
        oldest = disclosures.oldest_month(today)
        suspensions.expire(connection, oldest)
        last = questions.expire(connection, oldest)
        if last:
            upto = {"last_group": last, "kept_years": disclosures.KEPT_YEARS}
            audit.append(connection, "questions.expired", "questions", hub.settings.actor, upto)
        if dropped:
            body = {"months": dropped, "kept_years": disclosures.KEPT_YEARS}
            audit.append(connection, "disclosures.expired", "disclosures", hub.settings.actor, body)
    return len(dropped)


def fold_figures(hub: Desk, connection: database.Connection) -> None:
    """Make one line a day of how fast events travelled by the hour, and of calls by the hour.

    Sums and percentiles of days and months stay what they were.
    """
    now = hub.settings.now().astimezone(ZONE)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    reaction.fold(connection, today - HOURS_KEPT)
    call_figures.fold(connection, today - HOURS_KEPT)


def fold(hub: Desk, connection: database.Connection) -> int:
    """Fold the live lane's transfers that are old enough; how many.

    Each day of a subject is a transaction of its own, with an audit entry: how many transfers,
    which, and a digest over their receipts.

    Args:
        hub: the hub.
        connection: in autocommit.
    """
    today = hub.settings.now()
    before = datetime.combine(today.date(), time(), today.tzinfo) - FOLDED_AFTER
    return sum(_fold_days(hub, connection, lane, before) for lane in _lane_subjects(hub.catalogue))


def _fold_days(
    hub: Desk, connection: database.Connection, lane: LaneSubject, before: datetime
) -> int:
    folded = 0
    for day in folding.days(connection, lane, before):
        with connection.transaction():
            made = folding.fold(connection, lane, before, day)
            if made is None:
                break
            body = {"direction": lane.direction, "day": day.isoformat(), **asdict(made)}
            audit.append(connection, "transfers.folded", lane.subject, hub.settings.actor, body)
        folded += made.transfers
    return folded


def _lane_subjects(known: Catalogue) -> Iterator[LaneSubject]:
    """Datasets and agreements of the event lane."""
    for contract in known.contracts.values():
        if contract.lane == "event":
            yield LaneSubject("collect", contract.id, contract.id)
    for agreement in known.agreements.values():
        if agreement.mode == "event" and agreement.dataset:
            yield LaneSubject("deliver", agreement.id, agreement.dataset)
