"""Collect: agency → hub. `stage`, `audit` and `publish` are steps that a scheduler can run apart.

What one step leaves for the next stands in the database (staging tables and the ledger), so the
steps may run in different processes, and any of them may be killed and run again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from onecard.base import shelves
from onecard.collect.again import OnceMore, RejectedRow
from onecard.collect.audit import AuditStep
from onecard.collect.context import CollectContext
from onecard.collect.failure import Failing
from onecard.collect.gather import GatherStep
from onecard.collect.look import Look
from onecard.collect.partitioned import PartitionedStage, PartStep
from onecard.collect.publish import Collected, PublishStep
from onecard.collect.stage import StageStep
from onecard.errors import StagingLost
from onecard.model.row_order import OLDER
from onecard.model.signoffs import SignOff
from onecard.ports.listener import Step, StepName, Telling, TransferListener
from onecard.ports.news import SourcePlace
from onecard.ports.workers import Workers
from onecard.store import audit, database, datasets, releases, transfers
from schemas.models.contract import Contract


class Collect:
    """The transfer of one dataset from its agency into the registry.

    Args:
        contract: of the dataset.
        tools: what it needs from outside the core.
        listeners: are told of every step.
    """

    def __init__(
        self, contract: Contract, tools: CollectContext, listeners: Iterable[TransferListener] = ()
    ) -> None:
        self._contract = contract
        self._tools = tools
        self._listeners = tuple(listeners)

    def run(self, *, whole: bool = False, place: SourcePlace | None = None) -> Collected:
        """All three steps, one after the other.

        Args:
            whole: read everything, not only what lies behind the watermark.
            place: read on from there, and leave the watermark where it is.
        """
        with shelves.kept(), self._all_steps() as begun:
            with self._step("collect.stage", begun=begun) as telling:
                step = StageStep(self._contract, self._tools, telling, place)
                transfer = step.run(whole=whole)
            self.audit(transfer)
            return self.publish(transfer)

    def run_by(self, workers: Workers, *, whole: bool = False) -> Collected:
        """As `run`, the source being read by several workers where the contract divides it.

        Args:
            workers: read the partitions; what they leave unread is read here.
            whole: read everything, not only what lies behind the watermark.
        """
        if self._contract.source.partition is None:
            return self.run(whole=whole)
        failing = Failing.of(self._contract, self._tools)
        with self._all_steps() as begun:
            with self._step("collect.stage", begun=begun) as telling:
                stage = PartitionedStage(self._contract, self._tools, telling)
                transfer, parts = stage.open(whole=whole)
                with failing.noted(transfer, as_a_whole=True), stage.shared() as snapshot:
                    if parts:
                        workers.read(self._contract.id, transfer, parts, snapshot)
                    GatherStep(stage, transfer, snapshot).run()
            self.audit(transfer)
            return self.publish(transfer)

    def open_parts(self, *, whole: bool = False) -> int:
        """Begin a collect whose partitions are read by `part`; returns the transfer's id.

        Args:
            whole: read everything, not only what lies behind the watermark.

        Raises:
            ConfigError: the contract does not divide its source.
        """
        with self._step("collect.stage") as telling:
            return PartitionedStage(self._contract, self._tools, telling).open(whole=whole)[0]

    def part(self, transfer: int, number: int) -> None:
        """Read one partition of an open transfer; done once, however often it is called.

        Args:
            transfer: of `open_parts`.
            number: of the partition, from 0.

        Raises:
            RetriableError: the same partition may succeed later, alone.
            FatalError: the transfer is failed by it, as the ledger says.
        """
        with Failing.of(self._contract, self._tools).noted_if_final(transfer):
            PartStep(self._partitioned(transfer), transfer).run(number)

    def read_parts(self, transfer: int, snapshot: str, over: threading.Event | None = None) -> None:
        """Read partitions of an open transfer, one after the other, until all are begun.

        Nothing is noted of a failure: who opened the transfer reads that partition again.

        Args:
            transfer: that another process has opened.
            snapshot: name of the state of the source that it holds; empty: none.
            over: is set when no other partition may be begun.
        """
        step = PartStep(self._partitioned(transfer), transfer, snapshot)
        while not (over is not None and over.is_set()) and step.run():
            pass

    def gather(self, transfer: int) -> int:
        """Put the partitions of an open transfer together; then it is staged.

        Args:
            transfer: of `open_parts`; all its partitions were read, or are read here.

        Raises:
            OnecardError: as `part`.
        """
        with (
            self._step("collect.stage", transfer) as telling,
            Failing.of(self._contract, self._tools).noted_if_final(transfer),
        ):
            stage = PartitionedStage(self._contract, self._tools, telling)
            GatherStep(stage, transfer).run()
        return transfer

    def look(self) -> Look | None:
        """How to ask whether anything lies behind the watermark; None: only a reading tells."""
        with database.connect(self._tools.address, autocommit=True) as connection:
            state = datasets.state(connection, self._contract.id)
        step = Step("collect.stage", self._contract.id, self._tools.settings.actor)
        request = StageStep(self._contract, self._tools, Telling(step)).request(state, whole=False)
        return Look.of(self._tools, self._contract, request)

    def _partitioned(self, transfer: int) -> PartitionedStage:
        """For workers, which tell nobody: a step of theirs is a part of one."""
        step = Step("collect.stage", self._contract.id, self._tools.settings.actor, transfer)
        return PartitionedStage(self._contract, self._tools, Telling(step))

    def replay(self, accepted: SignOff | None = None) -> Collected:
        """Publish what the connector gives, and leave watermark and history as they are.

        For rows that a reconciliation has read: the gate's row rules are checked again;
        expectations about volume say nothing about a few rows.

        Args:
            accepted: who lets rows replace what is published although they are older, and why; it
                stands in the audit log and in the receipt.
        """
        return self._beside(None, {}, accepted)

    def again(self, row: RejectedRow, values: Mapping[str, str | None]) -> Collected:
        """As `replay`, of one row out of the quarantine, unless it is older than what is published.

        Args:
            row: which.
            values: its values, which the connector gives.

        Raises:
            OlderRow: the registry has a newer row of its record; nothing was done.
            PolicyError: the dataset is held, or the contract has other fields since.
        """
        once = OnceMore(self._contract, self._tools, row)
        once.readable(values)
        once.allowed(values)
        return self._beside(once, values)

    def _beside(
        self,
        once: OnceMore | None,
        values: Mapping[str, str | None],
        accepted: SignOff | None = None,
    ) -> Collected:
        """Stage and publish beside the readings of the source, without moving its watermark."""
        past = once is not None
        with database.connect(self._tools.address, autocommit=True) as connection:
            before = datasets.state(connection, self._contract.id).checkpoint
        with self._all_steps() as begun:
            with self._step("collect.stage", begun=begun) as telling:
                step = StageStep(self._contract, self._tools, telling)
                transfer = step.run(whole=False, past=past)
            with database.connect(self._tools.address, autocommit=True) as connection:
                transfers.record_single_row(connection, transfer, before)
                if accepted is not None:
                    self._accept(connection, transfer, accepted)
            if once is not None:  # nobody else can publish now: is it still so?
                with Failing.of(self._contract, self._tools).noted(transfer, as_a_whole=True):
                    once.allowed(values)
            with self._step("collect.publish", transfer) as telling:
                return PublishStep(self._contract, self._tools, telling).run(transfer, past=past)

    def _accept(self, connection: database.Connection, transfer: int, how: SignOff) -> None:
        """Write who accepts older rows, and why."""
        with connection.transaction():
            releases.record(connection, transfer, [OLDER], how.by, how.reason)
            body = {"transfer": transfer, "finding": OLDER, "reason": how.reason}
            audit.append(connection, "older.accepted", self._contract.id, how.by, body)

    def audited(self, transfer: int) -> int:
        """As `audit`; rows that went with a crash of the database are staged again.

        Returns:
            The transfer that is audited: this one, or a new one.
        """
        try:
            self.audit(transfer)
        except StagingLost:
            transfer = self.stage()
            self.audit(transfer)
        return transfer

    def published(self, transfer: int) -> Collected:
        """As `publish`; rows that went with a crash are staged and audited again, once."""
        try:
            return self.publish(transfer)
        except StagingLost:
            return self.run()

    def stage(self, *, whole: bool = False, place: SourcePlace | None = None) -> int:
        """Read, check and stage; returns the transfer's id.

        Args:
            whole: read everything, not only what lies behind the watermark.
            place: read on from there, and leave the watermark where it is.

        Raises:
            OnecardError: as the connector, the gate or the database raise it; the transfer is
                then marked failed, and nothing of it remains but its line in the ledger.
        """
        with self._step("collect.stage") as telling:
            return StageStep(self._contract, self._tools, telling, place).run(whole=whole)

    def audit(self, transfer: int) -> None:
        """Run the dataset-level expectations on the staged rows.

        Raises:
            AuditFailed: a critical one failed that no person has released; the transfer is held
                and nothing is published.
            StagingLost: the database has crashed since they were staged.
        """
        with self._step("collect.audit", transfer):
            AuditStep(self._contract, self._tools).run(transfer)

    def publish(self, transfer: int) -> Collected:
        """Merge, quarantine, watermark and ledger in one transaction.

        Raises:
            SupersededError: a newer transfer has claimed the dataset.
            AccountingError: the identity does not hold; nothing is published.
            StagingLost: the database has crashed since the rows were staged.
        """
        with self._step("collect.publish", transfer) as telling:
            return PublishStep(self._contract, self._tools, telling).run(transfer)

    @contextmanager
    def _all_steps(self) -> Iterator[list[int]]:
        """Where one process carries out all steps: an interrupt between two of them is noted, too.

        Yields:
            Where the steps put the id of the transfer that they open.
        """
        begun: list[int] = []
        with Failing.of(self._contract, self._tools).interrupted_between(begun):
            yield begun

    @contextmanager
    def _step(
        self, name: StepName, transfer: int | None = None, begun: list[int] | None = None
    ) -> Iterator[Telling]:
        step = Step(name, self._contract.id, self._tools.settings.actor, transfer)
        telling = Telling(step, self._listeners, [] if begun is None else begun)
        with telling.running():
            yield telling
