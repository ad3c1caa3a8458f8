"""The record of what one agreement's consumer holds, as a delivery uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from onecard.base import failpoints
from onecard.deliver.query import Before
from onecard.deliver.row_refs import RowRefs
from onecard.store import former, holding, holding_pending
from onecard.store.database import Connection
from onecard.store.holding import Head, Packed

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Record:
    """The record of one agreement.

    Attributes:
        connection: of the hub's database, whose session holds the agreement's lock.
        refs: makes references under the present key.
        old_refs: makes them under the key of the record, where that is another.
        head: None where there is no record.
        basis: what decides which rows there should be now.
        token_epoch: of the tokens that leave.
        before: what a hub without a record knows of deliveries; None where it knows of none.
        read_back: whether the inbox can be read back.
    """

    connection: Connection
    refs: RowRefs
    old_refs: RowRefs | None
    head: Head | None
    basis: str
    token_epoch: str
    before: Before | None = None
    read_back: bool = False

    @property
    def sound(self) -> bool:
        """Whether what is new since tells all that can have changed."""
        head = self.head
        if head is None or self.old_refs is not None:
            return False
        return head.basis == self.basis and head.shape == self.refs.shape

    @property
    def tokens_changed(self) -> bool:
        """Whether the consumer has tokens of an earlier key."""
        return self.head is not None and self.head.token_epoch != self.token_epoch

    @property
    def to_reconcile(self) -> bool:
        """Whether it is made of versions, and the inbox can tell what there is and does next."""
        made = self.before is not None or (self.head is not None and self.head.to_reconcile)
        return made and self.read_back

    def under_own_key(self) -> Record:
        """The same, with references made under the key that its entries have."""
        return self if self.old_refs is None else replace(self, refs=self.old_refs, old_refs=None)

    def whole(self, *, sure: bool = False) -> pl.DataFrame:
        """All that the consumer holds, or may hold. Columns: `holding.SCHEMA`.

        Args:
            sure: without what was sent by deliveries that were not confirmed.
        """
        if self.head is None:
            found = holding.no_entries()
        else:
            found = holding.whole(self.connection, self.head.number)
        return found if sure else _marked(found, self.pending())

    def of(self, refs: pl.DataFrame) -> pl.DataFrame:
        """What it holds, or may hold, of some references and of all that is pending.

        Args:
            refs: columns `holding.KEY`.

        Returns:
            Columns `holding.SCHEMA`.
        """
        if self.head is None:
            return holding.no_entries()
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        pending = self.pending()
        wanted = pl.concat([refs, without(pending, refs)])
        return _marked(holding.of(self.connection, self.head, wanted), pending)

    @property
    def uncertain(self) -> bool:
        """Whether the consumer may have rows of deliveries that were not confirmed."""
        return holding_pending.is_any(self.connection, self.refs.agreement.id)

    def pending(self) -> pl.DataFrame:
        """Rows of deliveries that were not confirmed. Columns: `holding.KEY`."""
        return holding_pending.noted(self.connection, self.refs.agreement.id)

    def confirm(self, change: Change, versions: dict[str, int], today: date) -> int:
        """Write what the consumer holds now; returns how many buckets were rewritten.

        Args:
            change: against what it held.
            versions: of every dataset that was looked at, in the snapshot.
            today: the hub's day.
        """
        agreement = self.refs.agreement.id
        made = Head(
            agreement,
            self.refs.name,
            self.basis,
            self.refs.shape,
            self.token_epoch,
            self.head.buckets if self.head else 1,
            self.head.rows if self.head else 0,
            versions,
            today,
            self.head.number if self.head else 0,
            self.to_reconcile,
        )
        rewritten = self._written(made, change)
        rewritten += holding_pending.settle(self.connection, agreement, kept=change.staged)
        former.purge(self.connection, today)
        return rewritten

    def _written(self, made: Head, change: Change) -> int:
        """Make the record that of a head; returns how many buckets were rewritten."""
        if change.packed is None:
            held, anew = change.held, self.head is None
            return holding.write(self.connection, made, held, change.gone, anew=anew)
        if change.staged:
            return holding.adopt(self.connection, made, change.packed, change.staged)
        return holding.write_all(self.connection, made, change.packed)

    def add(self, held: pl.DataFrame, transfer: int) -> None:
        """Note rows that were sent beside the deliveries of what is due.

        Args:
            held: columns `holding.SCHEMA`.
            transfer: that has sent them.
        """
        if self.head is None:
            return  # the first delivery looks at all rows
        if len(held):
            none = holding.no_entries()
            holding.write(self.connection, self.head, held, none, anew=False)
        holding_pending.settle(self.connection, self.refs.agreement.id, transfer)

    def rebuild(self, found: pl.DataFrame, kept: pl.DataFrame, transfer: int) -> None:
        """Make the record of what the inbox holds.

        Args:
            found: rows that are there; columns `high`, `low`, `digest`.
            kept: rows of which the record stays as it is; columns `holding.KEY`.
            transfer: id of the last confirmed delivery, of rows that the record had not.
        """
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        if self.head is None or not self.sound:
            return
        keys, before = list(holding.KEY), self.whole()
        stays = before.join(kept, on=keys, how="semi").join(found, on=keys, how="anti")
        known = found.join(before.select(*keys, "transfer"), on=keys, how="left")
        made = known.with_columns(pl.col("transfer").fill_null(transfer))
        held = pl.concat([stays, joined([made.unique(keys)])])
        with self.connection.transaction():
            holding.write(self.connection, self.head, held, holding.no_entries(), anew=True)
            holding_pending.settle(self.connection, self.refs.agreement.id)


@dataclass(frozen=True)
class Change:
    """How a delivery changes what the consumer holds.

    Attributes:
        held: new or changed entries, columns `holding.SCHEMA`; or all of them.
        gone: references of rows that it was told to drop, columns `holding.KEY`.
        packed: given: the record is made of `held` alone, which are these.
        staged: number under which these were written before anything left; 0: they were not.
    """

    held: pl.DataFrame
    gone: pl.DataFrame
    packed: Packed | None = None
    staged: int = 0


@dataclass
class Pending:
    """Notes what may reach the consumer, before it leaves.

    Attributes:
        staged: number under which the record as it is to be was written; 0: it was not.
    """

    record: Record
    transfer: int
    staged: int = field(default=0, init=False)
    _waiting: list[pl.DataFrame] = field(default_factory=list, init=False)
    _noted: bool = field(default=False, init=False)

    def add(self, entries: pl.DataFrame) -> None:
        """Take the references of a batch that is about to leave.

        Args:
            entries: columns `holding.KEY`, and others.
        """
        self._waiting.append(entries.select(holding.KEY))

    @property
    def waiting(self) -> int:
        """How many wait to be written."""
        return sum(map(len, self._waiting))

    def flush(self, connection: Connection | None = None, made: Packed | None = None) -> None:
        """Write them, before anything leaves.

        Where nothing has left before, and these are all that leave, what is to be the record is
        written instead: it is there when the delivery is confirmed (ADR 0039).

        Args:
            connection: of the hub's database; None: the record's.
            made: all that the consumer has then; None: not known yet, or not written anew.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        agreement, to = self.record.refs.agreement.id, connection or self.record.connection
        if not self._noted:
            holding_pending.gather(to, agreement, self.transfer)
        if made is None or self._noted:
            holding_pending.note(to, agreement, self.transfer, waiting)
        else:
            self.staged = holding_pending.note_record(to, agreement, self.transfer, made)
        self._noted = True
        failpoints.reach("note.written")


def joined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Entries as one frame.

    Args:
        frames: of entries; columns `holding.SCHEMA`, and others.

    Returns:
        Columns `holding.SCHEMA`.
    """
    import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

    none = holding.no_entries()
    some = [f.select(none.columns).cast(none.schema) for f in frames if len(f)]
    return pl.concat(some) if some else none


def without(entries: pl.DataFrame, refs: pl.DataFrame) -> pl.DataFrame:
    """Entries whose references are not among others.

    Args:
        entries: columns `holding.KEY`, and others.
        refs: columns `holding.KEY`, and others.
    """
    if not len(refs) or not len(entries):
        return entries
    return entries.join(refs, on=list(holding.KEY), how="anti")


def each_once(entries: pl.DataFrame) -> pl.DataFrame:
    """Entries, of those with the same reference the first.

    Args:
        entries: columns `holding.SCHEMA`.
    """
    ordered = entries["high"].sort(multithreaded=False)
    if not (ordered == ordered.shift(1)).any():
        return entries  # told thirty times faster than by looking for whole references
    return entries.unique(list(holding.KEY), keep="first", maintain_order=True)


def renamed(record: Record, held: pl.DataFrame) -> Record:
    """The record under the present key, once its entries are.

    Args:
        record: under the old key.
        held: its entries under the present key; columns `holding.SCHEMA`.
    """
    assert record.head is not None  # noqa: S101 - only a record has an old key
    head = replace(record.head, key=record.refs.name, rows=len(held))
    return replace(record, head=head, old_refs=None)


def _marked(found: pl.DataFrame, pending: pl.DataFrame) -> pl.DataFrame:
    """With what is pending: it may be there, in which state nobody knows."""
    import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

    if not len(pending):
        return found
    unknown = pending.with_columns(
        pl.lit(holding.UNKNOWN, pl.UInt64).alias("digest"), pl.lit(0, pl.UInt32).alias("transfer")
    )
    sure = found.join(pending, on=list(holding.KEY), how="anti")
    return pl.concat([sure, unknown.select(found.columns)])
