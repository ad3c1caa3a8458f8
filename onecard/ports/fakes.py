"""Small stand-ins for the ports, in memory, so that the core can be tried without a system.

Each does what its port's contract says and nothing else: a `FakeSystem` keeps a delivery only after
it has asked whether it may, and answers a repeated one as stored already. What they were asked and
told stands in their lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from onecard.base.connections import Connection
from onecard.model.checkpoints import Checkpoint
from onecard.ports.auditor import Finding, Staged
from onecard.ports.inbox import Arrivals, Held
from onecard.ports.listener import Step
from onecard.ports.news import UNTOLD, SourcePlace, SourceState
from onecard.ports.privacy_gate import Admitted, Batch, PrivacyBlock, RuleResult
from onecard.ports.row_gate import Checked, Reason, Rejected
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Chunk, ReadRequest, Refusal

if TYPE_CHECKING:
    import pyarrow as pa


class AnyOptions(BaseModel):
    """Takes whatever options a contract or an agreement has."""

    model_config = ConfigDict(frozen=True, extra="allow")


class FakeConnections:
    """Knows every connection, and that there is nothing behind it."""

    def get(self, connection_id: str) -> Connection:
        """A connection of that id."""
        return Connection(id=connection_id, conn_type="fake")


@dataclass
class FakeReading:
    """Gives the chunks that it was made with, then ends, or fails as it was told to.

    Attributes:
        chunks: in the order in which they are read.
        checkpoint: what the source says after its last chunk.
        fails: raised after the last chunk.
    """

    chunks: tuple[Chunk, ...] = ()
    checkpoint: Checkpoint = field(default_factory=dict)
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()
    fails: Exception | None = None

    def __iter__(self) -> Iterator[Chunk]:
        """All chunks."""
        yield from self.chunks
        if self.fails is not None:
            raise self.fails


@dataclass(frozen=True, slots=True)
class Arrived:
    """A delivery that a fake system keeps.

    Attributes:
        rows: the agreement's columns by name, in the order in which they came.
        deletes: the key's columns by name.
        manifest: as it was signed.
    """

    rows: tuple[Mapping[str, Any], ...] = field(repr=False)
    deletes: tuple[Mapping[str, Any], ...] = field(repr=False)
    manifest: Mapping[str, Any]


@dataclass
class FakeSystem:
    """An agency's system: a source that can be set, and an inbox that remembers.

    Attributes:
        reading: what the next `read` gives.
        requests: what was asked to be read.
        arrived: deliveries by their id; only whole ones.
        fails: raised by `send` after all rows were taken and before anything is kept.
        inbox: what `held` gives, as chunks.
        news: the digest that `state` gives.
        late: the same, where it is asked for more than the end.
        end: where `state` says that the source ends.
        more: whether it says that more follows there.
        looks: from which bound on each of them was.
    """

    kind: ClassVar[str] = "fake"
    source_options: ClassVar[type[BaseModel]] = AnyOptions
    sink_options: ClassVar[type[BaseModel]] = AnyOptions
    reading: FakeReading = field(default_factory=FakeReading)
    requests: list[ReadRequest] = field(default_factory=list)
    arrived: dict[str, Arrived] = field(default_factory=dict)
    fails: Exception | None = None
    inbox: tuple[Chunk, ...] = ()
    news: str = UNTOLD
    late: str = ""
    end: SourcePlace | None = None
    more: bool = False
    looks: list[str | None] = field(default_factory=list)

    def read(self, connection: Connection, request: ReadRequest) -> FakeReading:  # noqa: ARG002 - the port's
        """The reading that was set."""
        self.requests.append(request)
        return self.reading

    def state(self, connection: Connection, request: ReadRequest) -> SourceState:  # noqa: ARG002 - the port's
        """The state that was set.

        Args:
            connection: not used.
            request: names the bound, which is noted.
        """
        self.looks.append(request.since)
        at_end = self.end is not None and request.since == self.end.since
        digest = self.news if at_end else self.news + self.late
        return SourceState(digest, self.end, more=self.more)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:  # noqa: ARG002
        """Keep a parcel under its id; one that is kept already changes nothing.

        Args:
            connection: not used.
            options: not used.
            parcel: consumed to its end; rows have the agreement's columns.
        """
        deletes = _rows(parcel.deletes)
        rows = _rows(parcel.batches)
        if self.fails is not None:
            raise self.fails
        already = parcel.delivery_id in self.arrived
        if not already:
            parcel.leave()
            manifest = parcel.sign({**parcel.manifest, "deliveryId": parcel.delivery_id})
            self.arrived[parcel.delivery_id] = Arrived(rows, deletes, manifest)
        return Sent(len(rows), 1, int(already), "", len(deletes))

    def held(self, connection: Connection, request: ReadRequest, arrivals: Arrivals) -> Held:  # noqa: ARG002
        """The inbox that was set.

        Args:
            connection: not used.
            request: noted.
            arrivals: not used: the inbox holds what it was given.
        """
        self.requests.append(request)
        return Held(iter(self.inbox))


@dataclass(frozen=True)
class FakeRowGate:
    """Lets every row pass but those that are named, and types nothing: rows come typed.

    Attributes:
        rejects: row number, counted from 1 within its origin, and the reasons.
    """

    rejects: Mapping[int, tuple[Reason, ...]] = field(default_factory=dict)

    def check(self, chunk: Chunk, now: datetime) -> Checked:  # noqa: ARG002 - the port's
        """Good rows have the chunk's columns and `_row_hash`."""
        import polars as pl  # noqa: PLC0415 - only where rows flow

        frame = pl.DataFrame(pl.from_arrow(chunk.batch))
        numbers = range(chunk.first_row, chunk.first_row + len(frame))
        passes = pl.Series([number not in self.rejects for number in numbers], dtype=pl.Boolean)
        good = frame.filter(passes)
        hashes = good.hash_rows().reinterpret(signed=True).alias("_row_hash")
        rejected = tuple(
            Rejected(number, _text(row), self.rejects[number])
            for number, row in zip(numbers, frame.iter_rows(named=True), strict=True)
            if number in self.rejects
        )
        return Checked(good.with_columns(hashes), rejected)


@dataclass
class FakeAuditor:
    """Finds what it was told to.

    Attributes:
        asked: what was audited.
    """

    findings: tuple[Finding, ...] = ()
    asked: list[Staged] = field(default_factory=list)

    def audit(self, staged: Staged) -> tuple[Finding, ...]:
        """The findings that were set."""
        self.asked.append(staged)
        return self.findings


@dataclass
class FakePrivacyGate:
    """Lets everything pass, or blocks before anything is selected.

    Attributes:
        blocks: id of the rule that blocks; empty: none.
        withholds: row indexes of each batch that stay back.
        closed: what the receiver had confirmed, and how many rows had passed.
    """

    blocks: str = ""
    withholds: frozenset[int] = frozenset()
    closed: list[tuple[Sent, int]] = field(default_factory=list)

    def open(self) -> None:
        """Block, if so told."""
        if self.blocks:
            raise PrivacyBlock(self.blocks, f"{self.blocks} blocks")

    def check(self, batch: Batch) -> Admitted:
        """All rows but those that are withheld; columns are not looked at."""
        import polars as pl  # noqa: PLC0415 - only where rows flow

        rows = range(len(batch.treated))
        passes = pl.Series([row not in self.withholds for row in rows], dtype=pl.Boolean)
        return Admitted(passes, {}, len(self.withholds.intersection(rows)))

    def close(self, sent: Sent, passed: int) -> None:
        """Note it."""
        self.closed.append((sent, passed))

    @property
    def results(self) -> tuple[RuleResult, ...]:
        """None: it has no rules."""
        return ()


@dataclass
class FakeListener:
    """Remembers what it was told: the event's name, the step's, and what came with it."""

    told: list[tuple[str, str, object]] = field(default_factory=list)

    def started(self, step: Step) -> None:
        """A step starts."""
        self.told.append(("started", step.name, None))

    def opened(self, step: Step, transfer: int) -> None:
        """The step has opened a transfer."""
        self.told.append(("opened", step.name, transfer))

    def counted(self, step: Step, counts: Mapping[str, int]) -> None:
        """The step knows how many rows it has moved."""
        self.told.append(("counted", step.name, dict(counts)))

    def ended(self, step: Step) -> None:
        """The step has ended well."""
        self.told.append(("ended", step.name, None))

    def failed(self, step: Step, error: Exception) -> None:
        """The step has failed."""
        self.told.append(("failed", step.name, type(error)))


def _rows(batches: Iterator[pa.RecordBatch] | None) -> tuple[Mapping[str, Any], ...]:
    """The batches' rows by column name."""
    return tuple(row for batch in batches or () for row in batch.to_pylist())


def _text(row: Mapping[str, object]) -> dict[str, str | None]:
    return {name: None if value is None else str(value) for name, value in row.items()}
