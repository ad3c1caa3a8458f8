"""The second step of a collect: the dataset-level expectations on what is staged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from onecard.base import failpoints
from onecard.collect import window
from onecard.collect.context import CollectContext
from onecard.collect.failure import Failing, require_staged
from onecard.errors import AuditFailed
from onecard.model.holds import NEVER, audit_failed, reading_remarks
from onecard.model.transfers import CollectLine
from onecard.ports.auditor import Behind, Finding, Staged
from onecard.store import (
    behind,
    database,
    datasets,
    findings,
    open_findings,
    registry,
    rejected_rows,
    releases,
    staging,
    transfers,
    usual_volumes,
)
from schemas.models.contract import Contract
from schemas.models.dataset_checks import RejectedShare, Shrinkage


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
            line = transfers.collect_line(connection, transfer)
            if line is not None and line.status == "published":
                return
            require_staged(connection, contract, transfer, line)
            try:
                staged = self._staged(connection, transfer, line)
                found = undecided(self.tools.auditor.audit(staged), staged.pending)
                failpoints.reach("audit.found")
            finally:  # whatever it found, or stumbled over, in tables that were emptied meanwhile
                require_staged(connection, contract, transfer, line)
            findings.record(connection, transfer, found)
            passed = {r.finding for r in releases.of(connection, transfer)} - set(NEVER)
            failed = [f.name for f in found if f.severity == "critical" and not f.passed]
            if not passed.issuperset(failed):
                held = [name for name in failed if name not in passed]
                more = self._explained(connection, transfer, staged, held)
                raise AuditFailed(audit_failed(contract, transfer, held, more))
            with connection.transaction():
                datasets.lock_claimed(connection, contract.id, transfer)
                before = transfers.message(connection, transfer)
                said = reading_remarks(before, contract.id, transfer)
                transfers.record_audited(connection, transfer, line.status if line else "", said)
        failpoints.reach("audit.recorded")

    def _staged(
        self, connection: database.Connection, transfer: int, line: CollectLine | None
    ) -> Staged:
        """What the auditor looks at."""
        contract = self.contract
        whole = line is not None and line.whole
        rejected = rejected_rows.counted(connection, contract, transfer)
        pending = open_findings.pending(connection, contract.id, transfer)
        found = Staged(
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
            rejected=rejected.new,
            rejected_known=rejected.known,
            pending=pending,
            failed_before=findings.failed_before(connection, contract.id),
        )
        since = window.since(contract, datasets.state(connection, contract.id))
        if not found.published or not found.rows_read or since is None:
            return found
        asked = behind.Window(transfer, since)
        if whole:
            return replace(found, behind=self._set_back(connection, asked, found))
        return replace(
            found,
            rows_again=behind.unchanged(connection, contract, asked),
            behind=self._behind(connection, asked, found),
        )

    def _set_back(
        self, connection: database.Connection, asked: behind.Window, staged: Staged
    ) -> Behind | None:
        """The same of a reading of everything, where a hold is open: rows with older times.

        They are not published, being older by the contract's order, so that somebody must decide.
        """
        if not staged.pending & _names_of(self.contract, Shrinkage):
            return None
        published = behind.published(connection, self.contract, asked)
        return Behind(published, published - behind.set_back(connection, self.contract, asked))

    def _behind(
        self, connection: database.Connection, asked: behind.Window, staged: Staged
    ) -> Behind | None:
        """What the reading gave again of the rows behind the watermark; None: all is well there.

        The registry is only searched where not one row came again, or a hold is open.
        """
        given = behind.given(connection, self.contract, asked)
        shrunk = _names_of(self.contract, Shrinkage)
        if given and not staged.pending & shrunk:
            return None
        return Behind(behind.published(connection, self.contract, asked), given)

    def _explained(
        self, connection: database.Connection, transfer: int, staged: Staged, held: list[str]
    ) -> str:
        """For what most of the rows were rejected, where that is why the transfer is held."""
        if not _names_of(self.contract, RejectedShare) & set(held) or not staged.rejected:
            return ""
        why = rejected_rows.reasons(connection, self.contract, transfer)
        listed = ", ".join(map(str, why))
        return f"{staged.rejected:,} of {staged.rows_news:,} new rows were rejected: {listed}"


def undecided(found: Iterable[Finding], pending: frozenset[str]) -> tuple[Finding, ...]:
    """Findings with those open from before: what this reading says nothing about, stays open.

    Args:
        found: what the auditor says of this reading.
        pending: names of expectations for which the dataset is held.
    """
    return tuple(
        replace(f, passed=False) if f.name in pending and f.observed is None else f for f in found
    )


def _names_of(contract: Contract, kind: type[Shrinkage | RejectedShare]) -> set[str]:
    return {e.name for e in contract.expectations if isinstance(e.check, kind)}
