"""The first step of a collect: claim the dataset, read, check, stage, settle what repeats."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from onecard.base import failpoints
from onecard.collect import drift_policy
from onecard.collect.context import CollectContext
from onecard.collect.failure import Failing
from onecard.collect.intake import Intake, IntakeResult
from onecard.model.transfers import DatasetState, Intaken
from onecard.ports.listener import Telling
from onecard.ports.source import ReadRequest
from onecard.store import (
    audit,
    database,
    datasets,
    registry,
    rule_results,
    staged_repeats,
    staging,
    transfers,
)
from onecard.store.known_hashes import KnownHashes
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class StageStep:
    """One reading of a dataset's source."""

    contract: Contract
    tools: CollectContext
    telling: Telling

    def run(self, *, whole: bool) -> int:
        """Read, check and stage; returns the transfer's id; as `Collect.stage`."""
        contract, tools = self.contract, self.tools
        key, failing = tools.keys.quarantine(), Failing.of(contract, tools)
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
                known = None if first or request.since else self._known()
                taken = Intake(tools, contract, connection, transfer).take(request, known, key)
                drift_policy.enforce(contract, taken.rules)
                taken = self._settle(connection, transfer, taken)
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
        staging.create(connection, contract, transfer, first=first)
        failpoints.reach("stage.created")
        return first

    def _request(self, state: DatasetState, *, whole: bool) -> ReadRequest:
        source = self.contract.source
        cursor = state.checkpoint.get("cursor")
        since = None
        if source.cursor and isinstance(cursor, str) and not whole:
            since = (datetime.fromisoformat(cursor) - source.overlap.span).isoformat()
        return ReadRequest(
            dataset=self.contract.id,
            columns=drift_policy.columns(self.contract),
            options=self.tools.connector.source_options.model_validate(dict(source.options)),
            cursor=source.cursor,
            since=since,
            checkpoint={} if whole else dict(state.checkpoint.get("source") or {}),
        )

    def _known(self) -> KnownHashes | None:
        return KnownHashes.load(self.tools.address, self.contract)

    def _settle(
        self, connection: database.Connection, transfer: int, taken: IntakeResult
    ) -> IntakeResult:
        """Deduplicate by key and quarantine what breaks a `unique` rule, inside PostgreSQL."""
        contract = self.contract
        first = not registry.exists(connection, contract)
        dropped = 0
        if not first or not staging.add_key(connection, contract, transfer):
            dropped = staged_repeats.deduplicate(connection, contract, transfer)
            if first:
                staging.add_key(connection, contract, transfer)
        # An intake of its own: what the first has counted by county is written already.
        repeated = Intake(self.tools, contract, connection, transfer).repeated(first=first)
        counts = replace(
            taken.counts,
            deduplicated=taken.counts.deduplicated + dropped,
            quarantined=taken.counts.quarantined + sum(repeated.values()),
        )
        rules = dict(taken.rules)
        for reason, number in repeated.items():
            rules[reason] = rules.get(reason, 0) + number
        return replace(taken, counts=counts, rules=rules)

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
