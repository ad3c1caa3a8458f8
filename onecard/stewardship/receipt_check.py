"""Whether a receipt is the hub's own."""

from __future__ import annotations

from onecard.ports.desk import Desk
from onecard.store.receipts import Receipt


def holds(desk: Desk, receipt: Receipt) -> bool:
    """Whether a receipt's signature is the hub's; not so when its epoch has no key any more."""
    body = receipt.body.encode()
    return desk.signer.verify(receipt.suite, receipt.key_epoch, body, receipt.signature)
