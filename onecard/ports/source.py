"""The port of a source: what a connector offers to read, as chunks of Arrow batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pydantic import BaseModel

from onecard.model.checkpoints import Checkpoint
from schemas.models.contract import LogicalType
from schemas.models.partition import Partition

if TYPE_CHECKING:  # who only reads the ledger starts without it
    import pyarrow as pa

BATCH_ROWS = 65_536
"""Rows in one record batch: large enough for vector work, small enough for bounded memory."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column that a source must supply.

    Attributes:
        name: the contract's field name; the batch's column carries it.
        native: the name in the agency's system.
        required: whether the source must have the column at all.
        required_to_read: whether the reading fails without it; else the batches just lack it, and
            the gate rejects every row.
        key: whether it is of the dataset's key, whose values have one form each.
        type: what the contract makes of its values, by which the source's type is accepted or
            refused; None: whatever the source holds is wanted as it is (inboxes read back).
        format: how text of its source writes a date or timestamp (strftime); None: ISO 8601. A
            source with dates and texts in one column gives its dates in this form as well.
        decimal: sign before the decimals, for a source with numbers and texts in one column.
    """

    name: str
    native: str
    required: bool = True
    required_to_read: bool = True
    key: bool = False
    type: LogicalType | None = None
    format: str | None = None
    decimal: str = "."


@dataclass(frozen=True, slots=True)
class ReadPart:
    """One of the partitions in which a source is read.

    Attributes:
        partition: by what the source is divided.
        number: which of them, from 0.
        mark: what the source showed of itself when the transfer began (`ports.partitions`).
        snapshot: name of the state that all partitions are read from; empty: there is none.
    """

    partition: Partition
    number: int
    mark: str = ""
    snapshot: str = ""

    def __str__(self) -> str:
        """As it stands in origins of rows: `partition 2 of 4`."""
        return f"partition {self.number + 1} of {self.partition.count}"


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
        key: contract names of the key's fields.
        order: contract names of the fields that order the rows of one key.
        file_order: by what files or uploads follow each other (`manifest_time`, `file_name`,
            `arrival`), or None.
        order_stated: the contract itself states `file_order`; else it is only how files are read.
        taken: as `checkpoint`, also where everything is read again: what is older than something
            taken before that is gone is marked `late`.
        part: only this partition is read; None: everything.
        page: of a source of pages by cursor, the cursor of the first one that is read; None: from
            the first one behind the bound on.
        most_pages: so many of them are read at most; None: all.
    """

    dataset: str
    columns: tuple[Column, ...]
    options: BaseModel
    cursor: str | None = None
    since: str | None = None
    checkpoint: Checkpoint = field(default_factory=dict)
    key: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    file_order: str | None = None
    order_stated: bool = False
    taken: Checkpoint = field(default_factory=dict)
    batch_rows: int = BATCH_ROWS
    part: ReadPart | None = None
    page: str | None = None
    most_pages: int | None = None

    def natives(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names in the agency's system of some of the columns."""
        native = {c.name: c.native for c in self.columns}
        return tuple(native[name] for name in names)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A batch of rows as read: columns by contract name, as strings or already typed.

    Attributes:
        batch: the rows; text sources give strings (NULL for absent), typed sources their types.
            A column that is not vital and that the source has no more is left out.
        origin: table, file or page the rows came from; never a value of a row.
        first_row: number of the batch's first row within `origin`, from 1.
        damaged: row offsets in the batch whose record could not be split into its columns
            (wrong number of CSV cells, undecodable bytes, a JSON value that is no row) or that is
            none (a header row among the rows, a key that is true or false), with the rule that each
            breaks: `record.cells`, `record.encoding`, `record.json`, `record.header`,
            `record.boolean`, `record.xml`, `record.merged` (cells of several rows or columns in
            one).
        late: the rows are older than others that were taken before and cannot be read again; they
            replace nothing that is published, unless their own fields say that they are newer.
        unread: column → row offset → a value that is none of its column's type (`0000-00-00` in a
            column of times), as text; NULL in the batch. It costs its row, by rule `type` or by
            the one in `because`.
        because: column → row offset → the rule that an unread value breaks, where it is another:
            `cell.rounded`, `cell.formula`, `cell.error`, `cell.percent`.
        place: of the origin among all origins of the reading, from 0; of partitions only, whose
            rows must be put in the order that one reading would have had.
    """

    batch: pa.RecordBatch
    origin: str
    first_row: int = 1
    damaged: Mapping[int, str] = field(default_factory=dict)
    late: bool = False
    unread: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    because: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    place: int = 0


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
class Remarking(Protocol):
    """A reading that has something to say of what it read, though nothing of it was refused."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences of names and numbers, valid only after a complete iteration."""
        ...


@runtime_checkable
class Counted(Protocol):
    """A reading that also knows how many rows its source holds, behind the watermark and before."""

    @property
    def rows_there(self) -> int | None:
        """Rows of the source, valid only after a complete iteration; None when not counted."""
        ...
