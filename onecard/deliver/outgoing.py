"""The rows of one delivery on their way out: select, treat, gate.

All batches come from one snapshot of the registry. What becomes of a row is counted, so that
`selected = passed + unchanged + quarantined + withheld`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from psycopg import sql

from onecard.base import failpoints
from onecard.base.times import OFFSET
from onecard.deliver.query import Selection
from onecard.errors import PolicyError
from onecard.model import gate_inputs
from onecard.model.gate_inputs import GateInputs
from onecard.model.transfers import Counts
from onecard.ports.privacy_gate import Admitted, Batch, PrivacyGate
from onecard.store.snapshots import Snapshot

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from onecard.deliver.treatment import Tokeniser


@dataclass(frozen=True, slots=True)
class KeptBack:
    """A row kept back for a finding: its treated values with its dataset key, and the reasons.

    Attributes:
        reasons: (field, rule) pairs.
    """

    values: Mapping[str, Any] = field(repr=False)
    reasons: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class DeliveryTally:
    """Running sums of one delivery.

    Attributes:
        versions: registry version of each dataset of the agreement in the snapshot that was read.
        passed: rows to be sent.
        unchanged: rows that the consumer has already, and equal rows of one key.
        left: rows that were handed to the connector so far.
        quarantined: rows kept back for a finding.
        cells: statistical cells that leave, with their values.
        unexplained: keys that the consumer has, in scope no more, of which no row tells the values.
        assumed: rows that count as delivered by their versions alone, as nobody can be looked up.
    """

    selected: int = 0
    passed: int = 0
    unchanged: int = 0
    withheld: int = 0
    left: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    quarantined: list[KeptBack] = field(default_factory=list, repr=False)
    cells: dict[str, int] = field(default_factory=dict)
    unexplained: int = 0
    assumed: int = 0

    def check(self, agreement: str) -> None:
        """Assert the accounting identity of a delivery.

        Raises:
            AccountingError: a selected row has neither passed nor been kept back.
        """
        Counts(
            rows_read=self.selected,
            published=self.passed,
            unchanged=self.unchanged,
            quarantined=len(self.quarantined),
            filtered_by_policy=self.withheld,
        ).check(agreement)


@dataclass(frozen=True)
class Outgoing:
    """Reads one agreement's rows and treats them.

    Attributes:
        snapshot: of the hub's database, open.
        gate: the privacy gate, open; None where rows are only counted.
        tokeniser: the consumer's; None only for statistics.
    """

    snapshot: Snapshot
    selection: Selection
    gate: PrivacyGate | None
    tokeniser: Tokeniser | None

    @property
    def versions(self) -> dict[str, int]:
        """Of the agreement's datasets, in the snapshot."""
        return {d: self.snapshot.versions[d] for d in self.selection.agreement.datasets}

    def frames(self, limit: int | None = None) -> Iterator[pl.DataFrame]:
        """Treated batches that may leave now, in the agreement's order; empty ones are left out.

        Columns: the agreement's.
        """
        whole = self.whole() if limit is None else self.rows(self.selection.statement(limit))
        for raw in whole:
            treated = self.treated(raw)
            found = treated.filter(self.judged(Batch(raw, treated)).rows)
            if len(found):
                yield found

    def judged(self, batch: Batch) -> Admitted:
        """What the gate says of a batch.

        Raises:
            PolicyError: there is no gate: nothing leaves.
        """
        if self.gate is None:
            msg = f"{self.selection.agreement.id}: no privacy gate looks at its rows"
            raise PolicyError(msg)
        return self.gate.check(batch)

    def whole(self) -> Iterator[pl.DataFrame]:
        """All rows in scope, batch by batch, with the gate's inputs.

        Who has ended is read once, beside the first rows, and looked up here: to ask for each of
        many rows costs the server more than half of what the rows themselves do. Statistics come in
        one batch.

        Columns: the selection's.
        """
        ended = self.selection.ended()
        if ended is None:
            yield from self.rows(self.selection.statement())
            return
        from onecard.deliver.listed_persons import ListedPersons  # noqa: PLC0415 - as Polars

        read, listed = self.snapshot.frame_beside(ended), None
        for raw in self.rows(self.selection.statement(ended=False)):
            listed = listed or ListedPersons(read.result().to_series())
            found = listed.holds(raw[gate_inputs.SUBJECT])
            yield raw.with_columns(found.alias(gate_inputs.ENDED))
        read.result()

    def rows(self, statement: sql.Composed) -> Iterator[pl.DataFrame]:
        """Batches as they are selected; statistics in one, as cells of a margin are seen together.

        Columns: the statement's.
        """
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run
        import pyarrow as pa  # noqa: PLC0415

        batches: Iterator[pa.RecordBatch] = (
            b for b in self.snapshot.batches(statement) if b.num_rows
        )
        if self.selection.agreement.statistics:
            found = list(batches)
            batches = iter(
                pa.Table.from_batches(found).combine_chunks().to_batches() if found else ()
            )
        for batch in batches:
            yield self.selection.completed(pl.DataFrame(pl.from_arrow(batch)))

    def treated(self, raw: pl.DataFrame) -> pl.DataFrame:
        """The agreement's columns as they would leave, row for row."""
        from onecard.deliver import treatment  # noqa: PLC0415 - Polars only where rows flow

        agreement = self.selection.agreement
        fields = GateInputs(agreement, self.selection.contracts).fields
        return treatment.treat(raw, agreement, fields, self.tokeniser)

    def treated_keys(self, raw: pl.DataFrame, tokeniser: Tokeniser | None) -> pl.DataFrame:
        """The key's columns as they would leave, row for row.

        Args:
            raw: the key's columns as they are selected.
            tokeniser: of the tokens that the consumer has.
        """
        from onecard.deliver import treatment  # noqa: PLC0415 - Polars only where rows flow

        agreement = self.selection.agreement
        fields = GateInputs(agreement, self.selection.contracts).fields
        return treatment.treat_some(raw, agreement, fields, tokeniser, agreement.key)


def batches_of(
    first: pl.DataFrame | None, others: Iterator[pl.DataFrame], columns: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Frames as Arrow batches on their way to the connector.

    Args:
        first: the first frame, or None.
        others: those that follow; all have the same columns.
        columns: only these; None: all.
    """
    for frame in chain([] if first is None else [first], others):
        failpoints.reach("send.batch")
        yield from arrow_of(frame.select(columns) if columns else frame).to_batches()


def arrow_of(frame: pl.DataFrame) -> pa.Table:
    """A frame as Arrow, in the same columns, of types that every receiver reads.

    Instants have the zone `+08:00`: Polars names it `Etc/GMT-8`, for which a receiver would need
    the zone database.
    """
    import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run
    import pyarrow as pa  # noqa: PLC0415

    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    fields = [
        f.with_type(pa.timestamp(f.type.unit, OFFSET)) if pa.types.is_timestamp(f.type) else f
        for f in table.schema
    ]
    return table.cast(pa.schema(fields))
