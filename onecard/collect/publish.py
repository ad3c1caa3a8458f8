"""The last step of a collect: what is audited becomes the registry's, in one transaction."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import psycopg

from onecard.base import failpoints
from onecard.base.times import iso
from onecard.collect import mended
from onecard.collect.context import CollectContext
from onecard.collect.failure import Failing, require_staged
from onecard.errors import FatalError, OnecardError, PolicyError
from onecard.model.checkpoints import Checkpoint
from onecard.model.row_order import OLDER, RETURNED, accepting
from onecard.model.transfers import CollectLine, Counts, DatasetState
from onecard.ports.brought import Brought
from onecard.ports.listener import Telling
from onecard.ports.row_gate import Reason
from onecard.ports.source import ReadRequest
from onecard.store import (
    audit,
    carrier_gaps,
    database,
    datasets,
    notifications,
    quality_problems,
    quarantine_intake,
    receipts,
    registry,
    releases,
    rule_results,
    staging,
    transfers,
    uploads,
)
from onecard.store.registry import Fate, Merging
from onecard.store.releases import Release
from schemas.models.contract import Contract

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Collected:
    """How one collect ended."""

    transfer: int
    dataset: str
    counts: Counts
    version: int


@dataclass(frozen=True, slots=True)
class PublishStep:
    """The publication of what one transfer has staged."""

    contract: Contract
    tools: CollectContext
    telling: Telling

    def run(self, transfer: int, *, past: bool = False) -> Collected:
        """As `Collect.publish`.

        Args:
            transfer: that is audited.
            past: its rows are no reading of the source.
        """
        contract, tools = self.contract, self.tools
        failing = Failing.of(contract, tools)
        with failing.noted(transfer), database.connect(tools.address) as connection:
            line = transfers.collect_line(connection, transfer)
            if line is not None and line.status == "published":
                self._release(line)  # the run that published may have been cut off before it
                self._anchor()
                return self._collected(transfer, line.counts, line.version or 0)
            state = datasets.lock_claimed(connection, contract.id, transfer)
            tools.guard(connection)
            failpoints.reach("publish.locked")
            line = self._audited(connection, transfer)
            merging = self._merging(connection, transfer)
            fate = merging.fate()
            counts, line = _counted(line, fate), self._noted(connection, transfer, line, fate)
            version = self._merge(merging, state, counts)
            failpoints.reach("publish.merged")
            if contract.carrier is not None:
                carrier_gaps.close(connection, contract, contract.carrier)
            if past:
                quarantine_intake.tried(
                    connection, staging.rejected(contract, transfer), contract.id
                )
            else:
                self._absorb(connection, transfer, line)
            failpoints.reach("publish.absorbed")
            counts.check(contract.id)
            published = DatasetState(version, transfer, line.checkpoint)
            datasets.publish(connection, contract.id, published, contract.version)
            if version != state.version:
                notifications.tell_published(connection, contract.id)
            transfers.record_published(connection, transfer, version, counts)
            self._note_brought(connection, transfer, line)
            if not past:
                quality_problems.note(connection, transfer)
            staging.drop(connection, contract, older_than=transfer + 1, mine=transfer)
            done = self._collected(transfer, counts, version)
            self._sign(connection, transfer, done, line)
            failpoints.reach("publish.before_commit")
        failpoints.reach("publish.after_commit")
        self._release(line)
        self._anchor()
        if counts.quarantined >= quarantine_intake.MANY:
            self._gather_statistics()
        return done

    def _note_brought(
        self, connection: database.Connection, transfer: int, line: CollectLine
    ) -> None:
        """What the agency itself has brought is published from here on."""
        connector, dataset = self.tools.connector, self.contract.id
        taken = connector.taken(_of_source(line)) if isinstance(connector, Brought) else {}
        if taken:
            uploads.publish(connection, dataset, taken, transfer, self.tools.settings.now())

    def _release(self, line: CollectLine) -> None:
        """Have what was brought and is published removed."""
        connector, source = self.tools.connector, self.contract.source
        if not isinstance(connector, Brought):
            return
        options = connector.source_options.model_validate(dict(source.options))
        request = ReadRequest(self.contract.id, (), options, checkpoint=_of_source(line))
        connector.release(self.tools.connections.get(source.connection), request)
        failpoints.reach("ingest.released")

    def _absorb(self, connection: database.Connection, transfer: int, line: CollectLine) -> None:
        """Rejected rows go to the quarantine; those there that are over by it end."""
        contract, tools = self.contract, self.tools
        rejected, keep = staging.rejected(contract, transfer), tools.settings.quarantine_time
        quarantine_intake.absorb(connection, rejected, contract.id, transfer, keep)
        mended.settle(connection, contract, transfer, tools.keys, complete=line.complete)

    def _collected(self, transfer: int, counts: Counts, version: int) -> Collected:
        self.telling.counted(asdict(counts))
        return Collected(transfer, self.contract.id, counts, version)

    def _audited(self, connection: database.Connection, transfer: int) -> CollectLine:
        """What the ledger says of the transfer, which is audited."""
        line = transfers.collect_line(connection, transfer)
        if line is None:
            msg = f"no transfer {transfer} in the ledger"
            raise PolicyError(msg)
        if line.status != "audited":
            msg = (
                f"{self.contract.id}: transfer {transfer} is {line.status}:"
                " only audited is published"
            )
            raise FatalError(msg)
        require_staged(connection, self.contract, transfer, line)
        return line

    def _merging(self, connection: database.Connection, transfer: int) -> Merging:
        vouched = {release.finding for release in releases.of(connection, transfer)}
        return Merging(connection, self.contract, transfer, accepted=OLDER in vouched)

    def _noted(
        self, connection: database.Connection, transfer: int, line: CollectLine, fate: Fate
    ) -> CollectLine:
        """Rows older than the published ones are findings, and stand in the transfer's message."""
        if not fate.stale:
            return line
        found = {Reason("", OLDER): fate.stale - fate.returned, Reason("", RETURNED): fate.returned}
        found = {reason: number for reason, number in found.items() if number}
        rule_results.record_rules(connection, transfer, found, "warning")
        said = "; ".join(filter(None, [line.message, older_rows(self.contract, fate)]))
        transfers.record_audited(connection, transfer, line.status, said)
        return replace(line, message=said)

    def _merge(self, merging: Merging, state: DatasetState, counts: Counts) -> int:
        """Publish the staged rows; returns the registry table's version from now on."""
        version, transfer = state.version + 1, merging.transfer
        if not registry.exists(merging.connection, self.contract):
            registry.adopt(merging.connection, self.contract, transfer, version)
        elif counts.published:
            merging.merge(version)
        else:
            return state.version
        return version

    def _sign(
        self, connection: database.Connection, transfer: int, done: Collected, line: CollectLine
    ) -> None:
        """Receipt and audit entry, last in the transaction: the audit log takes turns."""
        contract, tools = self.contract, self.tools
        content = {
            "kind": "collect",
            "outcome": "published",
            "dataset": contract.id,
            "contractVersion": contract.version,
            "version": done.version,
            "counts": asdict(done.counts),
            "sourceDigest": line.digest,
            "remarks": line.message,
            **_vouched(releases.of(connection, transfer)),
            "at": tools.settings.now().isoformat(),
            "checkpoint": receipts.last_checkpoint(connection),
        }
        receipt = receipts.issue(connection, transfer, content, tools.signer)
        body = {
            "transfer": transfer,
            "version": done.version,
            "receipt": hashlib.sha256(receipt.body.encode()).hexdigest(),
        }
        audit.append(connection, "collect.published", contract.id, tools.settings.actor, body)

    def _anchor(self) -> None:
        """Have the audit log's new head signed, and anchored outside the database."""
        tools = self.tools
        with database.connect(tools.address, autocommit=True) as connection:
            tools.sign_log(connection, tools.signer, tools.settings.home / "audit")

    def _gather_statistics(self) -> None:
        """What is published stays so where this fails; autovacuum does it later."""
        try:
            with database.connect(self.tools.address, autocommit=True) as connection:
                quarantine_intake.gather_statistics(connection)
        except (OnecardError, psycopg.Error) as error:
            log.warning("statistics of the quarantine wait (%s)", type(error).__name__)


def _of_source(line: CollectLine) -> Checkpoint:
    """The source's own part of a transfer's checkpoint."""
    return dict(line.checkpoint.get("source") or {})


def _counted(gate: CollectLine, fate: Fate) -> Counts:
    """The final terms of the identity: what the gate counted, and the staged rows' fate."""
    counts = gate.counts
    return Counts(
        rows_read=counts.rows_read,
        published=fate.published,
        unchanged=counts.unchanged + fate.unchanged,
        quarantined=counts.quarantined,
        deduplicated=counts.deduplicated + fate.stale,
    )


def older_rows(contract: Contract, fate: Fate) -> str:
    """What is said of rows that are older than the published ones of their keys.

    Args:
        contract: of the dataset.
        fate: of the staged rows.
    """
    order = ", then ".join(contract.ordering) or "the order of the files"
    found = f"{fate.stale} row(s) are older than what is published, by {order}, and replace nothing"
    if fate.returned:
        found += (
            f"; {fate.returned} of them come back after they were published as deleted:"
            f" `onecard reconcile {contract.id}` names them, and `{accepting(contract.id)}`"
            " publishes them"
        )
    return found


def _vouched(found: Iterable[Release]) -> dict[str, object]:
    """What a receipt says of a transfer that a person has released; nothing where none was."""
    lines = [{"finding": r.finding, "by": r.by, "at": iso(r.at), "reason": r.reason} for r in found]
    return {"released": lines} if lines else {}
