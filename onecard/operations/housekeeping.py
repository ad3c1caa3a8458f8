"""Housekeeping: what the hub does every day so that nothing is kept too long or changed unseen."""

from __future__ import annotations

from dataclasses import dataclass

from onecard.crypto.audit_verify import Verdict
from onecard.errors import FatalError
from onecard.ports.desk import Desk
from onecard.store import audit, database, disclosures, quarantine, question_audit, questions


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
    """Drop rejected values whose time is over, verify the audit log, drop old disclosures.

    The log is verified before a month of disclosures goes, so that whatever is wrong with the one
    is known whether or not the other can be done.

    Raises:
        SourceUnavailable: the hub's database cannot be reached.
    """
    with database.connect(hub.address, autocommit=True) as connection:
        purged = purge(hub, connection)
        folder = hub.settings.home / "audit"
        verdict = question_audit.verify_all(connection, folder, hub.signer)
        months = expire_disclosures(hub, connection)
        questions.tidy(connection, hub.settings.now())
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
        today = hub.settings.now().date()
        audit.head(connection, lock=True)  # first, as whoever records calls: else each waits
        dropped = disclosures.expire(connection, today)
        last = questions.expire(connection, disclosures.oldest_month(today))
        if last:
            upto = {"last_group": last, "kept_years": disclosures.KEPT_YEARS}
            audit.append(connection, "questions.expired", "questions", hub.settings.actor, upto)
        if dropped:
            body = {"months": dropped, "kept_years": disclosures.KEPT_YEARS}
            audit.append(connection, "disclosures.expired", "disclosures", hub.settings.actor, body)
    return len(dropped)
