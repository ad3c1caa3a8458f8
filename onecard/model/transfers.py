"""What the ledger says of transfers: counts of the accounting identity, states, one line each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from onecard.errors import AccountingError

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

    @classmethod
    def taken_from(cls, columns: dict[str, Any]) -> Counts:
        """The counts among a row's columns, which are taken out of them."""
        return cls(**{name: columns.pop(name) for name in cls.__slots__})

    def __add__(self, other: Counts) -> Counts:
        """Rows of both."""
        return Counts(*(getattr(self, n) + getattr(other, n) for n in Counts.__slots__))

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
    checkpoint: dict[str, Any] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class Ran:
    """When a transfer ran, how it ended, and how many rows it published or sent."""

    id: int
    status: str
    started: datetime
    finished: datetime | None
    rows: int


@dataclass(frozen=True, slots=True)
class Intaken:
    """What a collect's first step has read and staged.

    Attributes:
        checkpoint: of the source, for the next collect.
        digest: SHA-256 over what was read.
        message: what the reading remarked.
        whole: the source was read whole.
        source_rows: rows that the source holds; None where nobody knows.
    """

    counts: Counts
    checkpoint: dict[str, Any]
    digest: str
    message: str
    whole: bool
    source_rows: int | None


@dataclass(frozen=True, slots=True)
class CollectLine:
    """What the ledger says of a collect between its steps."""

    status: str
    message: str
    digest: str | None
    checkpoint: dict[str, Any]
    version: int | None
    counts: Counts
    whole: bool
    source_rows: int | None
    replay: bool = False

    @property
    def complete(self) -> bool:
        """Whether the whole of a source was read that holds all its rows: a folder does not."""
        return self.whole and self.source_rows is not None and not self.replay

    @property
    def staged(self) -> int:
        """Rows that were staged."""
        counts = self.counts
        return counts.rows_read - counts.unchanged - counts.quarantined - counts.deduplicated


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """The terms of a delivery that was confirmed, in rows.

    Attributes:
        sent_parts: requests, files or transactions.
        digest: SHA-256 of what was sent.
        deleted_rows: keys that the consumer dropped; None where it is told of none.
    """

    rows_read: int
    quarantined: int
    filtered_by_policy: int
    sent_rows: int
    sent_parts: int
    digest: str
    deleted_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A transfer that was cut off; `delivery` is empty for a collect."""

    transfer: int
    delivery: str
