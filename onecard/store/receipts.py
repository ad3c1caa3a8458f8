"""Receipts: signed statements of what one transfer moved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from onecard.base import failpoints
from onecard.crypto.signing import Signer
from onecard.model.agreements import AgreementEvent
from onecard.store.database import Connection, fetch_all, fetch_one, one_scalar, scalars
from schemas.models.agreement import Agreement

FORMAT = 1
_RECEIPTS: LiteralString = "SELECT transfer, body, suite, key_epoch, signature FROM ledger.receipt"
_PACKED: LiteralString = (
    "SELECT p.transfers[i] AS transfer, p.bodies[i] AS body, p.suites[i] AS suite,"
    " p.key_epochs[i] AS key_epoch, p.signatures[i] AS signature FROM (SELECT %s::bigint AS id) w"
    " JOIN ledger.lane_pack p ON p.first <= w.id AND p.last >= w.id"
    " CROSS JOIN LATERAL array_position(p.transfers, w.id) AS i WHERE i IS NOT NULL"
)
_OVERDUE: LiteralString = (
    "SELECT (SELECT count(*) FROM ledger.transfer WHERE subject = %(agreement)s"
    " AND direction = 'deliver' AND status = 'confirmed' AND sent_rows > 0"
    " AND finished_at < %(before)s)"
    " + (SELECT CAST(coalesce(sum(sent), 0) AS bigint) FROM ledger.lane_pack"
    " WHERE subject = %(agreement)s AND direction = 'deliver' AND last_finished < %(before)s)"
    " + (SELECT count(*) FROM ledger.lane_pack p, unnest(p.sent_rows, p.finished_at)"
    " AS x (sent_rows, finished_at) WHERE p.subject = %(agreement)s AND p.direction = 'deliver'"
    " AND p.first_finished < %(before)s AND p.last_finished >= %(before)s AND x.sent_rows > 0"
    " AND x.finished_at < %(before)s)"
    " - (SELECT count(*) FROM ledger.erasure WHERE agreement = %(agreement)s"
    " AND finished_at < %(before)s)"
)
# No packed receipt is among the newest that is older than the last of so many in the table.
_NEWEST: LiteralString = (
    "SELECT * FROM (" + _RECEIPTS + " UNION ALL SELECT transfer, body, suite, key_epoch, signature"
    " FROM ledger.folded_receipt WHERE last >= coalesce((SELECT transfer FROM ledger.receipt"
    " ORDER BY transfer DESC OFFSET %(limit)s - 1 LIMIT 1), 0)) r"
    " ORDER BY transfer DESC LIMIT %(limit)s"
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A stored receipt: canonical JSON and its signature."""

    transfer: int
    body: str
    suite: str
    key_epoch: str
    signature: bytes


def terms(agreement: Agreement, approval: AgreementEvent | None) -> dict[str, object]:
    """What every receipt says of the agreement: its version, who answers for it, and why.

    Args:
        agreement: as it is in force.
        approval: of it; None: nobody has approved it.
    """
    return {
        "agreementVersion": agreement.version,
        "approvedBy": approval.actor if approval else None,
        "approvedIn": approval.document if approval else None,
        "responsible": agreement.responsible,
        "consumer": agreement.consumer,
        "purpose": agreement.purpose,
        "basis": f"{agreement.basis.statute} {agreement.basis.article}",
    }


def signed_text(content: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: what is signed, as UTF-8."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def issue(
    connection: Connection, transfer: int, content: Mapping[str, Any], signer: Signer
) -> Receipt:
    """Sign and store a transfer's receipt, inside the caller's transaction.

    Args:
        connection: with an open transaction.
        transfer: whose receipt it is.
        content: what it states; JSON values, none of a row.
        signer: of the hub.
    """
    body = signed_text({"format": FORMAT, "transfer": transfer, **content})
    receipt = Receipt(transfer, body, signer.suite, signer.epoch, signer.sign(body.encode()))
    connection.execute(
        "INSERT INTO ledger.receipt (transfer, body, suite, key_epoch, signature)"
        " VALUES (%s, %s, %s, %s, %s)",
        (transfer, body, receipt.suite, receipt.key_epoch, receipt.signature),
    )
    failpoints.reach("receipt.issued")
    return receipt


def load(connection: Connection, transfer: int) -> Receipt | None:
    """A transfer's receipt, or None; the table first: what it has no more stands in a pack."""
    found = fetch_one(connection, Receipt, _RECEIPTS + " WHERE transfer = %s", (transfer,))
    return found or fetch_one(connection, Receipt, _PACKED, (transfer,))


def newest(connection: Connection, limit: int) -> list[Receipt]:
    """The newest receipts, newest first."""
    return fetch_all(connection, Receipt, _NEWEST, {"limit": limit})


@dataclass(frozen=True, slots=True)
class _Signed:
    size: int
    root: bytes


def last_checkpoint(connection: Connection) -> dict[str, Any] | None:
    """Size and root of the newest signed audit checkpoint: every receipt anchors it."""
    found = fetch_one(
        connection,
        _Signed,
        "SELECT size, root FROM ledger.audit_checkpoint ORDER BY size DESC LIMIT 1",
    )
    return {"size": found.size, "root": found.root.hex()} if found else None


def signed_manifest(manifest: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """The manifest with a signature over its canonical form (PR-20)."""
    signature = signer.sign(signed_text(manifest).encode()).hex()
    return {
        **manifest,
        "signature": {"suite": signer.suite, "epoch": signer.epoch, "value": signature},
    }


def overdue_erasures(connection: Connection, agreement: str, before: datetime) -> int:
    """Confirmed deliveries that ended before an instant and have no erasure receipt.

    Args:
        connection: of the hub's database.
        agreement: its id.
        before: the instant.
    """
    return one_scalar(
        connection,
        int,
        _OVERDUE,
        {"agreement": agreement, "before": before},
    )


@dataclass(frozen=True, slots=True)
class SentUnder:
    """By which deliveries rows of an agreement left, and under which keys.

    Attributes:
        transfers: confirmed deliveries that brought rows.
        suites: cryptographic suites that their receipts name.
        token_epochs: token keys that may have made references of their persons.
    """

    transfers: frozenset[int]
    suites: frozenset[str]
    token_epochs: frozenset[str]


@dataclass(frozen=True, slots=True)
class _SentUnder:
    transfer: int
    suite: str
    epoch: str


def sent(connection: Connection, agreement: str, consumer: str) -> SentUnder:
    """By which deliveries rows left.

    The receipt of a delivery without tokens names no epoch: that of the references of its persons
    is one of those that receipts of the same consumer name.

    Args:
        connection: of the hub's database.
        agreement: its id.
        consumer: whose token keys were used.
    """
    found = fetch_all(
        connection,
        _SentUnder,
        "SELECT t.id AS transfer, coalesce(r.suite, '') AS suite,"
        " coalesce(r.body::jsonb ->> 'tokenEpoch', '') AS epoch"
        " FROM ledger.transfer t LEFT JOIN ledger.receipt r ON r.transfer = t.id"
        " WHERE t.subject = %(agreement)s AND t.direction = 'deliver' AND t.status = 'confirmed'"
        " AND t.sent_rows > 0 UNION ALL"
        " SELECT f.transfer, f.suite, coalesce(f.body::jsonb ->> 'tokenEpoch', '')"
        " FROM ledger.folded_receipt f WHERE f.subject = %(agreement)s AND f.direction = 'deliver'"
        " AND CAST(f.body::jsonb ->> 'sent_rows' AS bigint) > 0",
        {"agreement": agreement},
    )
    epochs = {line.epoch for line in found}
    if "" in epochs:
        epochs |= set(
            scalars(
                connection,
                str,
                "SELECT DISTINCT r.said ->> 'tokenEpoch' FROM (SELECT body::jsonb AS said"
                " FROM ledger.receipt UNION ALL SELECT body::jsonb FROM ledger.folded_receipt"
                " WHERE direction = 'deliver') r WHERE r.said ->> 'consumer' = %s"
                " AND r.said ->> 'tokenEpoch' IS NOT NULL",
                (consumer,),
            )
        )
    return SentUnder(
        frozenset(line.transfer for line in found),
        frozenset(line.suite for line in found) - {""},
        frozenset(epochs) - {""},
    )


@dataclass(frozen=True, slots=True)
class Erasure:
    """A consumer's confirmation that a delivery was erased: who recorded it, by which document."""

    delivery: str
    erased_at: datetime
    actor: str
    document: str


def record_erasure(connection: Connection, erasure: Erasure) -> bool:
    """Record a confirmation of erasure; False when the delivery is unknown."""
    done = connection.execute(
        "INSERT INTO ledger.erasure (delivery_id, agreement, erased_at, actor, document, transfer,"
        " finished_at) SELECT delivery_id, subject, %(at)s, %(actor)s, %(document)s, id,"
        " CASE WHEN sent_rows > 0 THEN finished_at END FROM (SELECT id, delivery_id, subject,"
        " sent_rows, finished_at FROM ledger.transfer WHERE delivery_id = %(delivery)s"
        " AND status = 'confirmed' UNION ALL"
        " SELECT id, delivery_id, subject, sent_rows, finished_at"
        " FROM ledger.folded WHERE direction = 'deliver' AND delivery_id = %(delivery)s"
        " AND starts_with(%(delivery)s, subject || '-')) d LIMIT 1 ON CONFLICT DO NOTHING",
        {
            "at": erasure.erased_at,
            "actor": erasure.actor,
            "document": erasure.document,
            "delivery": erasure.delivery,
        },
    )
    return done.rowcount == 1
