"""Receipts: signed statements of what one transfer moved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from onecard.base import failpoints
from onecard.crypto.signing import Signer
from onecard.store.database import Connection, fetch_all, fetch_one, one_scalar, scalars

FORMAT = 1
_RECEIPTS: LiteralString = "SELECT transfer, body, suite, key_epoch, signature FROM ledger.receipt"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A stored receipt: canonical JSON and its signature."""

    transfer: int
    body: str
    suite: str
    key_epoch: str
    signature: bytes


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
    """A transfer's receipt, or None."""
    return fetch_one(connection, Receipt, _RECEIPTS + " WHERE transfer = %s", (transfer,))


def newest(connection: Connection, limit: int) -> list[Receipt]:
    """The newest receipts, newest first."""
    return fetch_all(connection, Receipt, _RECEIPTS + " ORDER BY transfer DESC LIMIT %s", (limit,))


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
        "SELECT count(*) FROM ledger.transfer t WHERE t.subject = %s AND t.direction = 'deliver'"
        " AND t.status = 'confirmed' AND t.sent_rows > 0 AND t.finished_at < %s"
        " AND NOT EXISTS (SELECT FROM ledger.erasure e WHERE e.delivery_id = t.delivery_id)",
        (agreement, before),
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
        " WHERE t.subject = %s AND t.direction = 'deliver' AND t.status = 'confirmed'"
        " AND t.sent_rows > 0",
        (agreement,),
    )
    epochs = {line.epoch for line in found}
    if "" in epochs:
        epochs |= set(
            scalars(
                connection,
                str,
                "SELECT DISTINCT r.body::jsonb ->> 'tokenEpoch' FROM ledger.receipt r"
                " WHERE r.body::jsonb ->> 'consumer' = %s"
                " AND r.body::jsonb ->> 'tokenEpoch' IS NOT NULL",
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
        "INSERT INTO ledger.erasure (delivery_id, agreement, erased_at, actor, document)"
        " SELECT delivery_id, subject, %s, %s, %s FROM ledger.transfer"
        " WHERE delivery_id = %s AND status = 'confirmed' LIMIT 1 ON CONFLICT DO NOTHING",
        (erasure.erased_at, erasure.actor, erasure.document, erasure.delivery),
    )
    return done.rowcount == 1
