"""Housekeeping: what the hub does every day so that nothing is kept too long or changed unseen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from onecard.base.times import ZONE
from onecard.crypto.audit_verify import Verdict
from onecard.errors import FatalError
from onecard.ports.desk import Desk
from onecard.store import audit, database, disclosures, quarantine, reaction

HOURS_KEPT = timedelta(days=8)
"""So far back how fast events travel is known by the hour."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Outcome of one housekeeping.

    Attributes:
        purged: rejected rows whose values were dropped.
        expired_months: months of the disclosure ledger that were dropped.
        verdict: of the audit log.
    """

    purged: int
    expired_months: int
    verdict: Verdict

    def check(self) -> None:
        """Raise when the audit log is not as it was written.

        Raises:
            FatalError: it names the first bad entry.
        """
        if not self.verdict.ok:
            msg = f"audit log: first bad entry {self.verdict.first_bad}: {self.verdict.problem}"
            raise FatalError(msg)


def keep_house(hub: Desk) -> Kept:
    """Drop rejected values whose time is over, verify the audit log, drop old disclosures, fold.

    The log is verified before a month of disclosures goes, so that whatever is wrong with the one
    is known whether or not the other can be done.

    Raises:
        SourceUnavailable: the hub's database cannot be reached.
    """
    with database.connect(hub.address, autocommit=True) as connection:
        purged = purge(hub, connection)
        verdict = audit.verify_log(connection, hub.settings.home / "audit", hub.signer.holds)
        months = expire_disclosures(hub, connection)
        fold_reaction(hub, connection)
    return Kept(purged, months, verdict)


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
        dropped = disclosures.expire(connection, hub.settings.now().date())
        if dropped:
            body = {"months": dropped, "kept_years": disclosures.KEPT_YEARS}
            audit.append(connection, "disclosures.expired", "disclosures", hub.settings.actor, body)
    return len(dropped)


def fold_reaction(hub: Desk, connection: database.Connection) -> None:
    """Make one line a day of how fast events travelled by the hour.

    Sums and percentiles of days and months stay what they were.
    """
    now = hub.settings.now().astimezone(ZONE)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    reaction.fold(connection, today - HOURS_KEPT)
