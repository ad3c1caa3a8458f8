"""What the ledger says of a collect whose source is read in partitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PartitionPlan:
    """What every worker of one transfer must agree on.

    Attributes:
        parts: how many partitions there are.
        whole: everything is read, not only what lies behind the watermark.
        mark: what the source showed of itself when the transfer began.
        contract: SHA-256 of the contract as it is read.
        apart: why the source must be read in one after all; empty: it need not.
    """

    parts: int
    whole: bool
    mark: str
    contract: str
    apart: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """A partition that was given to a worker.

    Attributes:
        attempt: names its staging tables, as a transfer's number does; only the newest attempt of
            a partition counts.
    """

    number: int
    attempt: int


@dataclass(frozen=True, slots=True)
class PartitionLine:
    """One partition in the ledger.

    Attributes:
        attempt: the newest one; None: nobody has begun.
        attempts: all of them.
        done: it is read, and `outcome` says what came of it.
    """

    number: int
    attempt: int | None
    attempts: list[int]
    done: bool
    outcome: dict[str, Any] | None
