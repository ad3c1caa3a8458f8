"""The first step of a collect by several workers: open, read each partition, gather.

`open` claims the dataset and writes down what is expected; `part` reads one partition into tables
of its own; `gather` puts them together, once all are there. The three may run in different
processes and on different hosts, any of them may be killed and run again, and what comes of them
is what one reading would have given (ADR 0030). Where that cannot be shown, the source is read in
one: partitions are a way to be faster, never a condition.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from onecard.base import failpoints, interrupts
from onecard.base.connections import Connection as System
from onecard.collect.context import CollectContext
from onecard.collect.failure import Failing
from onecard.collect.intake import Intake
from onecard.collect.part_outcome import PartOutcome
from onecard.collect.stage import READINGS, StageStep
from onecard.errors import ConfigError, FatalError, NotDivisible, SupersededError, UnstableSource
from onecard.model.partitions import Begun, PartitionPlan
from onecard.model.transfers import DatasetState
from onecard.ports.listener import Telling
from onecard.ports.partitions import Divisible
from onecard.ports.source import ReadPart, ReadRequest
from onecard.store import (
    database,
    datasets,
    partitions,
    registry,
    staged_parts,
    staging,
    transfers,
)
from schemas.models.contract import Contract
from schemas.models.partition import Partition

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PartitionedStage:
    """What open, part and gather have in common: one dataset's source and its partitions."""

    contract: Contract
    tools: CollectContext
    telling: Telling

    @property
    def reading(self) -> StageStep:
        """The step that reads in one."""
        return StageStep(self.contract, self.tools, self.telling)

    @property
    def system(self) -> System:
        """The agency's system."""
        return self.tools.connections.get(self.contract.source.connection)

    @property
    def connector(self) -> Divisible:
        """The connector, which must know partitions.

        Raises:
            ConfigError: it does not.
        """
        if not isinstance(self.tools.connector, Divisible):
            msg = f"{self.contract.id}: {self.tools.connector.kind} is not read in partitions"
            raise ConfigError(msg)
        return self.tools.connector

    @property
    def partition(self) -> Partition:
        """How the contract divides the source.

        Raises:
            ConfigError: it does not.
        """
        found = self.contract.source.partition
        if found is None:
            msg = (
                f"{self.contract.id}: its contract names no source.partition, so it is read by one"
                " worker"
            )
            raise ConfigError(msg)
        return found

    @property
    def digest(self) -> str:
        """SHA-256 of the contract: every worker must read by the same one."""
        return hashlib.sha256(self.contract.model_dump_json().encode()).hexdigest()

    def open(self, *, whole: bool) -> tuple[int, int]:
        """Claim the dataset and write down what is expected.

        Args:
            whole: everything is read, not only what lies behind the watermark.

        Returns:
            The transfer's id, and how many partitions there are to read: none where it is read in
            one.
        """
        contract, tools = self.contract, self.tools
        tools.keys.quarantine()  # without the key nothing begins
        with (
            database.connect(tools.address, autocommit=True) as connection,
            interrupts.deferred() as known,
        ):
            transfer = transfers.open_transfer(
                connection, "collect", contract.id, contract.version, tools.settings.now()
            )
            with Failing.of(contract, tools).noted(transfer, as_a_whole=True):
                known()
                self.telling.opened(transfer)
                failpoints.reach("collect.opened")
                state = self.reading.claim(connection, transfer)
                staging.drop(connection, contract, older_than=transfer)
                mark, apart = self._mark(self.reading.request(state, whole=whole))
                made = PartitionPlan(self.partition.count, whole, mark, self.digest, apart)
                with connection.transaction():
                    partitions.plan(connection, transfer, made)
        return transfer, 0 if apart else made.parts

    def _mark(self, request: ReadRequest) -> tuple[str, str]:
        """What the source shows of itself; and why it must be read in one, if it must."""
        first = replace(request, part=ReadPart(self.partition, 0))
        try:
            return self.connector.mark(self.system, first), ""
        except NotDivisible as error:
            return "", str(error)

    def shared(self) -> AbstractContextManager[str]:
        """Hold one state of the source; gives its name, empty where there is no such thing."""
        return self.connector.shared(self.system)

    def plan(self, connection: database.Connection, transfer: int) -> PartitionPlan:
        """What is expected of an open transfer.

        Raises:
            SupersededError: a newer transfer has claimed the dataset.
            FatalError: it is over, or the contract has changed since it was opened.
        """
        dataset = self.contract.id
        claim = datasets.state(connection, dataset).claim
        if claim > transfer:
            msg = f"{dataset}: transfer {transfer} was overtaken by {claim}; nothing published"
            raise SupersededError(msg)
        found = partitions.planned(connection, transfer)
        status = transfers.status(connection, transfer)
        if found is None or status != "running":
            said = transfers.message(connection, transfer) or "it is over"
            msg = f"{dataset}: transfer {transfer} is {status or 'unknown'}: {said}"
            raise FatalError(msg)
        if found.contract != self.digest:
            msg = f"{dataset}: its contract has changed while transfer {transfer} was read"
            raise FatalError(msg)
        return found

    def part_request(
        self, state: DatasetState, plan: PartitionPlan, number: int, snapshot: str = ""
    ) -> ReadRequest:
        """What one partition is asked for.

        Args:
            state: of the dataset.
            plan: of the transfer.
            number: of the partition.
            snapshot: name of a state of the source that somebody holds.
        """
        request = self.reading.request(state, whole=plan.whole)
        return replace(request, part=ReadPart(self.partition, number, plan.mark, snapshot))


@dataclass(frozen=True, slots=True)
class PartStep:
    """The reading of partitions of one open transfer."""

    stage: PartitionedStage
    transfer: int
    snapshot: str = ""

    def run(self, number: int | None = None) -> bool:
        """Read one partition into tables of its own.

        Args:
            number: which; None: the next one that nobody has begun.

        Returns:
            Whether there was one to read.
        """
        stage, transfer = self.stage, self.transfer
        with database.connect(stage.tools.address, autocommit=True) as connection:
            plan = stage.plan(connection, transfer)
            if plan.apart:
                return False
            by = f"{socket.gethostname()}:{os.getpid()}"
            if number is None:
                begun = partitions.begin_next(connection, transfer, by)
            else:
                begun = partitions.begin(connection, transfer, number, by)
            if begun is not None:
                self._read(connection, plan, begun)
        return begun is not None

    def _read(self, connection: database.Connection, plan: PartitionPlan, begun: Begun) -> None:
        """Read and note it; another attempt at the same partition makes this one count nothing."""
        contract, transfer = self.stage.contract, self.transfer
        try:
            outcome = self._outcome(connection, plan, begun)
            failpoints.reach("part.read")
            with connection.transaction():
                datasets.lock_claimed(connection, contract.id, transfer)
                counts = partitions.finish(connection, transfer, begun, outcome.json())
        except Exception:
            staging.drop_one(connection, contract, begun.attempt, wait=False)
            raise
        if not counts:
            staging.drop_one(connection, contract, begun.attempt, wait=False)
            what = f"partition {begun.number} of transfer {transfer}"
            log.warning("%s: %s was given to another worker", contract.id, what)
        failpoints.reach("part.done")

    def _outcome(
        self, connection: database.Connection, plan: PartitionPlan, begun: Begun
    ) -> PartOutcome:
        for left in reversed(range(READINGS)):
            try:
                return self._taken(connection, plan, begun)
            except NotDivisible as error:
                return PartOutcome(apart=str(error))
            except UnstableSource as error:
                if not left:
                    raise
                log.warning("%s; it is read again", error)
        raise AssertionError  # the last reading returns or raises

    def _taken(
        self, connection: database.Connection, plan: PartitionPlan, begun: Begun
    ) -> PartOutcome:
        """One reading of the partition, at the hub's time of the whole transfer."""
        stage = self.stage
        contract, settings = stage.contract, stage.tools.settings
        opened = transfers.hub_time(connection, self.transfer).astimezone(settings.now().tzinfo)
        tools = replace(stage.tools, settings=settings.model_copy(update={"fixed_now": opened}))
        staging.drop_one(connection, contract, begun.attempt, wait=True)
        staged_parts.create(connection, contract, begun.attempt, positions=tools.in_order)
        failpoints.reach("part.begun")
        state = datasets.state(connection, contract.id)
        request = stage.part_request(state, plan, begun.number, self.snapshot)
        first = not registry.exists(connection, contract)
        known = None if first or request.since else stage.reading.known(connection, request)
        watch = stage.reading.watch(connection, state, request)
        taken = Intake(tools, contract, connection, begun.attempt).take(request, known, watch)
        if known is not None:
            staged_parts.keep_met(connection, contract, begun.attempt, known)
        return PartOutcome.of(taken, known)
