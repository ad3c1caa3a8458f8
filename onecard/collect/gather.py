"""The end of a reading by several workers: partitions become one, as if one had read them.

Each partition is looked at: what the ledger says that it staged must stand in its tables, row for
row. What is gone is read again, alone. Repeats across partitions are settled where all rows are
together, by the contract's order.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from onecard.base import failpoints
from onecard.collect import drift_policy
from onecard.collect.part_outcome import PartOutcome, together
from onecard.collect.partitioned import PartitionedStage, PartStep
from onecard.collect.settle import SettleStep
from onecard.errors import NotDivisible, RetriableError, StagingLost
from onecard.model.partitions import PartitionPlan
from onecard.model.transfers import DatasetState
from onecard.store import (
    database,
    datasets,
    partitions,
    registry,
    staged_parts,
    staging,
    transfers,
)
from onecard.store.known_hashes import KnownHashes

log = logging.getLogger(__name__)

GATHERED = ("staged", "audited", "held", "published")
"""States of a transfer that is behind this step."""
AGAIN = 2
"""So often partitions that are gone are read again before the step fails."""


@dataclass(frozen=True, slots=True)
class GatherStep:
    """The gathering of one transfer's partitions."""

    stage: PartitionedStage
    transfer: int
    snapshot: str = ""

    def run(self) -> None:
        """Read what is lost, put all together, settle and record."""
        stage, transfer = self.stage, self.transfer
        with database.connect(stage.tools.address, autocommit=True) as connection:
            if transfers.status(connection, transfer) in GATHERED:
                return
            plan = stage.plan(connection, transfer)
            state = datasets.state(connection, stage.contract.id)
            try:
                self._from_parts(connection, plan, state)
            except NotDivisible as error:
                self._in_one(connection, plan, state, f"read in one: {error}")
            for line in partitions.lines(connection, transfer):
                for attempt in line.attempts:
                    staging.drop_one(connection, stage.contract, attempt, wait=False)

    def _in_one(
        self, connection: database.Connection, plan: PartitionPlan, state: DatasetState, why: str
    ) -> None:
        log.warning("%s", why)
        reading = self.stage.reading
        request = reading.request(state, whole=plan.whole)
        watch = reading.watch(connection, state, request)
        reading.in_one(connection, self.transfer, request, watch, (why,))

    def _from_parts(
        self, connection: database.Connection, plan: PartitionPlan, state: DatasetState
    ) -> None:
        """Put together what the partitions have staged.

        Raises:
            NotDivisible: they are not one whole.
        """
        if plan.apart:
            raise NotDivisible(plan.apart)
        stage, contract = self.stage, self.stage.contract
        parts = self._joined(connection)
        failpoints.reach("parts.joined")
        request = stage.part_request(state, plan, 0)
        read = sum(part.counts["rows_read"] for part in parts)
        stage.connector.confirm(stage.system, request, read)
        known = self._known(connection, parts)
        taken = together(parts, known, request)
        drift_policy.enforce(contract, taken.rules)
        if registry.exists(connection, contract):
            staging.analyse(connection, contract, self.transfer)
        settle = SettleStep(contract, stage.tools, connection, self.transfer)
        taken = settle.run(taken, known)
        stage.reading.record(connection, self.transfer, taken, request)
        stage.telling.counted(asdict(taken.counts))

    def _joined(self, connection: database.Connection) -> list[PartOutcome]:
        """All partitions' rows in the transfer's own tables; lost ones are read before."""
        for _ in range(AGAIN):
            parts = self._all_read(connection)
            self.stage.reading.make_tables(connection, self.transfer)
            lost = [n for n, part in enumerate(parts) if not self._join(connection, n, part)]
            if not lost:
                return parts
            for number in lost:
                partitions.reopen(connection, self.transfer, number)
        msg = (
            f"{self.stage.contract.id}: the database restarted, and what partitions of transfer"
            f" {self.transfer} staged is gone; it must be staged again"
        )
        raise StagingLost(msg)

    def _all_read(self, connection: database.Connection) -> list[PartOutcome]:
        """What came of each partition; those that are not read yet are read here, alone."""
        for line in partitions.lines(connection, self.transfer):
            if not line.done:
                PartStep(self.stage, self.transfer, self.snapshot).run(line.number)
        lines = partitions.lines(connection, self.transfer)
        if busy := [str(line.number + 1) for line in lines if not line.done]:
            what = f"transfer {self.transfer}: partition {', '.join(busy)}"
            msg = f"{self.stage.contract.id}: {what} is read by another worker now"
            raise RetriableError(msg)
        parts = [PartOutcome.from_json(line.outcome or {}) for line in lines]
        for part in parts:
            if part.apart:
                raise NotDivisible(part.apart)
        self._require_different(parts)
        return parts

    def _require_different(self, parts: Sequence[PartOutcome]) -> None:
        """A source that does not know the division gives the same rows again and again."""
        told = [part.digest for part in parts if part.counts["rows_read"]]
        if len(set(told)) < len(told):
            msg = f"{self.stage.contract.id}: two partitions gave the same rows"
            raise NotDivisible(msg)

    def _join(self, connection: database.Connection, number: int, part: PartOutcome) -> bool:
        """Copy one partition's rows; False: they are not all there."""
        line = partitions.lines(connection, self.transfer)[number]
        where = (connection, self.stage.contract)
        if line.attempt is None or not staging.is_there(*where, line.attempt):
            return False
        good, rejected = staged_parts.join(*where, self.transfer, line.attempt)
        kept = staged_parts.count_met(*where, line.attempt)
        met = part.found - part.counts["deduplicated"] if part.known else 0
        return (good, rejected, kept) == (part.staged, part.quarantined, met)

    def _known(
        self, connection: database.Connection, parts: Sequence[PartOutcome]
    ) -> KnownHashes | None:
        """The published rows that the partitions have met, as if one reading had."""
        if not any(part.known for part in parts):
            return None
        lines = partitions.lines(connection, self.transfer)
        found = [
            staged_parts.met(connection, self.stage.contract, line.attempt)
            for line in lines
            if line.attempt is not None
        ]
        hashes = np.concatenate([hashes for hashes, _ in found])
        places = np.concatenate([places for _, places in found])
        return KnownHashes.merged(hashes, places, sum(part.found for part in parts))
