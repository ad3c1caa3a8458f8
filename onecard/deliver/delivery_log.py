"""What is written of a delivery: window, ledger, privacy results, receipt and audit entries."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from onecard.base import failpoints
from onecard.base.settings import Settings
from onecard.crypto.keys import Key
from onecard.crypto.signing import Signer
from onecard.crypto.suites import Suite
from onecard.deliver.outgoing import DeliveryTally
from onecard.deliver.state import DeliveryState
from onecard.errors import HoldError, OnecardError, SupersededError
from onecard.model import gate_inputs
from onecard.model.agreements import Life
from onecard.ports.privacy_gate import PrivacyBlock, PrivacyGate
from onecard.ports.row_gate import Reason, Rejected
from onecard.ports.sink import Sent
from onecard.store import audit, ledger, quarantine, receipts
from onecard.store.database import Connection
from schemas.models.agreement import Agreement

if TYPE_CHECKING:
    from onecard.deliver.treatment import Tokeniser


AUDITED = "PR-23"
"""The rule that the audit log is sound and takes entries."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver: the transfer and what signs for it."""

    connection: Connection
    agreement: Agreement
    transfer: int
    signer: Signer

    def signed(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """The manifest with the hub's signature."""
        failpoints.reach("send.sealing")
        return receipts.signed_manifest(manifest, self.signer)


@dataclass
class Recorded:
    """The record of one attempt.

    Attributes:
        delivery: id of the delivery, the same for every attempt at one window.
        left: whether anything may have reached the consumer.
    """

    attempt: Attempt
    life: Life
    settings: Settings
    replay: bool = False
    gate: PrivacyGate | None = None
    tally: DeliveryTally = field(default_factory=DeliveryTally)
    delivery: str = ""
    left: bool = False
    _state: DeliveryState | None = None

    def opened(self, state: DeliveryState) -> None:
        """Open the window and say so in the audit log, before anything is selected."""
        agreement, transfer = self.attempt.agreement, self.attempt.transfer
        connection = self.attempt.connection
        self._state = state
        with connection.transaction():
            self.delivery = self._window(connection, transfer)
            body = {
                "transfer": transfer,
                "delivery": self.delivery,
                "version": agreement.version,
                "fingerprint": agreement.fingerprint,
            }
            actor = self.settings.actor
            audit.append(connection, "delivery.opened", agreement.id, actor, body)

    def failed_abandoned(self) -> None:
        """End earlier attempts that were cut off: what may have left has its receipt as well.

        The agreement is locked, so nobody carries them out any more.
        """
        connection, agreement = self.attempt.connection, self.attempt.agreement.id
        with connection.transaction():
            dead = ledger.fail_abandoned(connection, "deliver", agreement, self.attempt.transfer)
            for transfer, delivery in dead:
                content = {
                    "kind": "deliver",
                    "outcome": "failed",
                    "agreement": agreement,
                    "delivery": delivery,
                    "error": "cut off",
                    "at": self.settings.now().isoformat(),
                    "checkpoint": receipts.last_checkpoint(connection),
                }
                receipt = receipts.issue(connection, transfer, content, self.attempt.signer)
                body = {
                    "transfer": transfer,
                    "delivery": delivery,
                    "error": "cut off",
                    "next": self.attempt.transfer,
                    "receipt": sha256(receipt.body.encode()).hexdigest(),
                }
                audit.append(connection, "delivery.failed", agreement, self.settings.actor, body)

    def manifest(self, tokeniser: Tokeniser | None) -> dict[str, Any]:
        """What accompanies the rows."""
        agreement = self.attempt.agreement
        return {
            "agreement": agreement.id,
            "agreementVersion": agreement.version,
            "consumer": agreement.consumer,
            "dataset": agreement.dataset,
            "purpose": agreement.purpose,
            "basis": f"{agreement.basis.statute} {agreement.basis.article}",
            "retention": agreement.retention,
            "expiresAt": (self.settings.now() + agreement.retention.span).isoformat(),
            "columns": list(agreement.names),
            "tokenEpoch": tokeniser.key.epoch if tokeniser else "",
        }

    def confirmed(self, sent: Sent, key: Key, suite: Suite) -> None:
        """Delivered versions, closed window, results, receipt and audit entry, at once.

        Raises:
            AccountingError: selected ≠ passed + quarantined + withheld.
            SupersededError: somebody else has ended this transfer.
        """
        connection, agreement = self.attempt.connection, self.attempt.agreement
        transfer, tally = self.attempt.transfer, self.tally
        tally.check(agreement.id)
        with connection.transaction():
            if ledger.status(connection, transfer, lock=True) != "running":
                msg = f"{agreement.id}: transfer {transfer} was overtaken; nothing is confirmed"
                raise SupersededError(msg)
            if not self.replay:
                self._advance(connection)
            failpoints.reach("confirm.advanced")
            connection.execute(
                "DELETE FROM ledger.delivery_window WHERE agreement = %s AND delivery_id = %s",
                (agreement.id, self.delivery),
            )
            ledger.keep_cells(connection, agreement.id, tally.cells)
            held, keep = self._held(key, suite), self.settings.quarantine_time
            quarantine.hold(connection, agreement, transfer, held, keep)
            failpoints.reach("confirm.held")
            counts = {
                "rows_read": tally.selected,
                "quarantined": len(tally.quarantined),
                "filtered_by_policy": tally.withheld,
                "sent_rows": sent.rows,
                "sent_parts": sent.parts,
                "digest": sent.digest,
                **({"deleted_rows": sent.deleted} if agreement.tells_deletes else {}),
            }
            ledger.update(connection, transfer, {"status": "confirmed", **counts})
            self._close("confirmed", {**counts, "columns": list(agreement.names)})
            failpoints.reach("confirm.before_commit")
        failpoints.reach("confirm.after_commit")
        self._checkpoint()

    def failed(self, error: OnecardError) -> None:
        """Mark the transfer failed or held; what may have left has its receipt as well.

        When the audit log is what stops the delivery, nothing is added to it, and nothing is
        signed: what follows a break would hide it.
        """
        connection = self.attempt.connection
        status = "held" if isinstance(error, HoldError) else "failed"
        if connection.broken:
            return  # the line stays `running`; the next run of the agreement goes on from here
        with connection.transaction():
            if ledger.status(connection, self.attempt.transfer, lock=True) != "running":
                return  # confirmed, and only the anchor failed; or overtaken and ended already
            values = {"status": status, "message": str(error)}
            ledger.update(connection, self.attempt.transfer, values)
            if isinstance(error, PrivacyBlock) and error.rule == AUDITED and not self.left:
                return
            if isinstance(error, PrivacyBlock):
                self._incident(connection, error)
            counts = {"rows_passed": self.tally.passed, "left": self.left}
            self._close(status, {**counts, "error": type(error).__name__})
        self._checkpoint()

    def _close(self, outcome: str, facts: Mapping[str, Any]) -> None:
        """Results of the gate, receipt and audit entry."""
        connection, transfer = self.attempt.connection, self.attempt.transfer
        results = self.gate.results if self.gate else ()
        ledger.record_privacy(connection, transfer, results)
        content = {**self._statement(outcome), **facts}
        content["rules"] = {r.rule: [r.outcome, r.checked, r.hits] for r in results}
        receipt = receipts.issue(connection, transfer, content, self.attempt.signer)
        body = {
            "transfer": transfer,
            "delivery": self.delivery,
            "receipt": sha256(receipt.body.encode()).hexdigest(),
        }
        agreement = self.attempt.agreement.id
        audit.append(connection, f"delivery.{outcome}", agreement, self.settings.actor, body)

    def _statement(self, outcome: str) -> dict[str, Any]:
        """The part of the receipt that is known before anything is sent."""
        agreement, approval, now = self.attempt.agreement, self.life.approval, self.settings.now()
        state = self._state
        return {
            "kind": "deliver",
            "outcome": outcome,
            "agreement": agreement.id,
            "agreementVersion": agreement.version,
            "fingerprint": agreement.fingerprint,
            "approvedBy": approval.actor if approval else None,
            "approvedIn": approval.document if approval else None,
            "responsible": agreement.responsible,
            "consumer": agreement.consumer,
            "purpose": agreement.purpose,
            "basis": f"{agreement.basis.statute} {agreement.basis.article}",
            "delivery": self.delivery,
            "versions": dict(self.tally.versions),
            "at": now.isoformat(),
            "expiresAt": (now + agreement.retention.span).isoformat(),
            "tokenEpoch": state.token_epoch if state else "",
            "checkpoint": receipts.last_checkpoint(self.attempt.connection),
        }

    def _window(self, connection: Connection, transfer: int) -> str:
        """The delivery's id: that of the attempt that was not confirmed, or a new one."""
        agreement = self.attempt.agreement.id
        fresh = f"{agreement}-{transfer:08d}-{secrets.token_hex(2)}"
        if self.replay:
            ledger.update(connection, transfer, {"delivery_id": fresh})
            return fresh
        row = connection.execute(
            "INSERT INTO ledger.delivery_window (agreement, delivery_id) VALUES (%s, %s)"
            " ON CONFLICT (agreement) DO UPDATE SET agreement = excluded.agreement"
            " RETURNING delivery_id",
            (agreement, fresh),
        ).fetchone()
        delivery = str(row[0]) if row else fresh
        ledger.update(connection, transfer, {"delivery_id": delivery})
        return delivery

    def _advance(self, connection: Connection) -> None:
        """Versions that the consumer now has."""
        epoch = self._state.token_epoch if self._state else ""
        for dataset, version in self.tally.versions.items():
            connection.execute(
                "INSERT INTO ledger.delivered (agreement, dataset, version, confirmed_on,"
                " token_epoch) VALUES (%s, %s, %s, %s, %s) ON CONFLICT (agreement, dataset)"
                " DO UPDATE SET version = excluded.version, token_epoch = excluded.token_epoch,"
                " confirmed_on = excluded.confirmed_on",
                (
                    self.attempt.agreement.id,
                    dataset,
                    version,
                    self.settings.now().date(),
                    epoch,
                ),
            )

    def _held(self, key: Key, suite: Suite) -> list[tuple[Any, ...]]:
        """Rows that the gate quarantines, sealed."""
        found = []
        for number, (values, reasons) in enumerate(self.tally.quarantined, start=1):
            texts = {n: v if v is None or isinstance(v, str) else str(v) for n, v in values.items()}
            row = Rejected(number, texts, tuple(Reason(f, r) for f, r in sorted(reasons)))
            known = str(values[gate_inputs.KEY])
            found.append(quarantine.seal_held(self.attempt.agreement, known, row, (key, suite)))
        return found

    def _incident(self, connection: Connection, error: PrivacyBlock) -> None:
        """A block after something has left is an incident (PR-28; PIPL article 57)."""
        agreement = self.attempt.agreement.id
        sent = self.tally.passed if self.left else 0
        earlier = sum(ledger.delivered_rows(connection, agreement))
        if sent + earlier:
            ledger.open_incident(
                connection, agreement, self.attempt.transfer, (error.rule, sent + earlier)
            )

    def _checkpoint(self) -> None:
        """Sign the audit log's new head, and anchor it outside the database."""
        made = audit.checkpoint(self.attempt.connection, self.attempt.signer)
        audit.anchor(self.settings.home / "audit", made)
        failpoints.reach("anchor.written")
