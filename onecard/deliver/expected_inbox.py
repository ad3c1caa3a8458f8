"""What a consumer should hold: every row of its agreement as it would leave, and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onecard.deliver.outgoing import Outgoing
from onecard.model import gate_inputs
from onecard.model.treated import cell_keys
from onecard.ports.inbox import Sendings
from onecard.ports.privacy_gate import Batch
from onecard.store import holding

if TYPE_CHECKING:
    import polars as pl

    from onecard.deliver.record import Record

STATE, KEY, ENTRY = "_state", "_key", "_entry"
HELD, WAITING, LAPSED, QUARANTINED = "held", "waiting", "lapsed", "quarantined"
LEAVING = "leaving"


@dataclass(frozen=True)
class ExpectedInbox:
    """Reads one agreement's rows, delivered or not.

    Attributes:
        outgoing: its selection has the dataset's key.
        record: of what the consumer holds; None for statistics.
        sendings: tells which deliveries may have reached the consumer.
        released: of dataset keys, those of rows that a person let pass the gate.
        previous: values of statistical cells as they were last delivered.
        lapsed: id of the last delivery whose retention is over; 0: none.
        vouched: the released keys met so far.
    """

    outgoing: Outgoing
    record: Record | None
    sendings: Sendings
    released: Callable[[Iterable[str]], set[str]]
    previous: Callable[[list[str]], Mapping[str, int]]
    lapsed: int = 0
    vouched: set[str] = field(default_factory=set, repr=False)

    @property
    def schema_frame(self) -> pl.DataFrame:
        """No row, in the columns and types with which rows leave."""
        outgoing = self.outgoing
        return outgoing.treated(outgoing.snapshot.frame(outgoing.selection.statement(0)))

    def frames(self) -> Iterator[pl.DataFrame]:
        """The treated rows in the agreement's order.

        Columns: the agreement's, `_state` (below), `_key` (the dataset key as text) and `_entry`
        (reference and digest, as numbers). Rows that are `leaving` have of the agreement's columns
        the key alone, and the entry that the record keeps until they are dropped.

        `held`: delivered, within the retention. `waiting`: the next delivery sends it. `lapsed`:
        the consumer was to erase it. `quarantined`: kept back by the gate until a person decides,
        so that an earlier state of it may be there. `leaving`: the next delivery tells the consumer
        to drop it. Rows that never leave are left out.
        """
        if self.record is None:
            for raw in self.outgoing.rows(self.outgoing.selection.statement()):
                yield self._cells(raw, self.outgoing.treated(raw))
        else:
            yield from self._rows(self.record)

    def _rows(self, record: Record) -> Iterator[pl.DataFrame]:
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        held, keys = record.whole(sure=True), list(holding.KEY)
        present = []
        for raw in self.outgoing.whole():
            entries = record.refs.of(raw)
            treated = self.outgoing.treated(raw)
            found = self.outgoing.judged(Batch(raw, treated))
            kept = {i: str(raw[gate_inputs.KEY][i]) for i in found.quarantined}
            stays = pl.Series(range(len(raw)), dtype=pl.Int64).is_in(list(kept))
            present.append(entries.filter(found.rows | stays).select(keys))
            marked = self._marked(treated, entries, held, kept)
            yield marked.with_columns(raw[gate_inputs.KEY].alias(KEY)).filter(found.rows | stays)
        if self.outgoing.selection.agreement.tells_deletes:
            yield from self._leaving(record, record.whole(), present)

    def _marked(
        self, treated: pl.DataFrame, entries: pl.DataFrame, held: pl.DataFrame, kept: dict[int, str]
    ) -> pl.DataFrame:
        """Rows with their states and entries."""
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        vouched = self.released(kept.values()) if kept else set()
        self.vouched.update(vouched)
        number = pl.Series(range(len(treated)), dtype=pl.Int64)
        stays = number.is_in([index for index, key in kept.items() if key not in vouched])
        was = entries.join(
            held.rename({"digest": "was"}), on=list(holding.KEY), how="left", maintain_order="left"
        )
        same = (was["was"] == was["digest"]).fill_null(value=False)
        state = (
            pl.when(stays)
            .then(pl.lit(QUARANTINED))
            .when(~same)
            .then(pl.lit(WAITING))
            .when(was["transfer"] > self.lapsed)
            .then(pl.lit(HELD))
            .otherwise(pl.lit(LAPSED))
        )
        return treated.with_columns(state.alias(STATE), _written(entries).alias(ENTRY))

    def _leaving(
        self, record: Record, held: pl.DataFrame, present: list[pl.DataFrame]
    ) -> Iterator[pl.DataFrame]:
        """Keys that the next delivery withdraws."""
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        keys = list(holding.KEY)
        absent = held.join(
            pl.concat([holding.no_entries().select(keys), *present]), on=keys, how="anti"
        )
        if not len(absent):
            return
        for raw in self.outgoing.rows(self.outgoing.selection.candidates(None).statement()):
            refs = record.refs.of(raw, digests=False).with_row_index("row").select("row", *keys)
            hit = refs.join(absent.select(*keys, "digest"), on=keys, maintain_order="left")
            if len(hit):
                gone = self.outgoing.treated_keys(raw[hit["row"]], self.outgoing.tokeniser)
                yield gone.with_columns(
                    pl.lit(LEAVING).alias(STATE), pl.lit("").alias(KEY), _written(hit).alias(ENTRY)
                )

    def _cells(self, raw: pl.DataFrame, treated: pl.DataFrame) -> pl.DataFrame:
        """Cells with the values that were last delivered; new ones wait.

        A value that the gate keeps back, as its difference would tell of a few, leaves the
        delivered one in force.
        """
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        block = self.outgoing.selection.agreement.statistics
        assert block is not None  # noqa: S101 - asked by the caller
        passed = self.outgoing.judged(Batch(raw, treated)).rows
        groups = [n for n in treated.columns if n != block.count]
        cells = cell_keys(treated.select(groups))
        known = self.previous(cells)
        now = treated[block.count]
        before = pl.Series([known.get(cell) for cell in cells], dtype=now.dtype)
        due = passed & now.ne_missing(before)
        state = pl.when(due).then(pl.lit(WAITING)).otherwise(pl.lit(HELD))
        value = pl.when(due).then(now).otherwise(before)
        marked = treated.with_columns(
            value.alias(block.count), state.alias(STATE), pl.lit("").alias(KEY)
        )
        return marked.filter(due | before.is_not_null())


def _written(entries: pl.DataFrame) -> pl.Series:
    """Reference and digest of each row as one text."""
    import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

    parts = [entries[n].cast(pl.String) for n in ("high", "low", "digest")]
    return pl.select(pl.concat_str(parts, separator=" ")).to_series()
