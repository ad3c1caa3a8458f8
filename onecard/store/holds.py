"""What waits for a person: held collects, deliveries and reconciliations; who may release, and how.

One list for `onecard status`, the alarms, the reports and the portal, from the ledger, without any
value of a row and without the reason that a person gave.
"""

from __future__ import annotations

from typing import Any

from onecard.model.holds import (
    NEVER,
    ON_DUTY,
    Hold,
    agency_of,
    collect_hold,
    steward,
)
from onecard.store import releases
from onecard.store.database import Connection
from schemas.models.catalogue import Catalogue


def holds(connection: Connection, known: Catalogue) -> list[Hold]:
    """Everything that is held now, in the order in which it began to wait."""
    found = [*_transfers(connection, known), *_reconciliations(connection)]
    return sorted(found, key=lambda h: (h.since is None, h.since, h.kind, h.number))


def _transfers(connection: Connection, known: Catalogue) -> list[Hold]:
    """Newest transfers that are held, or were cut off after their release.

    One that is under way ends nothing yet: what was held before it is told until it has ended.
    """
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT t.id, direction, subject, hub_time, message, released FROM ("
        " SELECT DISTINCT ON (direction, subject) * FROM (SELECT *, EXISTS (SELECT FROM"
        " ledger.release r WHERE r.transfer = o.id) AS released FROM ledger.transfer o) o"
        " WHERE status NOT IN ('running', 'staged', 'audited') OR (status = 'audited' AND released)"
        " ORDER BY direction, subject, id DESC) t WHERE status IN ('held', 'audited') ORDER BY t.id"
    ).fetchall()
    found = []
    for number, direction, subject, at, message, released in rows:
        contract = known.contracts.get(subject)
        if direction == "collect" and contract is not None:
            failed = _unreleased(connection, number)
            told = {"message": message, "since": at, "findings": failed}
            found.append(collect_hold(contract, number, **told, released=released and not failed))
        elif direction == "deliver":
            agreement = known.agreements.get(subject)
            who = agreement.responsible if agreement else ON_DUTY
            found.append(Hold("deliver", number, subject, who, message, at, released=released))
    return found


def _unreleased(connection: Connection, transfer: int) -> tuple[str, ...]:
    there = {r.finding for r in releases.of(connection, transfer)} - set(NEVER)
    return tuple(name for name in releases.failed(connection, transfer) if name not in there)


def _reconciliations(connection: Connection) -> list[Hold]:
    """Datasets whose last whole reconciliation found more absent than may be deleted at once."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT id, subject, hub_time, held, rows_hub, rows_other FROM ("
        " SELECT DISTINCT ON (subject) * FROM ledger.reconciliation WHERE kind = 'dataset'"
        " AND since IS NULL AND outcome NOT IN ('running', 'failed')"
        " ORDER BY subject, id DESC) r WHERE outcome = 'held' ORDER BY id"
    ).fetchall()
    return [
        Hold(
            "reconcile",
            number,
            subject,
            steward(agency_of(subject)),
            f"{absent} of {ours} published rows are absent from the source, which has {theirs}",
            at,
            agency=agency_of(subject),
            rows=absent,
            emptied=not theirs,
        )
        for number, subject, at, absent, ours, theirs in rows
    ]
