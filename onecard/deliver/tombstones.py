"""Rows that a consumer is told to drop: deleted at their source since its last delivery (ADR 0015).

They are selected by their last values, treated and gated like rows that leave; of those that may,
only the key columns do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from onecard.deliver.outgoing import DeliveryTally, Outgoing
from onecard.model import gate_inputs
from onecard.ports.privacy_gate import Batch
from onecard.store import disclosures

if TYPE_CHECKING:
    import polars as pl


@dataclass
class Tombstones:
    """Reads one agreement's departed rows.

    Attributes:
        outgoing: its selection is of departed rows; its recorder takes the persons' references.
        passed: rows whose keys may leave so far.
    """

    outgoing: Outgoing
    passed: int = 0

    @classmethod
    def beside(cls, outgoing: Outgoing) -> Tombstones:
        """Those of the same agreement, with sums of their own."""
        selection = replace(outgoing.selection, departed=True, lapsed=None)
        return cls(
            replace(outgoing, selection=selection, released=frozenset(), tally=DeliveryTally())
        )

    def frames(self) -> Iterator[pl.DataFrame]:
        """Treated rows, all columns, one of each key in a batch; empty ones are left out."""
        for raw, treated in self.outgoing.pairs():
            frame = self._admitted(raw, treated)
            self.passed += len(frame)
            if len(frame):
                yield frame

    def _admitted(self, raw: pl.DataFrame, treated: pl.DataFrame) -> pl.DataFrame:
        """What the gate lets through; a finding in a column that stays here keeps no key back."""
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run

        key = list(self.outgoing.selection.agreement.key)
        found = self.outgoing.gate.check(Batch(raw, treated))
        sound = [
            index
            for index, reasons in found.quarantined.items()
            if not any(field in key for field, _ in reasons)
        ]
        rows = found.rows | pl.Series(range(len(raw)), dtype=pl.Int64).is_in(sound)
        recorder, tokeniser = self.outgoing.recorder, self.outgoing.tokeniser
        if recorder is not None and tokeniser is not None:
            leave = rows & raw[gate_inputs.SUBJECT].is_not_null()
            digests = tokeniser.digests(raw[gate_inputs.SUBJECT])
            recorder.add(disclosures.references(digests)[leave.to_numpy()])
        return treated.filter(rows).unique(key, maintain_order=True)
