"""The first step of a collect: claim the dataset, read, check, stage, settle what repeats."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import datetime

from onecard.base import failpoints
from onecard.collect import drift_policy
from onecard.collect.context import CollectContext
from onecard.collect.failure import Failing
from onecard.collect.intake import Intake, IntakeResult
from onecard.collect.settle import SettleStep
from onecard.errors import UnstableSource
from onecard.model.transfers import DatasetState, Intaken
from onecard.ports.listener import Telling
from onecard.ports.source import ReadRequest
from onecard.store import (
    audit,
    database,
    datasets,
    registry,
    rule_results,
    staging,
    transfers,
)
from onecard.store.known_hashes import KnownHashes
from schemas.models.contract import Contract

log = logging.getLogger(__name__)

READINGS = 3
"""So often a source is read whose pages shift while they are read, before the transfer fails."""


@dataclass(frozen=True, slots=True)
class StageStep:
    """One reading of a dataset's source."""

    contract: Contract
    tools: CollectContext
    telling: Telling

    def run(self, *, whole: bool) -> int:
        """Read, check and stage; returns the transfer's id; as `Collect.stage`."""
        contract, tools = self.contract, self.tools
        failing = Failing.of(contract, tools)
        with database.connect(tools.address, autocommit=True) as connection:
            transfer = transfers.open_transfer(
                connection, "collect", contract.id, contract.version, tools.settings.now()
            )
            self.telling.opened(transfer)
            failpoints.reach("collect.opened")
            with failing.noted(transfer, as_a_whole=True):
                state = self._claim(connection, transfer)
                first = self._make_tables(connection, transfer)
                request = self._request(state, whole=whole)
                taken = self._taken(connection, transfer, request, first=first)
                failpoints.reach("stage.settled")
                with connection.transaction():
                    datasets.lock_claimed(connection, contract.id, transfer)
                    everything = request.since is None and not request.checkpoint
                    self._record(connection, transfer, taken, whole=everything)
        failpoints.reach("stage.recorded")
        return transfer

    def _claim(self, connection: database.Connection, transfer: int) -> DatasetState:
        """Claim the dataset; transfers that were cut off, or are overtaken now, have failed."""
        dataset, actor = self.contract.id, self.tools.settings.actor
        with connection.transaction():
            state = datasets.claim(connection, dataset, transfer)
            for dead in transfers.fail_abandoned(connection, "collect", dataset, transfer):
                body = {"transfer": dead.transfer, "error": "cut off", "next": transfer}
                audit.append(connection, "collect.failed", dataset, actor, body)
        failpoints.reach("collect.claimed")
        return state

    def _make_tables(self, connection: database.Connection, transfer: int) -> bool:
        """Make the staging tables; returns whether nothing of the dataset is published yet."""
        contract = self.contract
        staging.drop(connection, contract, older_than=transfer)
        first = not registry.exists(connection, contract)
        if not first:
            registry.widen(connection, contract)
        staging.create(connection, contract, transfer, first=first, positions=self.tools.in_order)
        failpoints.reach("stage.created")
        return first

    def _taken(
        self, connection: database.Connection, transfer: int, request: ReadRequest, *, first: bool
    ) -> IntakeResult:
        """Read and stage; once more from the start where pages shifted while they were read."""
        for _ in range(READINGS - 1):
            try:
                return self._read(connection, transfer, request, first=first)
            except UnstableSource as error:
                log.warning("%s; it is read again", error)
            staging.drop(connection, self.contract, older_than=transfer + 1, mine=transfer)
            self._make_tables(connection, transfer)
        return self._read(connection, transfer, request, first=first)

    def _read(
        self, connection: database.Connection, transfer: int, request: ReadRequest, *, first: bool
    ) -> IntakeResult:
        """Read, check, stage and settle what repeats."""
        contract, tools = self.contract, self.tools
        known = None if first or request.since else self._known()
        intake = Intake(tools, contract, connection, transfer)
        taken = intake.take(request, known, tools.keys.quarantine())
        drift_policy.enforce(contract, taken.rules)
        return SettleStep(contract, tools, connection, transfer).run(taken, known)

    def _request(self, state: DatasetState, *, whole: bool) -> ReadRequest:
        source = self.contract.source
        cursor = state.checkpoint.get("cursor")
        since = None
        if source.cursor and isinstance(cursor, str) and not whole:
            since = (datetime.fromisoformat(cursor) - source.overlap.span).isoformat()
        taken = dict(state.checkpoint.get("source") or {})
        return ReadRequest(
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

    def _known(self) -> KnownHashes | None:
        return KnownHashes.load(self.tools.address, self.contract, places=self.tools.in_order)

    def _record(
        self, connection: database.Connection, transfer: int, taken: IntakeResult, *, whole: bool
    ) -> None:
        rule_results.record_rules(connection, transfer, taken.rules, "error")
        rule_results.record_rules(connection, transfer, taken.warnings, "warning")
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
