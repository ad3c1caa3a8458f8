"""What a consumer should hold: every row of its agreement as it would leave, and how it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onecard.deliver.outgoing import Outgoing
from onecard.deliver.tombstones import Tombstones
from onecard.model import gate_inputs
from onecard.model.treated import cell_keys
from onecard.ports.inbox import Sending
from onecard.ports.privacy_gate import Batch

if TYPE_CHECKING:
    import polars as pl

STATE, KEY = "_state", "_key"
HELD, WAITING, LAPSED, QUARANTINED = "held", "waiting", "lapsed", "quarantined"
LEAVING = "leaving"


@dataclass(frozen=True)
class ExpectedInbox:
    """Reads one agreement's rows, delivered or not.

    Attributes:
        outgoing: its selection marks the rows (`Selection.lapsed`).
        sendings: deliveries that may have reached the consumer.
        released: of dataset keys, those of rows that a person let pass the gate.
        previous: values of statistical cells as they were last delivered.
        removals: rows that the next delivery tells the consumer to drop.
        vouched: the released keys met so far.
    """

    outgoing: Outgoing
    sendings: tuple[Sending, ...]
    released: Callable[[Iterable[str]], set[str]]
    previous: Callable[[list[str]], Mapping[str, int]]
    removals: Tombstones | None = None
    vouched: set[str] = field(default_factory=set, repr=False)

    def frames(self) -> Iterator[pl.DataFrame]:
        """The treated rows in the agreement's order.

        Columns: the agreement's, `_state` (below) and `_key` (the dataset key as text).

        `held`: delivered, within the retention. `waiting`: the next delivery sends it. `lapsed`:
        the consumer was to erase it. `quarantined`: kept back by the gate until a person decides,
        so that an earlier state of it may be there. `leaving`: the next delivery tells the consumer
        to drop it. Rows that never leave are left out.
        """
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        agreement = self.outgoing.selection.agreement
        shape = self._cells if agreement.statistics else self._rows
        for raw, treated in self.outgoing.pairs(due_only=False):
            yield shape(raw, treated)
        for gone in self.removals.frames() if self.removals else ():
            yield gone.with_columns(pl.lit(LEAVING).alias(STATE), pl.lit("").alias(KEY))

    def _rows(self, raw: pl.DataFrame, treated: pl.DataFrame) -> pl.DataFrame:
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        found = self.outgoing.gate.check(Batch(raw, treated))
        keys = raw[gate_inputs.KEY]
        kept = {index: str(keys[index]) for index in found.quarantined}
        vouched = self.released(kept.values()) if kept else set()
        self.vouched.update(vouched)
        number = pl.Series(range(len(raw)), dtype=pl.Int64)
        stays = number.is_in([index for index, key in kept.items() if key not in vouched])
        state = (
            pl.when(stays)
            .then(pl.lit(QUARANTINED))
            .when(raw[gate_inputs.DUE])
            .then(pl.lit(WAITING))
            .when(raw[gate_inputs.RECENT])
            .then(pl.lit(HELD))
            .otherwise(pl.lit(LAPSED))
        )
        marked = treated.with_columns(state.alias(STATE), keys.alias(KEY))
        return marked.filter(found.rows | number.is_in(list(kept)))

    def _cells(self, raw: pl.DataFrame, treated: pl.DataFrame) -> pl.DataFrame:
        """Cells with the values that were last delivered; new ones wait.

        A value that the gate keeps back, as its difference would tell of a few, leaves the
        delivered one in force.
        """
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        block = self.outgoing.selection.agreement.statistics
        assert block is not None  # noqa: S101 - asked by the caller
        passed = self.outgoing.gate.check(Batch(raw, treated)).rows
        groups = [n for n in treated.columns if n != block.count]
        cells = cell_keys(treated.select(groups))
        known = self.previous(cells)
        now = treated[block.count]
        before = pl.Series([known.get(cell) for cell in cells], dtype=now.dtype)
        due = passed & raw[gate_inputs.DUE] & now.ne_missing(before)
        state = pl.when(due).then(pl.lit(WAITING)).otherwise(pl.lit(HELD))
        value = pl.when(due).then(now).otherwise(before)
        marked = treated.with_columns(
            value.alias(block.count), state.alias(STATE), pl.lit("").alias(KEY)
        )
        return marked.filter(due | before.is_not_null())
