"""Housekeeping: what the hub does every day so that nothing is kept too long or changed unseen."""

from __future__ import annotations

from dataclasses import dataclass

from onecard.app.wiring import Hub
from onecard.crypto.audit_verify import Verdict
from onecard.errors import FatalError
from onecard.store import audit, database, quarantine


@dataclass(frozen=True, slots=True)
class Kept:
    """Outcome of one housekeeping: rows whose values were dropped, and the audit log's verdict."""

    purged: int
    verdict: Verdict

    def check(self) -> None:
        """Raise when the audit log is not as it was written.

        Raises:
            FatalError: it names the first bad entry.
        """
        if not self.verdict.ok:
            msg = f"audit log: first bad entry {self.verdict.first_bad}: {self.verdict.problem}"
            raise FatalError(msg)


def keep_house(hub: Hub) -> Kept:
    """Drop the values of rejected rows whose time is over, then verify the audit log.

    Raises:
        SourceUnavailable: the hub's database cannot be reached.
    """
    with database.connect(hub.address, autocommit=True) as connection:
        purged = purge(hub, connection)
        verdict = audit.verify_log(connection, hub.settings.home / "audit", hub.signer.holds)
    return Kept(purged, verdict)


def purge(hub: Hub, connection: database.Connection) -> int:
    """Drop the values of rejected rows whose time is over, with an audit entry; how many."""
    actor = hub.settings.actor
    with connection.transaction():
        number = quarantine.purge(connection, hub.settings.now(), actor)
        audit.append(connection, "quarantine.purged", "quarantine", actor, {"rows": number})
    return number
