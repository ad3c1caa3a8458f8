"""Housekeeping: what the hub does every day so that nothing is kept too long or changed unseen.

And so that the ledger stays small: transfers of the live lane that are two days old are folded, a
line a day for each dataset and agreement, with their evidence (ADR 0037).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, time

from onecard.base.times import ZONE
from onecard.crypto.audit_verify import Verdict
from onecard.errors import FatalError
from onecard.operations import spools, ticket_news
from onecard.ports.desk import Desk
from onecard.store import (
    attachments,
    audit,
    audit_peaks,
    call_figures,
    database,
    expiry,
    folding,
    former,
    locks,
    months,
    quarantine,
    question_audit,
    questions,
    reaction,
    retention,
)
from onecard.store.expiry import Expired
from onecard.store.folding import LaneSubject
from onecard.store.retention import FOLDED_AFTER, HOURS_KEPT
from schemas.models.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Kept:
    """Outcome of one housekeeping.

    Attributes:
        purged: rejected rows whose values were dropped.
        expired_months: months of disclosures and of calls that were dropped.
        expired_rows: rows that were older than three years, in all tables.
        folded: transfers of the live lane that were folded.
        verdict: of the audit log.
        uploads: that were not collected in time, and were removed.
        attachments: files of tickets that ended long enough ago, and were erased.
    """

    purged: int
    expired_months: int
    expired_rows: int
    folded: int
    verdict: Verdict
    uploads: int = 0
    attachments: int = 0

    def check(self) -> None:
        """Raise when the audit log is not as it was written.

        Raises:
            FatalError: it names the first bad entry.
        """
        if not self.verdict.ok:
            msg = f"audit log: first bad entry {self.verdict.first_bad}: {self.verdict.problem}"
            raise FatalError(msg)


def keep_house(hub: Desk) -> Kept:
    """Drop what is kept long enough (`onecard.store.retention`), verify the audit log, fold.

    Uploads that waited too long go too, and people in charge of tickets are reminded.

    The log is verified before anything of years goes, so that whatever is wrong with the one is
    known whether or not the other can be done. Where it is not whole, nothing is folded. A second
    housekeeping at the same time waits for the first.

    Raises:
        SourceUnavailable: the hub's database cannot be reached.
        PolicyError: no signing key for the receipt of what is to be dropped.
    """
    with database.connect(hub.address, autocommit=True) as connection:
        locks.hold(connection, locks.Kind.HOUSEKEEPING, "")
        purged = purge(hub, connection)
        erased = attachments.erase(connection, hub.settings.now(), hub.settings.actor)
        folder = hub.settings.home / "audit"
        verdict = question_audit.verify_all(connection, folder, hub.signer)
        expired = expire(hub, connection)
        now = hub.settings.now()
        questions.make_month(connection, months.after(months.first_of(now.date())))
        expiry.tidy(connection, now)
        former.purge(connection, now.date())
        brought = spools.tidy(hub, connection)
        fold_figures(hub, connection)
        folded = fold(hub, connection) if verdict.ok else 0
        if verdict.ok:
            audit_peaks.keep(connection)
    ticket_news.try_telling(lambda: hub)
    rows = sum(expired.rows.values())
    return Kept(purged, len(expired.months), rows, folded, verdict, brought, erased)


def purge(hub: Desk, connection: database.Connection) -> int:
    """Drop the values of rejected rows whose time is over, with an audit entry; how many."""
    actor = hub.settings.actor
    with connection.transaction():
        number = quarantine.purge(connection, hub.settings.now(), actor)
        audit.append(connection, "quarantine.purged", "quarantine", actor, {"rows": number})
    return number


def expire(hub: Desk, connection: database.Connection) -> Expired:
    """Drop what is older than three years, with a receipt in the audit log; on most days nothing.

    Of groups of calls the log says up to which they are gone, so that it can be verified without.
    """
    with connection.transaction():
        now, actor = hub.settings.now(), hub.settings.actor
        # First, as whoever folds, and then whoever records calls: else each waits for the other.
        locks.hold_in_transaction(connection, locks.Kind.FOLDING)
        audit.head(connection, lock=True)
        last = questions.last_before(connection, retention.oldest_month(now.date()))
        dropped = expiry.expire(connection, now)
        if last:
            upto = {"last_group": last, "kept_years": retention.YEARS}
            audit.append(connection, "questions.expired", "questions", actor, upto)
        if dropped.rows or dropped.months:
            expiry.issue(connection, dropped, hub.signer, {"actor": actor, "at": now})
    return dropped


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
