"""The first step of a collect: claim the dataset, read, check, stage, settle what repeats."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace

from onecard.base import failpoints, interrupts
from onecard.collect import drift_policy, window
from onecard.collect.context import CollectContext
from onecard.collect.failure import Failing
from onecard.collect.gaps import GapStep
from onecard.collect.intake import Intake, IntakeResult
from onecard.collect.mended import Watch
from onecard.collect.own_rows import OwnRows
from onecard.collect.settle import SettleStep
from onecard.errors import UnstableSource
from onecard.model.transfers import DatasetState, Intaken
from onecard.ports.listener import Telling
from onecard.ports.news import SourcePlace
from onecard.ports.source import ReadRequest
from onecard.store import (
    audit,
    database,
    datasets,
    registry,
    registry_indexes,
    rule_results,
    staging,
    transfers,
    usual_volumes,
)
from onecard.store.known_hashes import KnownHashes
from schemas.models.contract import Contract

log = logging.getLogger(__name__)

FEW_OF = 10
"""Where the last news of a source were less than this part of what is published, all of them are
staged: the hashes of all published rows would cost more than that spares."""
READINGS = 3
"""So often a source is read whose pages shift while they are read, before the transfer fails."""


def everything(request: ReadRequest) -> bool:
    """Whether a reading shows the whole source, not only what is new there."""
    return request.since is None and not request.checkpoint


@dataclass(frozen=True, slots=True)
class StageStep:
    """One reading of a dataset's source.

    Attributes:
        place: from where it is read on; the watermark stays, so that the overlap before it is read
            by the next collect that has none. None: everything behind the watermark is read.
    """

    contract: Contract
    tools: CollectContext
    telling: Telling
    place: SourcePlace | None = None

    def run(self, *, whole: bool, past: bool = False) -> int:
        """Read, check and stage; as `Collect.stage`.

        Args:
            whole: read everything, not only what lies behind the watermark.
            past: the rows are no reading of the source: they show nothing of what stands there.

        Returns:
            The transfer's id.
        """
        contract, tools = self.contract, self.tools
        tools.keys.quarantine()  # without the key nothing begins
        failing = Failing.of(contract, tools)
        with (
            database.connect(tools.address, autocommit=True) as connection,
            interrupts.deferred() as known,
        ):
            transfer = transfers.open_transfer(
                connection, "collect", contract.id, contract.version, tools.settings.now()
            )
            with failing.noted(transfer, as_a_whole=True):
                known()
                self.telling.opened(transfer)
                failpoints.reach("collect.opened")
                state = self.claim(connection, transfer)
                request = self.request(state, whole=whole)
                watch = None if past else self.watch(connection, state, request)
                self.in_one(connection, transfer, request, watch)
        return transfer

    def in_one(
        self,
        connection: database.Connection,
        transfer: int,
        request: ReadRequest,
        watch: Watch | None,
        remarks: tuple[str, ...] = (),
    ) -> None:
        """Read everything as one reading, stage and record it.

        Args:
            connection: of the hub's database.
            transfer: that has claimed the dataset.
            request: of the whole.
            watch: looks for records of quarantined rows; None: nobody asks.
            remarks: what is to be said of it besides what the reading remarks.
        """
        first = self.make_tables(connection, transfer)
        taken = self._taken(connection, transfer, request, watch, first=first)
        taken = replace(taken, remarks=(*remarks, *taken.remarks))
        self.record(connection, transfer, taken, request)

    def record(
        self,
        connection: database.Connection,
        transfer: int,
        taken: IntakeResult,
        request: ReadRequest,
    ) -> None:
        """Note what was staged, and that it is settled.

        Args:
            connection: of the hub's database.
            transfer: that has claimed the dataset.
            taken: what was found.
            request: of the whole.
        """
        failpoints.reach("stage.settled")
        with connection.transaction():
            before = datasets.lock_claimed(connection, self.contract.id, transfer).checkpoint
            if self.place is not None:
                taken = replace(taken, checkpoint=before)
            self._record(connection, transfer, taken, whole=everything(request))
        failpoints.reach("stage.recorded")

    def claim(self, connection: database.Connection, transfer: int) -> DatasetState:
        """Claim the dataset; transfers that were cut off, or are overtaken now, have failed.

        Raises:
            SupersededError: this process may not work on it any more; nothing is claimed.
        """
        dataset, actor = self.contract.id, self.tools.settings.actor
        with connection.transaction():
            self.tools.guard(connection)
            state = datasets.claim(connection, dataset, transfer)
            for dead in transfers.fail_abandoned(connection, "collect", dataset, transfer):
                body = {"transfer": dead.transfer, "error": "cut off", "next": transfer}
                audit.append(connection, "collect.failed", dataset, actor, body)
        failpoints.reach("collect.claimed")
        return state

    def make_tables(self, connection: database.Connection, transfer: int) -> bool:
        """Make the staging tables anew; returns whether nothing of the dataset is published yet."""
        contract = self.contract
        staging.drop(connection, contract, older_than=transfer + 1, mine=transfer)
        rule_results.forget(connection, transfer)
        first = not registry.exists(connection, contract)
        if not first:
            registry.widen(connection, contract)
            registry_indexes.for_collect(connection, contract)
        staging.create(connection, contract, transfer, first=first, positions=self.tools.in_order)
        failpoints.reach("stage.created")
        return first

    def _taken(
        self,
        connection: database.Connection,
        transfer: int,
        request: ReadRequest,
        watch: Watch | None,
        *,
        first: bool,
    ) -> IntakeResult:
        """Read and stage; once more from the start where pages shifted while they were read."""
        for _ in range(READINGS - 1):
            try:
                return self._read(connection, transfer, request, watch, first=first)
            except UnstableSource as error:
                log.warning("%s; it is read again", error)
            self.make_tables(connection, transfer)
        return self._read(connection, transfer, request, watch, first=first)

    def _read(
        self,
        connection: database.Connection,
        transfer: int,
        request: ReadRequest,
        watch: Watch | None,
        *,
        first: bool,
    ) -> IntakeResult:
        """Read, check, stage and settle what repeats."""
        contract, tools = self.contract, self.tools
        known = None if first or request.since else self.known(connection, request)
        intake = Intake(tools, contract, connection, transfer)
        taken = intake.take(request, known, watch)
        drift_policy.enforce(contract, taken.rules)
        if not first:
            staging.analyse(connection, contract, transfer)
        own = isinstance(tools.connector, OwnRows)
        if contract.carrier is not None and request.since is not None and not own:
            gaps = GapStep(contract, contract.carrier, tools, connection, transfer)
            taken = gaps.run(taken, request)
        return SettleStep(contract, tools, connection, transfer).run(taken, known)

    def request(self, state: DatasetState, *, whole: bool) -> ReadRequest:
        """What is to be read.

        Args:
            state: of the dataset.
            whole: everything, not only what lies behind the watermark.
        """
        source = self.contract.source
        since = None if whole else window.since(self.contract, state)
        taken = dict(state.checkpoint.get("source") or {})
        found = ReadRequest(
            dataset=self.contract.id,
            columns=drift_policy.columns(self.contract),
            options=self.tools.connector.source_options.model_validate(dict(source.options)),
            cursor=source.cursor,
            since=since,
            checkpoint={} if whole else taken,
            key=self.contract.key,
            order=self.contract.ordering,
            file_order=self.contract.file_order,
            order_stated=self.contract.stated_file_order is not None,
            taken=taken,
        )
        if self.place is None:
            return found
        return window.reading_on(found, self.place)

    def watch(
        self, connection: database.Connection, state: DatasetState, request: ReadRequest
    ) -> Watch | None:
        """Looks for records of quarantined rows; None where the end of the reading tells all.

        Args:
            connection: of the hub's database.
            state: of the dataset.
            request: what is read.
        """
        own = isinstance(self.tools.connector, OwnRows)
        if everything(request) and not own and not state.checkpoint.get("source"):
            return None
        return Watch.of(connection, self.contract, self.tools.keys)

    def known(self, connection: database.Connection, request: ReadRequest) -> KnownHashes | None:
        """What is published; None where the reading is of news, of which few can be."""
        if request.checkpoint:
            usual = usual_volumes.read_before(connection, self.contract.id, whole=False, last=1)
            if registry.estimated_rows(connection, self.contract) > FEW_OF * sum(usual):
                return None
        return KnownHashes.load(self.tools.address, self.contract, places=self.tools.in_order)

    def _record(
        self, connection: database.Connection, transfer: int, taken: IntakeResult, *, whole: bool
    ) -> None:
        rule_results.record_rules(connection, transfer, taken.rules, "error")
        rule_results.record_rules(connection, transfer, taken.warnings, "warning")
        rule_results.record_counties(connection, transfer, *taken.counties)
        intaken = Intaken(
            counts=taken.counts,
            checkpoint=taken.checkpoint,
            digest=taken.digest,
            message="; ".join(taken.remarks),
            whole=whole,
            source_rows=taken.there,
        )
        transfers.record_staged(connection, transfer, intaken)
        self.telling.counted(asdict(taken.counts))
