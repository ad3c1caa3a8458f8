"""What is written of one attempt to deliver: window, ledger, results, receipts, audit entries.

Its life: `DeliveryLog.open` writes the first line, `end_abandoned` ends what was cut off before,
`open_window` gives the delivery its id, and `confirmed` or `failed` is the last. It holds nothing
that changes: how far an attempt has come is told by whoever carries it out (`Progress`).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from onecard.base import failpoints
from onecard.base.settings import Settings
from onecard.crypto.signing import Signer
from onecard.deliver.outgoing import DeliveryTally
from onecard.deliver.replacement import NOTHING, Order
from onecard.deliver.state import DeliveryState
from onecard.errors import HoldError, OnecardError, SupersededError
from onecard.model import gate_inputs
from onecard.model.agreements import Life
from onecard.model.transfers import DeliveryCounts
from onecard.ports.privacy_gate import PrivacyBlock, RuleResult
from onecard.ports.row_gate import Reason, Rejected
from onecard.ports.sink import Sent
from onecard.store import (
    audit,
    deliveries,
    holding,
    incidents,
    notifications,
    quarantine_intake,
    receipts,
    rule_results,
    transfers,
    waiting_carriers,
)
from onecard.store.database import Connection
from onecard.store.deliveries import DeliveredVersion
from onecard.store.holding import Head
from onecard.store.leases import Guard, unguarded
from onecard.store.log_signing import SignLog, at_once
from onecard.store.sealing import Sealed, Sealer
from schemas.models.agreement import Agreement

if TYPE_CHECKING:
    from onecard.deliver.record import Change, Record

AUDITED = "PR-23"
"""The rule that the audit log is sound and takes entries."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt has come.

    Attributes:
        delivery: id of the delivery, the same for every attempt at one window; empty before.
        left: whether anything may have reached the consumer.
        left_rows: rows that may have.
        tally: of the rows.
        results: of the privacy gate's rules.
    """

    delivery: str = ""
    left: bool = False
    left_rows: int = 0
    tally: DeliveryTally = field(default_factory=DeliveryTally)
    results: tuple[RuleResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a confirmed delivery makes of the record of what the consumer holds.

    Attributes:
        record: as it was; None for statistics.
        change: against it; None for statistics.
        versions: of every dataset that was looked at, in the snapshot.
        alone: rows were sent beside what is due: versions stay.
        order: what was left out for the sake of the order on replacement.
        noting: counts how long the events that left have taken; None: none is measured.
    """

    record: Record | None
    change: Change | None
    versions: dict[str, int]
    alone: bool
    order: Order = NOTHING
    noting: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class DeliveryLog:
    """The record of one attempt.

    Attributes:
        connection: of the hub's database, whose session holds the agreement's lock.
        life: approval and state of the agreement.
        state: of its earlier deliveries.
        transfer: id of the attempt in the ledger.
        replay: rows are sent again, beside what is due.
        basis: what decides which rows the consumer should hold.
        guard: is asked whether this process may still send and confirm.
        tells_carriers: the rows tell of carriers, whose order on replacement is kept.
        sealed_for: id of the consumer's key that all is sealed for; empty: nothing is sealed.
        sign_log: has the audit log signed when the attempt has ended.
    """

    connection: Connection
    agreement: Agreement
    life: Life
    state: DeliveryState
    settings: Settings
    signer: Signer
    transfer: int
    replay: bool
    basis: str
    guard: Guard = unguarded
    tells_carriers: bool = False
    sealed_for: str = ""
    sign_log: SignLog = at_once

    def end_abandoned(self) -> None:
        """End earlier attempts that were cut off: what may have left has its receipt as well.

        The agreement is locked, so nobody carries them out any more.
        """
        agreement = self.agreement.id
        with self.connection.transaction():
            dead = transfers.fail_abandoned(self.connection, "deliver", agreement, self.transfer)
            for attempt in dead:
                content = {
                    "kind": "deliver",
                    "outcome": "failed",
                    "agreement": agreement,
                    "delivery": attempt.delivery,
                    "error": "cut off",
                    "at": self.settings.now().isoformat(),
                    "checkpoint": receipts.last_checkpoint(self.connection),
                }
                receipt = receipts.issue(self.connection, attempt.transfer, content, self.signer)
                body = {
                    "transfer": attempt.transfer,
                    "delivery": attempt.delivery,
                    "error": "cut off",
                    "next": self.transfer,
                    "receipt": sha256(receipt.body.encode()).hexdigest(),
                }
                self._audit("failed", body)

    def open_window(self) -> str:
        """Open the window and say so in the audit log, before anything leaves.

        Returns:
            The delivery's id: that of the attempt that was not confirmed, or a new one.
        """
        agreement = self.agreement
        fresh = f"{self._own}{secrets.token_hex(2)}"
        with self.connection.transaction():
            delivery = fresh
            if not self.replay:
                delivery = deliveries.open_window(self.connection, agreement.id, fresh)
            transfers.record_delivery_id(self.connection, self.transfer, delivery)
            body = {
                "transfer": self.transfer,
                "delivery": delivery,
                "version": agreement.version,
                "fingerprint": agreement.fingerprint,
            }
            self._audit("opened", body)
        return delivery

    def tried_before(self, delivery: str) -> bool:
        """Whether another attempt at this delivery came before this one."""
        return not delivery.startswith(self._own)

    @property
    def _own(self) -> str:
        """How the id of a delivery begins that this attempt is the first at."""
        return deliveries.own_ids(self.agreement.id, self.transfer)

    def confirmed(
        self, sent: Sent, progress: Progress, sealer: Sealer, outcome: Confirmation
    ) -> None:
        """Versions, what the consumer holds, closed window, receipt and audit entry, at once.

        Args:
            sent: what the consumer has confirmed.
            progress: of the attempt, with the whole tally.
            sealer: for the rows that the gate keeps back.
            outcome: what the consumer holds now.

        Raises:
            AccountingError: selected ≠ passed + quarantined + withheld.
            SupersededError: somebody else has ended this transfer, or does its work by now.
        """
        connection, agreement, tally = self.connection, self.agreement, progress.tally
        tally.check(agreement.id)
        with connection.transaction():
            if transfers.lock_status(connection, self.transfer) != "running":
                msg = f"{agreement.id}: transfer {self.transfer} was overtaken;"
                msg += " nothing is confirmed"
                raise SupersededError(msg)
            self.guard(connection)
            if not self.replay:
                self._advance(tally)
            rewritten = self._hold(outcome)
            self._keep_order(outcome)
            if outcome.noting is not None:
                outcome.noting()
            failpoints.reach("confirm.advanced")
            deliveries.close_window(connection, agreement.id, progress.delivery)
            deliveries.keep_cells(connection, agreement.id, tally.cells)
            held, keep = self._held(tally, sealer), self.settings.quarantine_time
            quarantine_intake.hold(connection, agreement, self.transfer, held, keep)
            failpoints.reach("confirm.held")
            counts = DeliveryCounts(
                rows_read=tally.selected - tally.unchanged,
                quarantined=len(tally.quarantined),
                filtered_by_policy=tally.withheld,
                sent_rows=sent.rows,
                sent_parts=sent.parts,
                digest=sent.digest,
                deleted_rows=sent.deleted if agreement.tells_deletes else None,
            )
            ends, said = self.settings.now() + agreement.retention.span, "; ".join(sent.remarks)
            transfers.record_confirmed(connection, self.transfer, counts, ends, said)
            told: dict[str, Any] = {n: v for n, v in asdict(counts).items() if v is not None}
            told |= {"remarks": list(sent.remarks)} if sent.remarks else {}
            told["expiresAt"] = ends.isoformat()
            self._close("confirmed", progress, {**told, "columns": list(agreement.names)})
            failpoints.reach("confirm.before_commit")
        failpoints.reach("confirm.after_commit")
        holding.give_place_back(connection, rewritten)
        self._checkpoint()

    def failed(self, error: OnecardError, progress: Progress) -> None:
        """Mark the transfer failed or held; what may have left has its receipt as well.

        When the audit log is what stops the delivery, nothing is added to it, and nothing is
        signed: what follows a break would hide it.
        """
        connection = self.connection
        status = "held" if isinstance(error, HoldError) else "failed"
        if connection.broken:
            return  # the line stays `running`; the next run of the agreement goes on from here
        with connection.transaction():
            if transfers.lock_status(connection, self.transfer) != "running":
                return  # confirmed, and only the anchor failed; or overtaken and ended already
            transfers.record_end(connection, self.transfer, status, str(error))
            if isinstance(error, PrivacyBlock) and error.rule == AUDITED and not progress.left:
                return
            if isinstance(error, PrivacyBlock):
                self._incident(error, progress)
            counts = {"rows_left": progress.left_rows, "left": progress.left}
            self._close(status, progress, {**counts, "error": type(error).__name__})
        self._checkpoint()

    def _close(self, outcome: str, progress: Progress, facts: Mapping[str, Any]) -> None:
        """Results of the gate, receipt and audit entry."""
        self._record_rules(outcome, progress)
        content = {**self._statement(outcome, progress), **facts}
        content["rules"] = {r.rule: [r.outcome, r.checked, r.hits] for r in progress.results}
        receipt = receipts.issue(self.connection, self.transfer, content, self.signer)
        body = {
            "transfer": self.transfer,
            "delivery": progress.delivery,
            "receipt": sha256(receipt.body.encode()).hexdigest(),
        }
        self._audit(outcome, body)

    def _record_rules(self, outcome: str, progress: Progress) -> None:
        """Results of the gate: of a confirmed delivery by day, but for what a rule has found."""
        apart = [r for r in progress.results if outcome != "confirmed" or r.outcome == "hit"]
        rule_results.record_privacy(self.connection, self.transfer, apart)
        rest = [r for r in progress.results if r not in apart]
        rule_results.count_privacy(self.connection, self.transfer, rest)

    def _audit(self, event: str, body: Mapping[str, object]) -> None:
        kind, actor = f"delivery.{event}", self.settings.actor
        audit.append(self.connection, kind, self.agreement.id, actor, body)

    def _statement(self, outcome: str, progress: Progress) -> dict[str, Any]:
        """The part of the receipt that is known before anything is sent."""
        agreement, approval, now = self.agreement, self.life.approval, self.settings.now()
        return {
            "kind": "deliver",
            "outcome": outcome,
            "agreement": agreement.id,
            "fingerprint": agreement.fingerprint,
            **receipts.terms(agreement, approval),
            "delivery": progress.delivery,
            "versions": dict(progress.tally.versions),
            "at": now.isoformat(),
            "expiresAt": (now + agreement.retention.span).isoformat(),
            "tokenEpoch": self.state.token_epoch if progress.delivery else "",
            **({"sealedFor": self.sealed_for} if self.sealed_for and progress.delivery else {}),
            "checkpoint": receipts.last_checkpoint(self.connection),
        }

    def _advance(self, tally: DeliveryTally) -> None:
        """Versions that the consumer now has."""
        day, epoch = self.settings.now().date(), self.state.token_epoch
        for dataset, version in tally.versions.items():
            line = DeliveredVersion(dataset, version, day, epoch)
            deliveries.advance(self.connection, self.agreement.id, line)

    def _hold(self, outcome: Confirmation) -> int:
        """Write what the consumer holds now; returns how many buckets were rewritten."""
        today, record = self.settings.now().date(), outcome.record
        if record is not None and outcome.change is not None:
            if outcome.alone:
                record.add(outcome.change.held, self.transfer)
                return 0
            return record.confirm(outcome.change, outcome.versions, today)
        if not outcome.alone:
            head = Head(self.agreement.id, "", self.basis, "", "", 1, 0, outcome.versions, today)
            holding.put_head(self.connection, head)
        return 0

    def _keep_order(self, outcome: Confirmation) -> None:
        """Note which carriers were left out; wake those whose carriers have waited for this one."""
        connection, agreement, order = self.connection, self.agreement, outcome.order
        if outcome.alone or not self.tells_carriers:
            return
        waiting, seen = order.waiting, order.seen
        waiting_carriers.note(connection, agreement.id, agreement.dataset, waiting, seen)
        waiting_carriers.went_ahead(connection, self.transfer, agreement.dataset, order.ahead)
        if waiting_carriers.waited_for(connection, agreement.id):
            notifications.tell_confirmed(connection, agreement.dataset)

    def _held(self, tally: DeliveryTally, sealer: Sealer) -> list[Sealed]:
        """Rows that the gate quarantines, sealed."""
        found = []
        for number, kept in enumerate(tally.quarantined, start=1):
            values = kept.values
            texts = {n: v if v is None or isinstance(v, str) else str(v) for n, v in values.items()}
            row = Rejected(number, texts, tuple(Reason(f, r) for f, r in sorted(kept.reasons)))
            found.append(sealer.seal_held(self.agreement, str(values[gate_inputs.KEY]), row))
        return found

    def _incident(self, error: PrivacyBlock, progress: Progress) -> None:
        """A block after something has left is an incident (PR-28; PIPL article 57)."""
        connection, agreement = self.connection, self.agreement.id
        sent = progress.left_rows
        rows = sent + sum(deliveries.usual_rows(connection, agreement))
        if rows:
            incidents.open_incident(connection, agreement, self.transfer, error.rule, rows)

    def _checkpoint(self) -> None:
        """Have the audit log's new head signed, and anchored outside the database."""
        self.sign_log(self.connection, self.signer, self.settings.home / "audit")
