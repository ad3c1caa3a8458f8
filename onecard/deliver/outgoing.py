"""The rows of one delivery on their way out: select, treat, gate, and note whom they are about.

All batches come from one snapshot of the registry. What the gate quarantines or withholds is
counted, so that `selected = sent + quarantined + withheld`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from psycopg import sql

from onecard.base import failpoints
from onecard.base.prefetch import prefetch
from onecard.base.times import OFFSET
from onecard.deliver.query import Selection
from onecard.model import gate_inputs
from onecard.model.gate_inputs import GateInputs
from onecard.model.transfers import Counts
from onecard.model.treated import cell_keys
from onecard.ports.privacy_gate import Batch, PrivacyGate
from onecard.store import disclosures
from onecard.store.disclosures import Recorder
from onecard.store.snapshots import snapshot

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
        versions: registry version of each dataset in the snapshot that was read.
        quarantined: rows kept back for a finding.
        cells: statistical cells that leave, with their values.
    """

    selected: int = 0
    passed: int = 0
    withheld: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    quarantined: list[KeptBack] = field(default_factory=list, repr=False)
    cells: dict[str, int] = field(default_factory=dict)

    def check(self, agreement: str) -> None:
        """Assert the accounting identity of a delivery.

        Raises:
            AccountingError: a selected row has neither passed nor been kept back.
        """
        Counts(
            rows_read=self.selected,
            published=self.passed,
            quarantined=len(self.quarantined),
            filtered_by_policy=self.withheld,
        ).check(agreement)


@dataclass
class Outgoing:
    """Reads one agreement's rows and lets through what may leave.

    Attributes:
        address: of the hub's database.
        tokeniser: the consumer's; None only for statistics.
        recorder: takes the references of the persons; None for a preview.
        released: dataset keys that a person has released from quarantine.
    """

    address: str
    selection: Selection
    gate: PrivacyGate
    tokeniser: Tokeniser | None
    recorder: Recorder | None = None
    released: frozenset[str] = frozenset()
    tally: DeliveryTally = field(default_factory=DeliveryTally)

    def frames(self, limit: int | None = None, *, due_only: bool = True) -> Iterator[pl.DataFrame]:
        """Treated batches that may leave, in the agreement's order; empty ones are left out.

        Columns: the agreement's.
        """
        for raw, treated in self.pairs(limit, due_only=due_only):
            passed = self._admit(raw, treated)
            if len(passed):
                yield passed

    def pairs(
        self, limit: int | None = None, *, due_only: bool = True
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Batches of one snapshot, as selected and treated, row for row.

        Columns: as selected, the agreement's and the gate's (`onecard.model.gate_inputs`); as
        treated, the agreement's.
        """
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        from onecard.deliver import treatment  # noqa: PLC0415

        agreement = self.selection.agreement
        fields = GateInputs(agreement, self.selection.contracts).fields
        statement = self.selection.statement(limit, due_only=due_only)
        for batch in prefetch(self._batches(statement), "the hub's database"):
            if not batch.num_rows:
                continue
            raw = pl.DataFrame(pl.from_arrow(batch))
            yield raw, treatment.treat(raw, agreement, fields, self.tokeniser)

    def _batches(self, statement: sql.Composed) -> Iterator[pa.RecordBatch]:
        """The rows as they stand in the registry, of the versions that one snapshot shows."""
        agreement = self.selection.agreement
        with snapshot(self.address) as found:
            self.tally.versions.update({d: found.versions[d] for d in agreement.datasets})
            yield from _whole(found.batches(statement), whole=bool(agreement.statistics))

    def _admit(self, raw: pl.DataFrame, treated: pl.DataFrame) -> pl.DataFrame:
        """The gate's part of one batch, and the references of its persons."""
        found = self.gate.check(Batch(raw, treated, self.released))
        tally = self.tally
        tally.selected += len(raw)
        tally.withheld += found.withheld
        for index, reasons in found.quarantined.items():
            values = {
                **treated.row(index, named=True),
                gate_inputs.KEY: raw[gate_inputs.KEY][index],
            }
            tally.quarantined.append(KeptBack(values, reasons))
        passed = treated if found.rows.all() else treated.filter(found.rows)
        tally.passed += len(passed)
        if gate_inputs.SUBJECT in raw.columns and self.recorder is not None and self.tokeniser:
            self._note(raw[gate_inputs.SUBJECT], found.rows)
        block = self.selection.agreement.statistics
        if block:
            names = [n for n in passed.columns if n != block.count]
            keys = cell_keys(passed.select(names))
            tally.cells.update(zip(keys, passed[block.count].to_list(), strict=True))
        return passed

    def _note(self, subjects: pl.Series, rows: pl.Series) -> None:
        """References of the persons whose rows leave.

        Digests are made of the whole column, so that they are those of the tokens.
        """
        assert self.tokeniser is not None  # noqa: S101 - asked by the caller
        assert self.recorder is not None  # noqa: S101 - asked by the caller
        found = disclosures.references(self.tokeniser.digests(subjects))
        leave = rows & subjects.is_not_null()
        self.recorder.add(found if leave.all() else found[leave.to_numpy()])


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


def _whole(batches: pa.RecordBatchReader, *, whole: bool) -> Iterator[pa.RecordBatch]:
    """The batches; or all in one, where suppression must see all cells of a margin together."""
    if not whole:
        yield from batches
        return
    table = batches.read_all().combine_chunks()
    yield from table.to_batches()
