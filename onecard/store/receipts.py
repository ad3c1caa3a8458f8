"""Receipts: signed statements of what one transfer moved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from onecard.base import failpoints
from onecard.crypto.signing import Signer
from onecard.store.database import Connection

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Receipt:
    """A stored receipt: canonical JSON and its signature."""

    transfer: int
    body: str
    suite: str
    key_epoch: str
    signature: bytes


def canonical(content: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: what is signed, as UTF-8."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def issue(
    connection: Connection, transfer: int, content: Mapping[str, Any], signer: Signer
) -> Receipt:
    """Sign and store a transfer's receipt, inside the caller's transaction."""
    body = canonical({"format": FORMAT, "transfer": transfer, **content})
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
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT transfer, body, suite, key_epoch, signature FROM ledger.receipt"
        " WHERE transfer = %s",
        (transfer,),
    ).fetchone()
    return Receipt(row[0], row[1], row[2], row[3], bytes(row[4])) if row else None


def newest(connection: Connection, limit: int) -> list[Receipt]:
    """The newest receipts, newest first."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT transfer, body, suite, key_epoch, signature FROM ledger.receipt"
        " ORDER BY transfer DESC LIMIT %s",
        (limit,),
    ).fetchall()
    return [Receipt(row[0], row[1], row[2], row[3], bytes(row[4])) for row in rows]


def last_checkpoint(connection: Connection) -> dict[str, Any] | None:
    """Size and root of the newest signed audit checkpoint: every receipt anchors it."""
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT size, root FROM ledger.audit_checkpoint ORDER BY size DESC LIMIT 1"
    ).fetchone()
    return {"size": row[0], "root": bytes(row[1]).hex()} if row else None


def signed_manifest(manifest: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """The manifest with a signature over its canonical form (PR-20)."""
    signature = signer.sign(canonical(manifest).encode()).hex()
    return {
        **manifest,
        "signature": {"suite": signer.suite, "epoch": signer.epoch, "value": signature},
    }


def overdue_erasures(connection: Connection, agreement: str, before: datetime) -> int:
    """Confirmed deliveries that ended before an instant and have no erasure receipt."""
    row = connection.execute(
        "SELECT count(*) FROM ledger.transfer t WHERE t.subject = %s AND t.direction = 'deliver'"
        " AND t.status = 'confirmed' AND t.sent_rows > 0 AND t.finished_at < %s"
        " AND NOT EXISTS (SELECT FROM ledger.erasure e WHERE e.delivery_id = t.delivery_id)",
        (agreement, before),
    ).fetchone()
    return int(str(row[0])) if row else 0


def record_erasure(
    connection: Connection, delivery: str, erased_at: datetime, by: tuple[str, str]
) -> bool:
    """Record a consumer's confirmation that a delivery was erased; False when it is unknown."""
    actor, document = by
    done = connection.execute(
        "INSERT INTO ledger.erasure (delivery_id, agreement, erased_at, actor, document)"
        " SELECT delivery_id, subject, %s, %s, %s FROM ledger.transfer"
        " WHERE delivery_id = %s AND status = 'confirmed' LIMIT 1 ON CONFLICT DO NOTHING",
        (erased_at, actor, document, delivery),
    )
    return done.rowcount == 1
