"""What waits for a person: held collects, deliveries and reconciliations; who may release, and how.

One list for `onecard status`, the alarms, the reports and the portal, from the ledger, without any
value of a row and without the reason that a person gave.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from onecard.model.holds import (
    NEVER,
    ON_DUTY,
    Hold,
    agency_of,
    collect_hold,
    steward,
)
from onecard.store import findings, releases
from onecard.store.database import Connection
from onecard.store.together import Sent, send, together
from schemas.models.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class _Transfer:
    id: int
    direction: str
    subject: str
    hub_time: datetime
    message: str
    released: bool
    overtaken: int


@dataclass(frozen=True, slots=True)
class _Reconciliation:
    id: int
    subject: str
    hub_time: datetime
    held: int
    rows_hub: int
    rows_other: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of everything that is held (`ask`); to be read once."""

    _transfers: Sent[_Transfer]
    _reconciliations: Sent[_Reconciliation]

    def of(self, connection: Connection, known: Catalogue) -> list[Hold]:
        """As `holds`, once the answers are there.

        Args:
            connection: of the hub's database.
            known: contracts and agreements.
        """
        found = _held(connection, known, self._transfers.all())
        found += _reconciled(self._reconciliations.all())
        return sorted(found, key=lambda h: (h.since is None, h.since, h.kind, h.number))


def ask(connection: Connection) -> Asked:
    """Ask what is held now."""
    return Asked(
        send(connection, _Transfer, _HELD), send(connection, _Reconciliation, _HELD_DELETES)
    )


def holds(connection: Connection, known: Catalogue) -> list[Hold]:
    """Everything that is held now, in the order in which it began to wait."""
    with together(connection):
        asked = ask(connection)
    return asked.of(connection, known)


_HELD: LiteralString = (
    "WITH RECURSIVE named AS ((SELECT min(subject) AS subject FROM ledger.transfer) UNION ALL"
    " SELECT (SELECT min(o.subject) FROM ledger.transfer o WHERE o.subject > s.subject)"
    " FROM named s WHERE s.subject IS NOT NULL)"
    " SELECT t.id, t.direction, t.subject, t.hub_time, t.message, t.released,"
    " CASE WHEN n.status IN ('failed', 'published') THEN n.id ELSE 0 END AS overtaken"
    " FROM named s CROSS JOIN LATERAL ("
    " SELECT * FROM (SELECT *, EXISTS (SELECT FROM"
    " ledger.release r WHERE r.transfer = o.id) AS released FROM ledger.transfer o"
    " WHERE o.subject = s.subject) o"
    " WHERE (status IN ('published', 'confirmed', 'held') OR (status = 'audited' AND released))"
    " AND NOT (replay AND status <> 'held') ORDER BY id DESC LIMIT 1) t"
    " LEFT JOIN ledger.dataset d ON d.dataset = t.subject AND t.direction = 'collect'"
    " LEFT JOIN ledger.transfer n ON n.id = d.claim AND n.id > t.id"
    " WHERE t.status IN ('held', 'audited') ORDER BY t.id"
)
"""Of each dataset and agreement its newest, by the index: no look at all that ever ran."""


def _held(connection: Connection, known: Catalogue, lines: Iterable[_Transfer]) -> list[Hold]:
    """Newest transfers that are held, or were cut off after their release.

    Neither one that is under way nor one that failed ends what was held before it: it has not
    looked. Nor does a single row that is published out of the quarantine.
    """
    found = [_hold(connection, line, known) for line in lines]
    return [hold for hold in found if hold is not None]


def _hold(connection: Connection, line: _Transfer, known: Catalogue) -> Hold | None:
    """What waits; None of a dataset that has no contract any more."""
    contract = known.contracts.get(line.subject)
    if line.direction == "deliver":
        agreement = known.agreements.get(line.subject)
        who = agreement.responsible if agreement else ON_DUTY
        return Hold(
            "deliver",
            line.id,
            line.subject,
            who,
            line.message,
            line.hub_time,
            released=line.released,
        )
    if contract is None:
        return None
    failed = _unreleased(connection, line.id)
    return collect_hold(
        contract,
        line.id,
        message=line.message,
        since=line.hub_time,
        findings=failed,
        released=line.released and not failed,
        overtaken=line.overtaken,
    )


def _unreleased(connection: Connection, transfer: int) -> tuple[str, ...]:
    there = {r.finding for r in releases.of(connection, transfer)} - set(NEVER)
    return tuple(name for name in findings.failed(connection, transfer) if name not in there)


_HELD_DELETES: LiteralString = (
    "SELECT id, subject, hub_time, held, rows_hub, rows_other FROM ("
    " SELECT DISTINCT ON (subject) * FROM ledger.reconciliation WHERE kind = 'dataset'"
    " AND since IS NULL AND outcome NOT IN ('running', 'failed')"
    " ORDER BY subject, id DESC) r WHERE outcome = 'held' ORDER BY id"
)


def _reconciled(lines: Iterable[_Reconciliation]) -> list[Hold]:
    """Datasets whose last whole reconciliation found more absent than may be deleted at once."""
    return [
        Hold(
            "reconcile",
            line.id,
            line.subject,
            steward(agency_of(line.subject)),
            f"{line.held} of {line.rows_hub} published rows are absent from the source, which has"
            f" {line.rows_other}",
            line.hub_time,
            agency=agency_of(line.subject),
            rows=line.held,
            emptied=not line.rows_other,
        )
        for line in lines
    ]
