"""The port of the row gate: a contract's row checks over one chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import polars as pl
from onecard.ports.source import Chunk


@dataclass(frozen=True, slots=True, order=True)
class Reason:
    """Why a row was rejected: the field (empty for the whole record) and the rule it breaks."""

    field: str
    rule: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rejected row: where it stood, what it held (for the quarantine only) and why.

    Attributes:
        number: the row's number within its origin, from 1.
        values: contract field → text as read; never printed, logged or put into an exception.
        reasons: all reasons, sorted.
    """

    number: int
    values: Mapping[str, str | None] = field(repr=False)
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """What the row gate made of one chunk.

    Attributes:
        good: typed columns in contract order, and `_row_hash` (Int64). string → String, date →
            Date, timestamp → Datetime[us, UTC], integer → Int64, number → Decimal(p, s).
        rejected: every failing row with all its reasons.
        warnings: rows per rule of severity `warning` (such rows are good).
    """

    good: pl.DataFrame
    rejected: tuple[Rejected, ...]
    warnings: Mapping[Reason, int] = field(default_factory=dict)


class RowGate(Protocol):
    """A contract's row checks, compiled once."""

    def check(self, chunk: Chunk, now: datetime) -> Checked:
        """Split a chunk into good and rejected rows; `now` is the transfer's aware time."""
        ...
