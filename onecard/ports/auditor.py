"""The port of the dataset-level audit: expectations on staged rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class Behind:
    """Published rows from the begin of a reading on, and those of them that it gave again."""

    published: int
    given: int


@dataclass(frozen=True, slots=True)
class Staged:
    """What an audit looks at: the staged rows, what is published, and earlier volumes.

    Attributes:
        url: SQLAlchemy URL of the hub's database (`postgresql+psycopg://…`).
        table: name of the table in schema `staging` (good rows not yet known by hash).
        rows_read: rows read by this transfer.
        history: rows read by earlier published readings of this kind, newest first, back to the
            last one that a person has released: it is what is usual from then on.
        published: whether a registry table exists (`registry.<contract.table>`).
        now: the transfer's time by the hub's clock.
        rows_there: rows that the source holds, where that is known: read whole, or counted.
        there_before: the same of earlier published transfers, in the order of `history`.
        rows_before: rows of the last published reading of any kind; 0 when there was none.
        rejected: rows that the gate rejected, without those that stand in quarantine already.
        rejected_known: rejected rows that stand in quarantine already.
        rows_again: of a reading behind a watermark: rows that are published as they are.
        behind: of a reading behind a watermark, where it was asked: published rows that it must
            give again, and how many of them it gave.
        pending: expectations for which the dataset's last audited reading was held, and which
            no person has released: they are judged by whatever this reading says about them.
        failed_before: expectations that the last published reading did not meet.
    """

    url: str
    contract: Contract
    table: str
    rows_read: int
    history: tuple[int, ...]
    published: bool
    now: datetime
    rows_there: int | None = None
    there_before: tuple[int, ...] = ()
    rows_before: int = 0
    rejected: int = 0
    rejected_known: int = 0
    rows_again: int = 0
    behind: Behind | None = None
    pending: frozenset[str] = frozenset()
    failed_before: frozenset[str] = frozenset()

    @property
    def rows_news(self) -> int:
        """Rows that say something new: neither known from the quarantine, nor read once more."""
        return self.rows_read - self.rejected_known - self.rows_again


@dataclass(frozen=True, slots=True)
class Finding:
    """Outcome of one dataset-level expectation.

    Attributes:
        observed: a number that was measured (share, count, ratio), never a value of a row.
    """

    name: str
    severity: str
    passed: bool
    observed: float | None = None
    field: str = ""


class Auditor(Protocol):
    """Runs a contract's dataset-level expectations on staged rows."""

    def audit(self, staged: Staged) -> tuple[Finding, ...]:
        """One finding per expectation, and `key_unique` (critical) always."""
        ...
