"""What waits for a person: held collects, deliveries and reconciliations; who may release, and how.

One list for `onecard status`, the alarms, the reports and the portal, from the ledger, without any
value of a row and without the reason that a person gave.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from onecard.store import releases
from onecard.store.database import Connection
from schemas.models.catalogue import Catalogue
from schemas.models.contract import Contract

NEVER = ("key_unique",)
"""Findings that nobody can release: with two rows of one key there is no row to publish."""

ON_DUTY = "the engineer on duty"
OPTIONS = "--by … --reason …"


@dataclass(frozen=True, slots=True)
class Hold:
    """One thing that waits for a person.

    Attributes:
        number: the transfer, or the reconciliation.
        subject: dataset or agreement.
        agency: of the dataset; empty for a delivery.
        who: who may release it.
        rows: of a reconciliation: how many published rows are absent.
        emptied: of a reconciliation: the source has no row at all, which is never believed.
        findings: of a collect: the critical expectations that failed.
        released: a person has released it, and it has not gone on yet.
        fast: newer transfers take over every minute, so that it is released by its dataset.
    """

    kind: Literal["collect", "deliver", "reconcile"]
    number: int
    subject: str
    who: str
    message: str
    since: datetime | None = None
    agency: str = ""
    rows: int = 0
    emptied: bool = False
    findings: tuple[str, ...] = ()
    released: bool = False
    fast: bool = False

    @property
    def releasable(self) -> bool:
        """Whether a person can let it pass at all."""
        return not self.emptied and not set(self.findings) & set(NEVER)

    @property
    def release(self) -> str:
        """The command that lets it pass."""
        if self.kind == "reconcile":
            return f"onecard reconcile {self.subject} --release {OPTIONS}"
        return f"onecard release {self.subject if self.fast else self.number} {OPTIONS}"

    @property
    def again(self) -> str:
        """The command that does its work anew."""
        return f"onecard {self.kind} {self.subject}"

    @property
    def todo(self) -> str:
        """What to do, in a sentence."""
        if not self.releasable:
            return f"mend the source or the contract, then `{self.again}`"
        if self.kind == "collect":
            if self.released:
                return f"released, but cut off before it was published: `{self.release}` once more"
            return (
                f"`{self.release}` publishes it as it is; or mend the source, then `{self.again}`"
            )
        if self.kind == "reconcile":
            return f"look at the source; `{self.release}` deletes what is absent"
        if self.released:
            return f"released; `{self.again}` or the next night sends it"
        return f"`{self.release}`, then `{self.again}`"


def steward(agency: str) -> str:
    """Who may release what was read from an agency."""
    return f"{agency}, with {ON_DUTY}"


def audit_failed(contract: Contract, transfer: int, failed: Iterable[str]) -> str:
    """What a held collect says: why, who may release it, and how."""
    names = tuple(failed)
    held = collect(contract, transfer, findings=names)
    done = held.todo if held.releasable else f"nobody can release {names[0]}; {held.todo}"
    return f"{_head(contract.id, transfer)}: {', '.join(names)}. {held.who}: {done}"


def remarks(message: str, dataset: str, transfer: int) -> str:
    """What the reading of a collect remarked, without what the hold said after it."""
    return message.partition(_head(dataset, transfer))[0].removesuffix("; ")


def _head(dataset: str, transfer: int) -> str:
    return f"{dataset}: transfer {transfer} is held"


def collect(contract: Contract, transfer: int, **more: Any) -> Hold:  # noqa: ANN401 - Hold's own
    """The hold of a collect."""
    who, fast = steward(contract.agency), contract.lane == "event"
    told = {"message": "", "agency": contract.agency, "fast": fast, **more}
    return Hold("collect", transfer, contract.id, who, **told)


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
            found.append(collect(contract, number, **told, released=released and not failed))
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


def agency_of(dataset: str) -> str:
    """The agency of a dataset, by its id."""
    return dataset.split("/", maxsplit=1)[0]
