"""Collect: agency → hub. `stage`, `audit` and `publish` are steps that a scheduler can run apart.

What one step leaves for the next stands in the database (staging tables and the ledger), so the
steps may run in different processes, and any of them may be killed and run again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from onecard.base import failpoints
from onecard.base.connections import Connections
from onecard.base.settings import Settings
from onecard.collect import drift_policy
from onecard.collect.failure import Failing, require_staged
from onecard.collect.intake import Intake, IntakeResult
from onecard.crypto.keys import KeyStore
from onecard.crypto.signing import Signer
from onecard.crypto.suites import Suite
from onecard.errors import AuditFailed, FatalError, PolicyError, StagingLost
from onecard.model.checkpoints import Checkpoint
from onecard.model.holds import NEVER, audit_failed, reading_remarks
from onecard.model.transfers import Counts, DatasetState
from onecard.ports.auditor import Auditor, Staged
from onecard.ports.connector import Connector
from onecard.ports.row_gate import RowGate
from onecard.ports.source import ReadRequest
from onecard.store import (
    audit,
    database,
    ledger,
    quarantine,
    receipts,
    registry,
    releases,
    usual_volumes,
)
from onecard.store.known_hashes import KnownHashes
from onecard.store.releases import Release
from schemas.models.contract import Contract

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CollectContext:
    """What a collect needs from outside the core; `onecard.app.wiring` fills it."""

    address: str
    settings: Settings
    connections: Connections
    keys: KeyStore
    connector: Connector
    gate: RowGate
    auditor: Auditor
    suite: Suite
    signer: Signer


@dataclass(frozen=True, slots=True)
class Collected:
    """How one collect ended."""

    transfer: int
    dataset: str
    counts: Counts
    version: int
    refused: tuple[str, ...] = ()


class Collect:
    """The transfer of one dataset from its agency into the registry."""

    def __init__(self, contract: Contract, tools: CollectContext) -> None:
        self._contract = contract
        self._tools = tools
        self._failing = Failing(contract, tools.address, tools.settings.actor)

    def run(self, *, whole: bool = False) -> Collected:
        """All three steps, one after the other."""
        transfer = self.stage(whole=whole)
        self.audit(transfer)
        return self.publish(transfer)

    def replay(self) -> Collected:
        """Publish what the connector gives, and leave watermark and history as they are.

        For single rows out of quarantine: the gate's row rules are checked again; expectations
        about volume say nothing about one row.
        """
        with database.connect(self._tools.address, autocommit=True) as connection:
            before = ledger.state(connection, self._contract.id).checkpoint
        transfer = self.stage()
        with database.connect(self._tools.address, autocommit=True) as connection:
            values = {"status": "audited", "checkpoint": before, "replay": True}
            ledger.update(connection, transfer, values)
        return self.publish(transfer)

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

    def stage(self, *, whole: bool = False) -> int:
        """Read, check and stage; returns the transfer's id.

        Args:
            whole: read everything, not only what lies behind the watermark.

        Raises:
            OnecardError: as the connector, the gate or the database raise it; the transfer is
                then marked failed, and nothing of it remains but its line in the ledger.
        """
        contract = self._contract
        key = self._tools.keys.quarantine()
        with database.connect(self._tools.address, autocommit=True) as connection:
            now = self._tools.settings.now()
            transfer = ledger.open_transfer(
                connection, "collect", contract.id, contract.version, now
            )
            failpoints.reach("collect.opened")
            with self._failing.noted(transfer, as_a_whole=True):
                state = self._claim(connection, transfer)
                registry.drop_staging(connection, contract, older_than=transfer)
                first = not registry.exists(connection, contract)
                if not first:
                    registry.widen(connection, contract)
                registry.create_staging(connection, contract, transfer, first=first)
                failpoints.reach("stage.created")
                request = self._request(state, whole=whole)
                known = None if first or request.since else self._known()
                intake = Intake(self._tools, contract, connection, transfer)
                taken = intake.take(request, known, key)
                drift_policy.enforce(contract, taken.rules)
                taken = self._settle(connection, transfer, taken)
                failpoints.reach("stage.settled")
                with connection.transaction():
                    ledger.lock_claimed(connection, contract.id, transfer)
                    everything = request.since is None and not request.checkpoint
                    self._record(connection, transfer, taken, whole=everything)
        failpoints.reach("stage.recorded")
        return transfer

    def _claim(self, connection: database.Connection, transfer: int) -> DatasetState:
        """Claim the dataset; transfers that were cut off, or are overtaken now, have failed."""
        dataset, actor = self._contract.id, self._tools.settings.actor
        with connection.transaction():
            state = ledger.claim(connection, dataset, transfer)
            for dead, _ in ledger.fail_abandoned(connection, "collect", dataset, transfer):
                body = {"transfer": dead, "error": "cut off", "next": transfer}
                audit.append(connection, "collect.failed", dataset, actor, body)
        failpoints.reach("collect.claimed")
        return state

    def audit(self, transfer: int) -> None:
        """Run the dataset-level expectations on the staged rows.

        Raises:
            AuditFailed: a critical one failed that no person has released; the transfer is held
                and nothing is published.
            StagingLost: the database has crashed since they were staged.
        """
        contract, address = self._contract, self._tools.address
        with (
            self._failing.noted(transfer),
            database.connect(address, autocommit=True) as connection,
        ):
            if ledger.published_already(connection, transfer):
                return
            require_staged(connection, contract, transfer)
            try:
                findings = self._tools.auditor.audit(self._staged(connection, transfer))
                failpoints.reach("audit.found")
            finally:  # whatever it found, or stumbled over, in tables that were emptied meanwhile
                require_staged(connection, contract, transfer)
            ledger.record_findings(connection, transfer, findings)
            passed = {r.finding for r in releases.of(connection, transfer)} - set(NEVER)
            failed = [f.name for f in findings if f.severity == "critical" and not f.passed]
            if not passed.issuperset(failed):
                held = [name for name in failed if name not in passed]
                raise AuditFailed(audit_failed(contract, transfer, held))
            with connection.transaction():
                ledger.lock_claimed(connection, contract.id, transfer)
                said = reading_remarks(ledger.message(connection, transfer), contract.id, transfer)
                ledger.update(connection, transfer, {"status": "audited", "message": said})
        failpoints.reach("audit.recorded")

    def publish(self, transfer: int) -> Collected:
        """Merge, quarantine, watermark and ledger in one transaction.

        Raises:
            SupersededError: a newer transfer has claimed the dataset.
            AccountingError: the identity does not hold; nothing is published.
            StagingLost: the database has crashed since the rows were staged.
        """
        contract = self._contract
        with self._failing.noted(transfer), database.connect(self._tools.address) as connection:
            done = ledger.published_already(connection, transfer)
            if done:
                self._anchor()  # the run that published may have been cut off before it
                return Collected(transfer, contract.id, counts=done[1], version=done[0])
            state = ledger.lock_claimed(connection, contract.id, transfer)
            failpoints.reach("publish.locked")
            counts, checkpoint = self._counted(connection, transfer)
            version = state.version
            if not registry.exists(connection, contract):
                version += 1
                registry.adopt(connection, contract, transfer, version)
            elif counts.published:
                version += 1
                registry.merge(connection, contract, transfer, version)
            failpoints.reach("publish.merged")
            bad, keep = registry.bad(contract, transfer), self._tools.settings.quarantine_time
            quarantine.absorb(connection, bad, contract.id, transfer, keep)
            failpoints.reach("publish.absorbed")
            counts.check(contract.id)
            ledger.publish_state(
                connection,
                contract.id,
                DatasetState(version, transfer, checkpoint),
                contract.version,
            )
            ledger.update(
                connection, transfer, {"status": "published", "version": version, "counts": counts}
            )
            registry.drop_staging(connection, contract, older_than=transfer + 1, mine=transfer)
            self._sign(connection, transfer, counts, version)
            failpoints.reach("publish.before_commit")
        failpoints.reach("publish.after_commit")
        self._anchor()
        return Collected(transfer, contract.id, counts, version)

    def _sign(
        self, connection: database.Connection, transfer: int, counts: Counts, version: int
    ) -> None:
        """Receipt and audit entry, last in the transaction: the audit log takes turns."""
        contract, tools = self._contract, self._tools
        row = connection.execute(
            "SELECT digest, message FROM ledger.transfer WHERE id = %s", (transfer,)
        ).fetchone()
        digest, remarks = row or ("", "")
        content = {
            "kind": "collect",
            "outcome": "published",
            "dataset": contract.id,
            "contractVersion": contract.version,
            "version": version,
            "counts": {name: getattr(counts, name) for name in Counts.__slots__},
            "sourceDigest": digest,
            "remarks": remarks,
            **_vouched(releases.of(connection, transfer)),
            "at": tools.settings.now().isoformat(),
            "checkpoint": receipts.last_checkpoint(connection),
        }
        receipt = receipts.issue(connection, transfer, content, tools.signer)
        body = {
            "transfer": transfer,
            "version": version,
            "receipt": hashlib.sha256(receipt.body.encode()).hexdigest(),
        }
        audit.append(connection, "collect.published", contract.id, tools.settings.actor, body)

    def _anchor(self) -> None:
        """Sign the audit log's new head, and anchor it outside the database."""
        with database.connect(self._tools.address, autocommit=True) as connection:
            made = audit.checkpoint(connection, self._tools.signer)
        audit.anchor(self._tools.settings.home / "audit", made)
        failpoints.reach("anchor.written")

    def _staged(self, connection: database.Connection, transfer: int) -> Staged:
        """What the auditor looks at."""
        row = connection.execute(
            "SELECT rows_read, whole, source_rows FROM ledger.transfer WHERE id = %s", (transfer,)
        ).fetchone()
        rows_read, whole, there = row or (0, False, None)
        return Staged(
            url=database.sqlalchemy_url(self._tools.address),
            contract=self._contract,
            table=registry.staging_name(self._contract, transfer),
            rows_read=int(str(rows_read)),
            history=tuple(
                usual_volumes.read_before(connection, self._contract.id, whole=bool(whole))
            ),
            published=registry.exists(connection, self._contract),
            now=self._tools.settings.now(),
            rows_there=None if there is None else int(str(there)),
            there_before=tuple(usual_volumes.there_before(connection, self._contract.id)),
            rows_before=usual_volumes.last_read(connection, self._contract.id),
        )

    def _request(self, state: DatasetState, *, whole: bool) -> ReadRequest:
        source = self._contract.source
        cursor = state.checkpoint.get("cursor")
        since = None
        if source.cursor and isinstance(cursor, str) and not whole:
            since = (datetime.fromisoformat(cursor) - source.overlap.span).isoformat()
        return ReadRequest(
            dataset=self._contract.id,
            columns=drift_policy.columns(self._contract),
            options=self._tools.connector.source_options.model_validate(dict(source.options)),
            cursor=source.cursor,
            since=since,
            checkpoint={} if whole else dict(state.checkpoint.get("source") or {}),
        )

    def _known(self) -> KnownHashes | None:
        return KnownHashes.load(self._tools.address, self._contract)

    def _settle(
        self, connection: database.Connection, transfer: int, taken: IntakeResult
    ) -> IntakeResult:
        """Deduplicate by key and quarantine what breaks a `unique` rule, inside PostgreSQL."""
        contract = self._contract
        first = not registry.exists(connection, contract)
        dropped = 0
        if not first or not registry.add_key(connection, contract, transfer):
            dropped = registry.deduplicate(connection, contract, transfer)
            if first:
                registry.add_key(connection, contract, transfer)
        repeated = Intake(self._tools, contract, connection, transfer).repeated(first=first)
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
        ledger.record_rules(connection, transfer, taken.rules, "error")
        ledger.record_rules(connection, transfer, taken.warnings, "warning")
        message = "; ".join(taken.remarks)
        ledger.update(
            connection,
            transfer,
            {
                "status": "staged",
                "counts": taken.counts,
                "whole": whole,
                "source_rows": taken.there,
                "checkpoint": taken.checkpoint,
                "message": message,
                "digest": taken.digest,
            },
        )

    def _counted(self, connection: database.Connection, transfer: int) -> tuple[Counts, Checkpoint]:
        """The final terms of the identity: what the gate counted, and the staged rows' fate."""
        row = connection.execute(
            "SELECT rows_read, unchanged, quarantined, deduplicated, checkpoint, status"
            " FROM ledger.transfer WHERE id = %s",
            (transfer,),
        ).fetchone()
        if row is None:
            msg = f"no transfer {transfer} in the ledger"
            raise PolicyError(msg)
        if row[5] != "audited":
            msg = f"{self._contract.id}: transfer {transfer} is {row[5]}: only audited is published"
            raise FatalError(msg)
        read, unchanged, quarantined, deduplicated = (int(str(n)) for n in row[:4])
        require_staged(connection, self._contract, transfer)
        if registry.exists(connection, self._contract):
            fate = registry.classify(connection, self._contract, transfer)
        else:
            table = registry.staged(self._contract, transfer)
            total = connection.execute(
                database.query("SELECT count(*) FROM {t}", t=table)
            ).fetchone()
            fate = (int(str(total[0])) if total else 0, 0, 0)
        counts = Counts(read, fate[0], unchanged + fate[1], quarantined, deduplicated + fate[2])
        checkpoint = row[4]
        return counts, dict(checkpoint) if isinstance(checkpoint, Mapping) else {}


def _vouched(found: Iterable[Release]) -> dict[str, object]:
    """What a receipt says of a transfer that a person has released; nothing where none was."""
    lines = [
        {"finding": r.finding, "by": r.by, "at": r.at.isoformat(), "reason": r.reason}
        for r in found
    ]
    return {"released": lines} if lines else {}
