"""How one reconciliation ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from onecard.errors import HoldError
from onecard.model.holds import OPTIONS

ReconciliationOutcome = Literal["agreed", "healed", "open", "held", "unjudged"]


@dataclass(frozen=True, slots=True)
class ReconciliationResult:
    """How one reconciliation ended; numbers are rows.

    Attributes:
        subject: dataset or agreement.
        method: `sql` (checksums inside the source's database) or `stream`.
        rows_hub: rows compared that the hub holds; `rows_other` those of the other side.
        missing: the other side has them, the hub neither published nor quarantined them (of an
            inbox: the hub says they were delivered, the inbox has them not).
        differing: both have them, with other values; among them rows of a dataset's source that
            the gate refuses while they are published: they are left alone.
        extra: the hub holds them, the source has them not (of an inbox: the reverse).
        older: of a dataset: the source has the row, or has it again, in a state that is older than
            the published one by the contract's order; a person decides.
        waiting: newer than the watermark: the next collect takes them.
        quarantined: the source's rows looked at that stand in quarantine.
        tombstoned: published as deleted; `held` those that a person must decide.
        agreeing: of an inbox: rows that are what they should be.
        lapsed: of an inbox: rows that the consumer was to erase; not looked at.
        refs: the first keys of each kind, as keyed references.
    """

    id: int
    subject: str
    method: Literal["sql", "stream"]
    buckets: int = 0
    rows_hub: int = 0
    rows_other: int = 0
    missing: int = 0
    extra: int = 0
    differing: int = 0
    older: int = 0
    waiting: int = 0
    quarantined: int = 0
    healed: int = 0
    tombstoned: int = 0
    held: int = 0
    agreeing: int = 0
    lapsed: int = 0
    outcome: ReconciliationOutcome = "agreed"
    refs: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def rate(self) -> float | None:
        """Of an inbox, 状态一致率: agreeing rows of all rows on either side; None of no rows."""
        return rate(self.agreeing, self.agreeing + self.missing + self.differing + self.extra)

    def check(self) -> None:
        """Raise when a person must decide.

        Raises:
            HoldError: more rows are absent than may be published as deleted, or delivered again,
                at once.
        """
        if self.held and "/" not in self.subject:
            msg = (
                f"{self.subject}: {self.held} rows would be delivered again, far more than usual;"
                " nothing was. Look at the inbox; then `onecard release` the held transfer"
                f" (`onecard status`) and `onecard reconcile {self.subject}`"
            )
            raise HoldError(msg)
        if self.held:
            msg = (
                f"{self.subject}: {self.held} of {self.rows_hub} published rows are absent from the"
                f" source, which has {self.rows_other}; none was deleted. Look at the source; then"
                f" `onecard reconcile {self.subject} --release {OPTIONS}`"
            )
            raise HoldError(msg)


def rate(part: int, of: int) -> float | None:
    """A share from 0 to 1; None where there is nothing to compare."""
    return part / of if of else None
