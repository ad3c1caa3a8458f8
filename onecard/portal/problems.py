"""The problem list: what the newest collect of each dataset of an agency found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from onecard.model.transfers import Transfer
from onecard.store import quarantine, rule_counts, transfer_history
from onecard.store.database import Connection
from onecard.store.quarantine import WaitingRows
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class ProblemLine:
    """How many rows broke one rule; shares are of the rows that were read."""

    field: str
    field_title: str
    rule: str
    rule_title: str
    severity: str
    failed: int
    checked: int

    @property
    def share(self) -> float | None:
        """Share of failed rows; None when none was read."""
        return self.failed / self.checked if self.checked else None


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """How many rows wait in quarantine for one rule."""

    field: str
    field_title: str
    rule: str
    rule_title: str
    rows: int


@dataclass(frozen=True, slots=True)
class DatasetProblems:
    """The newest collect of one dataset.

    Attributes:
        status: of the transfer; empty when there was none.
        waiting: rows of any collect that are still in quarantine: what was not read again is not
            right by that.
    """

    id: str
    title: str
    status: str
    at: datetime | None
    read: int
    quarantined: int
    problems: tuple[ProblemLine, ...]
    waiting: tuple[WaitingLine, ...] = ()

    @property
    def silent(self) -> bool:
        """Nothing was sent: there is nothing to judge, and that is not 100%."""
        return self.read == 0


def problem_list(
    connection: Connection, contracts: Iterable[Contract], rule_title: Callable[[str], str]
) -> list[DatasetProblems]:
    """The newest collect of each dataset, most failed rule first.

    Args:
        connection: of the hub's database.
        contracts: of the datasets.
        rule_title: Chinese title of a rule that no contract names.
    """
    contracts = list(contracts)
    newest = {t.subject: t for t in transfer_history.latest(connection) if t.direction == "collect"}
    waiting = quarantine.waiting(connection, [c.id for c in contracts])
    found = []
    for contract in contracts:
        transfer = newest.get(contract.id)
        found.append(
            DatasetProblems(
                id=contract.id,
                title=contract.title,
                status=transfer.status if transfer else "",
                at=transfer.started_at if transfer else None,
                read=transfer.counts.rows_read if transfer else 0,
                quarantined=transfer.counts.quarantined if transfer else 0,
                problems=tuple(_problems(connection, contract, transfer, rule_title))
                if transfer
                else (),
                waiting=tuple(
                    _waiting(contract, w, rule_title) for w in waiting if w.dataset == contract.id
                ),
            )
        )
    return found


def _waiting(
    contract: Contract, found: WaitingRows, rule_title: Callable[[str], str]
) -> WaitingLine:
    titles = {f.name: f.title for f in contract.fields}
    own = {r.name: r.title for r in contract.rules}
    title = own.get(found.rule) or rule_title(found.rule)
    return WaitingLine(found.field, titles.get(found.field, ""), found.rule, title, found.rows)


def _problems(
    connection: Connection,
    contract: Contract,
    transfer: Transfer,
    rule_title: Callable[[str], str],
) -> list[ProblemLine]:
    titles = {f.name: f.title for f in contract.fields}
    own = {r.name: r.title for r in contract.rules}
    return [
        ProblemLine(
            field=found.field,
            field_title=titles.get(found.field, ""),
            rule=found.rule,
            rule_title=own.get(found.rule) or rule_title(found.rule),
            severity=found.severity,
            failed=found.failed,
            checked=transfer.counts.rows_read,
        )
        for found in rule_counts.broken_rules(connection, [transfer.id])
    ]
