"""What came of one partition, as the ledger keeps it, and of all of them together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from onecard.collect.intake import IntakeResult
from onecard.model.checkpoints import Checkpoint
from onecard.model.transfers import Counts
from onecard.ports.row_gate import Reason
from onecard.ports.source import ReadRequest
from onecard.store.known_hashes import KnownHashes


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What came of one partition.

    Attributes:
        counts: as if the partition were the whole; rows that repeat one of another partition are
            not known yet.
        digest: SHA-256 over what was read.
        rules: field, rule and rows, for each reason to reject a row.
        warnings: the same of rows that are good nevertheless.
        there: rows that the source holds; None where this partition does not know.
        read_by_county: rows read.
        rejected_by_county: rows quarantined.
        known: the published rows were known by their hashes; those met are kept.
        found: rows that equalled a published one.
        apart: why the source must be read in one; empty: it need not.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    checkpoint: Checkpoint = field(default_factory=dict)
    digest: str = ""
    rules: Sequence[tuple[str, str, int]] = ()
    warnings: Sequence[tuple[str, str, int]] = ()
    remarks: Sequence[str] = ()
    there: int | None = None
    read_by_county: Mapping[str, int] = field(default_factory=dict)
    rejected_by_county: Mapping[str, int] = field(default_factory=dict)
    known: bool = False
    found: int = 0
    apart: str = ""

    @classmethod
    def of(cls, taken: IntakeResult, known: KnownHashes | None) -> PartOutcome:
        """That of one reading.

        Args:
            taken: what the intake found.
            known: the published rows that it met; None where all rows were staged.
        """
        read, rejected = taken.counties
        return cls(
            counts=asdict(taken.counts),
            checkpoint=taken.checkpoint,
            digest=taken.digest,
            rules=_listed(taken.rules),
            warnings=_listed(taken.warnings),
            remarks=taken.remarks,
            there=taken.there,
            read_by_county=dict(read),
            rejected_by_county=dict(rejected),
            known=known is not None,
            found=known.found if known else 0,
        )

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> PartOutcome:
        """As `json` has written it."""
        return cls(**kept)

    def json(self) -> dict[str, Any]:
        """For the ledger: no value of a row."""
        return asdict(self)

    @property
    def staged(self) -> int:
        """Rows that must stand in the partition's table."""
        counts = Counts(**self.counts)
        return counts.rows_read - counts.unchanged - counts.quarantined - counts.deduplicated

    @property
    def quarantined(self) -> int:
        """Rows that must stand in its table of rejected rows."""
        return self.counts["quarantined"]


def together(
    parts: Sequence[PartOutcome], known: KnownHashes | None, request: ReadRequest
) -> IntakeResult:
    """What one reading of the whole would have found.

    Args:
        parts: all of them, in their order.
        known: the published rows that all of them met.
        request: of the whole.
    """
    sums = Counter[str]()
    for part in parts:
        sums.update(part.counts)
    repeats = known.repeats if known else 0
    moved = repeats - sums["deduplicated"]  # rows that repeat one of another partition
    sums["unchanged"] -= moved
    sums["deduplicated"] += moved
    digest = hashlib.sha256("".join(part.digest for part in parts).encode())
    checkpoint = merged([part.checkpoint for part in parts], request.checkpoint)
    return IntakeResult(
        counts=Counts(**sums),
        checkpoint=checkpoint,
        digest=digest.hexdigest(),
        rules=_summed([part.rules for part in parts]),
        warnings=_summed([part.warnings for part in parts]),
        remarks=tuple(dict.fromkeys(said for part in parts for said in part.remarks)),
        there=_there(parts, request),
        counties=(
            _added([part.read_by_county for part in parts]),
            _added([part.rejected_by_county for part in parts]),
        ),
    )


def merged(parts: Sequence[Checkpoint], before: Checkpoint) -> Checkpoint:
    """The checkpoint of the whole.

    No partition's cursor is past the moment at which the transfer began (less the lag), so that the
    highest of them is the one that a single reading, begun then, would have had. Of what a source
    returns, each partition brings what it has taken itself, and repeats what was taken before.

    Args:
        parts: the partitions' checkpoints.
        before: what the source had returned before.
    """
    found: Checkpoint = {}
    cursors = [part["cursor"] for part in parts if "cursor" in part]
    if cursors:
        found["cursor"] = max(cursors, key=datetime.fromisoformat)
    sources = [part["source"] for part in parts if "source" in part]
    names = dict.fromkeys(name for source in sources for name in source)
    if names:
        found["source"] = {
            n: _united([s.get(n, {}) for s in sources], before.get(n)) for n in names
        }
    return found


def _united(parts: Sequence[Mapping[str, Any]], before: object) -> dict[str, Any]:
    was = before if isinstance(before, dict) else {}
    known = {name: value for part in parts for name, value in part.items()}
    news = {n: v for part in parts for n, v in part.items() if was.get(n) != v}
    return dict(sorted({**known, **news}.items()))


def _there(parts: Sequence[PartOutcome], request: ReadRequest) -> int | None:
    """A whole reading has seen the sum; else the partition that has counted says it."""
    told = [part.there for part in parts if part.there is not None]
    if request.since is None:
        return sum(told) if len(told) == len(parts) else None
    return told[0] if told else None


def _listed(counts: Mapping[Reason, int]) -> tuple[tuple[str, str, int], ...]:
    return tuple((r.field, r.rule, n) for r, n in sorted(counts.items()))


def _summed(parts: Sequence[Sequence[tuple[str, str, int]]]) -> dict[Reason, int]:
    found = Counter[Reason]()
    for part in parts:
        for name, rule, number in part:
            found[Reason(name, rule)] += number
    return dict(found)


def _added(parts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    found = Counter[str]()
    for part in parts:
        found.update(part)
    return dict(found)
