"""What the ledger says of transfers: counts of the accounting identity, states, one line each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from onecard.errors import AccountingError
from onecard.model.checkpoints import Checkpoint

LIVE = ("running", "staged", "audited")
"""States of a collect that has neither ended nor published."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The accounting identity's terms, in rows."""

    rows_read: int = 0
    published: int = 0
    unchanged: int = 0
    quarantined: int = 0
    deduplicated: int = 0
    filtered_by_policy: int = 0

    def check(self, subject: str) -> None:
        """Assert the identity.

        Raises:
            AccountingError: it does not hold; the message gives the terms.
        """
        parts = (
            self.published,
            self.unchanged,
            self.quarantined,
            self.deduplicated,
            self.filtered_by_policy,
        )
        if self.rows_read != sum(parts):
            msg = (
                f"{subject}: read {self.rows_read} ≠ published {parts[0]} + unchanged {parts[1]}"
                f" + quarantined {parts[2]} + deduplicated {parts[3]} + filtered {parts[4]}"
            )
            raise AccountingError(msg)


@dataclass(frozen=True, slots=True)
class DatasetState:
    """What the hub holds of one dataset: version, checkpoint of the source, claim."""

    version: int = 0
    claim: int = 0
    checkpoint: Checkpoint = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transfer:
    """One line of the ledger, as commands and reports show it."""

    id: int
    direction: str
    subject: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    counts: Counts
    version: int | None
    sent_rows: int
    sent_parts: int
    delivery_id: str | None
    message: str

    @property
    def seconds(self) -> float:
        """How long it took, or 0 when it has not ended."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else 0.0
