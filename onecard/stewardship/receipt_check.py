"""Whether a receipt is the hub's own, and whether a document that somebody holds is on record.

A document is a receipt or a delivery's manifest: JSON with the member `signature` (suite, epoch,
value) over all the rest with sorted keys and no spaces. Three things are looked at, each for
itself: the signature, what the ledger says of the same transfer, and whether the entry of that
receipt is in the audit log that was signed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from onecard.crypto.audit_format import Entry
from onecard.errors import UsageError
from onecard.ports.desk import Desk
from onecard.store import audit, audit_proof, audit_search, receipt_search, receipts
from onecard.store.audit_proof import Beginnings, Proof
from onecard.store.database import Connection
from onecard.store.receipt_search import SoughtReceipts
from onecard.store.receipts import Receipt, signed_text

LONGEST = 256 * 1024
"""Bytes of a document: manifests of many parts are the longest."""
LONGEST_NAME = 200
"""Characters of a suite, an epoch, a subject, a delivery's id."""
LONGEST_SIGNATURE = 20_000
"""Hexadecimal digits."""
ATTEMPTS = 20
"""Attempts at one delivery that are looked at."""

DocumentKind = Literal["receipt", "manifest"]
Recorded = Literal["same", "other", "unconfirmed", "absent"]
"""`same`: the ledger has it so. `other`: it has something else under that name. `unconfirmed`: the
hub has no confirmation of that delivery. `absent`: it has nothing of it."""


class UnreadDocument(UsageError):
    """A text that is no receipt and no manifest; `reason` is one of `REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason])
        self.reason = reason


REASONS = {
    "document_long": f"the document is longer than {LONGEST} bytes",
    "document_json": "the document is no JSON object in UTF-8",
    "document_kind": "neither a receipt (`kind`, `transfer`) nor a manifest (`deliveryId`)",
    "document_unsigned": "the document has no signature (`suite`, `epoch`, `value`)",
}


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A receipt or a manifest as somebody holds it.

    Attributes:
        subject: agreement or dataset that it is about.
        content: without the signature.
    """

    kind: DocumentKind
    subject: str
    content: Mapping[str, Any]
    suite: str
    epoch: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Where a receipt's digest stands in the audit log, and whether that entry was signed.

    Attributes:
        entry: None: no entry carries the digest.
        proof: of the entry.
    """

    entry: Entry | None
    proof: Proof | None

    @property
    def holds(self) -> bool:
        """Whether it is shown that the entry is among what was signed."""
        return self.proof is not None and self.proof.outcome == "holds"


@dataclass(frozen=True, slots=True)
class CheckedDocument:
    """What was found about a document.

    Attributes:
        signed: the signature is the hub's.
        receipt: of the ledger, that the document was held against.
        inclusion: of that receipt; None: there is none.
    """

    document: SignedDocument
    signed: bool
    recorded: Recorded
    receipt: Receipt | None
    inclusion: Inclusion | None

    @property
    def holds(self) -> bool:
        """Whether all that was looked at is as it should be."""
        included = self.inclusion is not None and self.inclusion.holds
        return self.signed and self.recorded == "same" and included


def holds(desk: Desk, receipt: Receipt) -> bool:
    """Whether a receipt's signature is the hub's; not so when its epoch has no key any more."""
    body = receipt.body.encode()
    return desk.signer.verify(receipt.suite, receipt.key_epoch, body, receipt.signature)


def about(receipt: Receipt) -> str:
    """Agreement or dataset whose transfer a receipt is of."""
    said = json.loads(receipt.body)
    return str(said.get("agreement") or said.get("dataset") or "")


def document(receipt: Receipt) -> dict[str, Any]:
    """A receipt as a document that anybody can keep and have verified."""
    signature = {
        "suite": receipt.suite,
        "epoch": receipt.key_epoch,
        "value": receipt.signature.hex(),
    }
    return {**json.loads(receipt.body), "signature": signature}


def read(data: bytes) -> SignedDocument:
    """The document of a file or a text.

    Raises:
        UnreadDocument: it is none.
    """
    if len(data) > LONGEST:
        raise UnreadDocument(reason="document_long")
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UnreadDocument(reason="document_json") from None
    if not isinstance(found, dict):
        raise UnreadDocument(reason="document_json")
    kind, subject = _kind(found)
    signed = found.pop("signature", None)
    if not isinstance(signed, dict):
        raise UnreadDocument(reason="document_unsigned")
    suite, epoch, value = (signed.get(name) for name in ("suite", "epoch", "value"))
    if not (isinstance(suite, str) and isinstance(epoch, str) and isinstance(value, str)):
        raise UnreadDocument(reason="document_unsigned")
    if max(len(suite), len(epoch)) > LONGEST_NAME or len(value) > LONGEST_SIGNATURE:
        raise UnreadDocument(reason="document_unsigned")
    try:
        signature = bytes.fromhex(value)
    except ValueError:
        raise UnreadDocument(reason="document_unsigned") from None
    return SignedDocument(kind, subject, found, suite, epoch, signature)


def _kind(found: Mapping[str, Any]) -> tuple[DocumentKind, str]:
    """What a document is, and what it is about."""
    number, delivery = found.get("transfer"), found.get("deliveryId")
    if isinstance(delivery, str) and isinstance(found.get("agreement"), str):
        if _named(delivery) and _named(found["agreement"]):
            return "manifest", str(found["agreement"])
        raise UnreadDocument(reason="document_kind")
    subject = found.get("agreement") if found.get("kind") == "deliver" else found.get("dataset")
    if type(number) is int and 0 < number < 2**63 and isinstance(subject, str) and _named(subject):
        return "receipt", subject
    raise UnreadDocument(reason="document_kind")


def _named(text: str) -> bool:
    """Whether a text can be an id: no control character, no half of a surrogate pair."""
    return len(text) <= LONGEST_NAME and text.isprintable()


def check(
    desk: Desk, connection: Connection, given: SignedDocument, known: Beginnings
) -> CheckedDocument:
    """Hold a document against key, ledger and audit log.

    Args:
        desk: the hub: its keys.
        connection: of the hub's database, without an open transaction.
        given: the document.
        known: beginnings of the audit log that were verified before.
    """
    try:
        message = signed_text(given.content).encode()
        signed = desk.signer.verify(given.suite, given.epoch, message, given.signature)
    except UnicodeEncodeError:  # half of a surrogate pair: nobody has signed that
        signed = False
    recorded, receipt = _recorded(connection, given)
    inclusion = included(desk, connection, receipt, known) if receipt is not None else None
    return CheckedDocument(given, signed, recorded, receipt, inclusion)


def included(desk: Desk, connection: Connection, receipt: Receipt, known: Beginnings) -> Inclusion:
    """Where a receipt stands in the audit log, which is looked through behind its own checkpoint.

    Args:
        desk: the hub: its keys.
        connection: of the hub's database, without an open transaction.
        receipt: of the ledger.
        known: beginnings of the audit log that were verified before.
    """
    before = (json.loads(receipt.body).get("checkpoint") or {}).get("size", 0)
    digest = sha256(receipt.body.encode()).hexdigest()
    number = audit_search.carrying(connection, digest, about(receipt), int(before))
    found = audit.entry(connection, number) if number else None
    if found is None:
        return Inclusion(None, None)
    return Inclusion(found, audit_proof.prove(connection, found, desk.signer.holds, known))


def _recorded(connection: Connection, given: SignedDocument) -> tuple[Recorded, Receipt | None]:
    if given.kind == "receipt":
        stored = receipts.load(connection, given.content["transfer"])
        if stored is None or about(stored) != given.subject:
            return "absent", None
        return ("same" if signed_text(given.content) == stored.body else "other"), stored
    sought = SoughtReceipts({given.subject}, delivery=given.content["deliveryId"])
    lines = receipt_search.search(connection, sought, ATTEMPTS).lines[:ATTEMPTS]
    found = [r for line in lines if (r := receipts.load(connection, line.transfer)) is not None]
    confirmed = [r for r in found if json.loads(r.body).get("outcome") == "confirmed"]
    for receipt in confirmed:
        if _tells_of(json.loads(receipt.body), given.content):
            return "same", receipt
    if confirmed:
        return "other", confirmed[0]
    return ("unconfirmed", found[0]) if found else ("absent", None)


def _tells_of(said: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    """Whether a receipt and a manifest say the same; an inbox may call the digest otherwise."""
    same = ("agreement", "agreementVersion", "consumer", "purpose")
    agree = all(said.get(name) == manifest.get(name) for name in same)
    return agree and said.get("digest") in manifest.values()
