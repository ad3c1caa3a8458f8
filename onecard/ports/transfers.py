"""The ports between the core and the outside: what a connector and a gate must offer.

The core calls these; `connectors` and `quality` implement them; `onecard.app.wiring` joins them.
Rows travel as Arrow record batches in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import pyarrow as pa
from pydantic import BaseModel

from onecard.base.connections import Connection
from schemas.models.contract import Contract

if TYPE_CHECKING:
    import polars as pl

Checkpoint = dict[str, Any]
"""What a source needs to go on from where it was: JSON values only, no personal data.

Sources with a cursor column: `{"cursor": "<ISO 8601 instant or integer as text>"}`, written by
the core from the published rows. File sources: `{"files": {"<name>": "<sha256>"}}`.
"""

BATCH_ROWS = 131_072
"""Rows in one record batch: large enough for vector work, small enough for bounded memory."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column that a source must supply.

    Attributes:
        name: the contract's field name; the batch's column carries it.
        native: the name in the agency's system.
        required: whether the source must have the column at all.
        vital: whether the reading fails without it; else the batches just lack it, and the gate
            rejects every row.
    """

    name: str
    native: str
    required: bool = True
    required_to_read: bool = True


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What to read: the contract's columns of one dataset, from a checkpoint on.

    Attributes:
        dataset: `<agency>/<dataset>`, for messages.
        columns: only these are ever asked for; an unknown column in the source is refused.
        options: the contract's `source` block, already validated by the connector's own model.
        cursor: contract name of the cursor column, or None when the source is read whole.
        since: read rows with cursor >= this (ISO 8601 text; the overlap is already taken off).
        checkpoint: what the source itself returned after its last complete reading.
    """

    dataset: str
    columns: tuple[Column, ...]
    options: BaseModel
    cursor: str | None = None
    since: str | None = None
    checkpoint: Checkpoint = field(default_factory=dict)
    batch_rows: int = BATCH_ROWS


@dataclass(frozen=True, slots=True)
class Chunk:
    """A batch of rows as read: columns by contract name, as strings or already typed.

    Attributes:
        batch: the rows; text sources give strings (NULL for absent), typed sources their types.
            A column that is not vital and that the source has no more is left out.
        origin: table, file or page the rows came from; never a value of a row.
        first_row: number of the batch's first row within `origin`, from 1.
        damaged: row offsets in the batch whose record could not be split into its columns
            (wrong number of CSV cells, undecodable bytes, a JSON value that is no row), with the
            rule that each breaks: `record.cells`, `record.encoding`, `record.json`.
    """

    batch: pa.RecordBatch
    origin: str
    first_row: int = 1
    damaged: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole file or page that was not taken, and why (`manifest.rows`, `manifest.digest`)."""

    origin: str
    rule: str


class Reading(Protocol):
    """One pass over a source. Iterate it to the end, then ask for `checkpoint` and `refused`."""

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the rows in chunks of at most `batch_rows`."""
        ...

    @property
    def checkpoint(self) -> Checkpoint:
        """The source's own checkpoint, valid only after a complete iteration."""
        ...

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """Files or pages that were not taken; they are read again next time."""
        ...

    @property
    def waiting(self) -> tuple[str, ...]:
        """Files that are still growing or lack their manifest."""
        ...


@runtime_checkable
class Counted(Protocol):
    """A reading that also knows how many rows its source holds, behind the watermark and before."""

    @property
    def rows_there(self) -> int | None:
        """Rows of the source, valid only after a complete iteration; None when not counted."""
        ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one delivery sends.

    Attributes:
        delivery_id: the same for every attempt at the same window of versions.
        agreement: agreement id.
        schema: columns in the agreement's order.
        key: columns that identify a row for the receiver (upsert).
        batches: the treated rows, in the order in which they must arrive.
        manifest: what accompanies the rows (versions, purpose, basis); the sink adds rows and
            digests, lets `sign` sign it and sends it last.
        leave: the sink calls it right before anything leaves (each request, each file, each
            commit); it raises when deliveries were stopped in the meantime.
        sign: the manifest with the hub's signature.
        deletes: keys of rows that the receiver must drop before it takes the others, in columns of
            the key only; None when the agreement says nothing of deletes.
    """

    delivery_id: str
    agreement: str
    schema: pa.Schema
    key: tuple[str, ...]
    batches: Iterator[pa.RecordBatch]
    manifest: Mapping[str, Any]
    leave: Callable[[], None]
    sign: Callable[[Mapping[str, Any]], dict[str, Any]]
    deletes: Iterator[pa.RecordBatch] | None = None

    @property
    def key_schema(self) -> pa.Schema:
        """Of `deletes`."""
        return pa.schema([self.schema.field(name) for name in self.key])


@dataclass(frozen=True, slots=True)
class Sent:
    """What the receiver confirmed: rows, requests or files, and the SHA-256 of what was sent.

    Attributes:
        deleted: keys of deleted rows, which do not count as rows.
    """

    rows: int
    parts: int
    already: int
    digest: str
    deleted: int = 0


class Connector(Protocol):
    """A kind of system: how to read it, and how to deliver into it."""

    kind: ClassVar[str]
    source_options: ClassVar[type[BaseModel]]
    sink_options: ClassVar[type[BaseModel]]

    def read(self, connection: Connection, request: ReadRequest) -> Reading:
        """Start a reading.

        Raises:
            SourceUnavailable: the system cannot be reached (down, timeout, 429/5xx to the end).
            ConfigError: wrong password, missing table, file or path.
            SchemaMismatch: the source lacks a column, or has one that the contract does not name.
            ProtocolError: HTML instead of JSON, a cursor loop, a page that repeats.
        """
        ...

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:
        """Deliver a parcel; a repeated parcel changes nothing at the receiver.

        Raises:
            SourceUnavailable: the receiver cannot be reached.
            ProtocolError: the receiver answered neither stored (00) nor already stored (01).
        """
        ...


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
