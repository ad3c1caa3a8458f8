"""The second step of a collect: the dataset-level expectations on what is staged."""

from __future__ import annotations

from dataclasses import dataclass

from onecard.base import failpoints
from onecard.collect.context import CollectContext
from onecard.collect.failure import Failing, require_staged
from onecard.errors import AuditFailed
from onecard.model.holds import NEVER, audit_failed, reading_remarks
from onecard.ports.auditor import Staged
from onecard.store import (
    database,
    datasets,
    findings,
    registry,
    releases,
    staging,
    transfers,
    usual_volumes,
)
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class AuditStep:
    """The audit of what one transfer has staged."""

    contract: Contract
    tools: CollectContext

    def run(self, transfer: int) -> None:
        """As `Collect.audit`."""
        contract, address = self.contract, self.tools.address
        failing = Failing.of(contract, self.tools)
        with failing.noted(transfer), database.connect(address, autocommit=True) as connection:
            if transfers.status(connection, transfer) == "published":
                return
            require_staged(connection, contract, transfer)
            try:
                found = self.tools.auditor.audit(self._staged(connection, transfer))
                failpoints.reach("audit.found")
            finally:  # whatever it found, or stumbled over, in tables that were emptied meanwhile
                require_staged(connection, contract, transfer)
            findings.record(connection, transfer, found)
            passed = {r.finding for r in releases.of(connection, transfer)} - set(NEVER)
            failed = [f.name for f in found if f.severity == "critical" and not f.passed]
            if not passed.issuperset(failed):
                held = [name for name in failed if name not in passed]
                raise AuditFailed(audit_failed(contract, transfer, held))
            with connection.transaction():
                datasets.lock_claimed(connection, contract.id, transfer)
                before = transfers.message(connection, transfer)
                said = reading_remarks(before, contract.id, transfer)
                transfers.record_audited(connection, transfer, said)
        failpoints.reach("audit.recorded")

    def _staged(self, connection: database.Connection, transfer: int) -> Staged:
        """What the auditor looks at."""
        contract = self.contract
        line = transfers.collect_line(connection, transfer)
        whole = line is not None and line.whole
        return Staged(
            url=database.sqlalchemy_url(self.tools.address),
            contract=contract,
            table=staging.table_name(contract, transfer),
            rows_read=line.counts.rows_read if line else 0,
            history=tuple(usual_volumes.read_before(connection, contract.id, whole=whole)),
            published=registry.exists(connection, contract),
            now=self.tools.settings.now(),
            rows_there=line.source_rows if line else None,
            there_before=tuple(usual_volumes.there_before(connection, contract.id)),
            rows_before=usual_volumes.last_read(connection, contract.id),
        )
