"""What a rehearsal proves of its night: audit log, receipts, one resident's disclosures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onecard.app.wiring import Hub
from onecard.crypto.audit_verify import Verdict
from onecard.stewardship.disclosure_lookup import look_up
from onecard.stewardship.receipt_check import holds
from onecard.store import database, question_audit, receipts, transfer_lookup


@dataclass(frozen=True, slots=True)
class Proof:
    """Outcome of the proofs.

    Attributes:
        verdict: of the audit log against its checkpoints and the anchor.
        deliveries: how many ended confirmed.
        receipted: how many of them have a receipt with a valid signature.
        resident: a masked ID number, and the deliveries that held that person.
    """

    verdict: Verdict
    deliveries: int
    receipted: int
    resident: tuple[str, list[dict[str, Any]]]

    @property
    def holds(self) -> bool:
        """Whether everything is proven."""
        told = bool(self.resident[1])
        return self.verdict.ok and self.deliveries == self.receipted and told


def prove(hub: Hub) -> Proof:
    """Verify the audit log, check every delivery's receipt, look up one resident."""
    with database.connect(hub.address, autocommit=True) as connection:
        folder = hub.settings.home / "audit"
        verdict = question_audit.verify_all(connection, folder, hub.signer)
        delivered = transfer_lookup.confirmed_deliveries(connection)
        found = [receipts.load(connection, number) for number in delivered]
        person = connection.execute(
            "SELECT c.person_id18 FROM registry.hrss__card_master c"
            " JOIN registry.hrss__card_status_event e USING (card_no) ORDER BY 1 LIMIT 1"
        ).fetchone()
    valid = sum(receipt is not None and holds(hub, receipt) for receipt in found)
    number = str(person[0]) if person else ""
    lines = look_up(hub, number, "rehearsal") if number else []
    masked = f"{number[:3]}{'*' * 11}{number[-4:]}"
    return Proof(verdict, len(delivered), valid, (masked, lines))
