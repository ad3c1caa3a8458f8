"""What proves an answer of the query and verify service to a third party.

Each call has a receipt: canonical JSON without a value of a row. It commits the hub to the request
and to the result by hashes over a salt that only the caller is given, so that whoever has the
receipt alone can try no ID number against it. The receipts of calls that were recorded together are
the leaves of a tree (RFC 9162); its root stands in a signed statement, and in the audit log. An
answer brings the receipt, the salt, the statement and the path between them.
docs/verify_answer.py checks it without this code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from onecard.crypto import merkle
from onecard.crypto.audit_format import canonical_json

ORIGIN = "onecard-hub/answers"
"""Names the statements; a signature for something else is none."""

SALT_BYTES = 16
Committed = Literal["request", "result"]


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement about the receipts of one group, and its signature."""

    statement: str
    suite: str
    key_epoch: str
    signature: bytes


def commitment(what: Committed, salt: str, data: bytes) -> str:
    """The hash that stands for a request or a result in the receipt, in hexadecimal.

    Args:
        what: which of them.
        salt: hexadecimal; the caller is told it with the answer.
        data: the request as it was sent, or the canonical JSON of the result.
    """
    return sha256(f"{what}\n{salt}\n".encode() + data).hexdigest()


def leaves_of(receipts: Sequence[str]) -> list[bytes]:
    """Leaf hashes of receipts."""
    return [merkle.leaf_hash(receipt.encode()) for receipt in receipts]


def statement(receipts: Sequence[str], at: str) -> str:
    """What is signed of a group.

    Args:
        receipts: in the order of the tree.
        at: the hub's time, ISO 8601.
    """
    root = merkle.root_of(leaves_of(receipts)).hex()
    return canonical_json({"at": at, "origin": ORIGIN, "root": root, "size": len(receipts)})


def root_of(text: str) -> str:
    """The root that a statement says, in hexadecimal; empty where it is no statement of ours."""
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(found, dict) or found.get("origin") != ORIGIN:
        return ""
    return str(found.get("root", ""))


def member(receipt: str, name: str) -> object:
    """A member of a receipt of ours."""
    return json.loads(receipt)[name]


def proof(receipts: Sequence[str], place: int) -> dict[str, object]:
    """The way from a receipt to the root of its group.

    Args:
        receipts: of the group, in order.
        place: of the receipt, from 0.
    """
    return _way(merkle.inclusion_proof(leaves_of(receipts), place), place, len(receipts))


def proofs(receipts: Sequence[str]) -> list[dict[str, object]]:
    """The way of each receipt of a group, in their order; each hash is computed once."""
    paths = merkle.inclusion_proofs(leaves_of(receipts))
    return [_way(path, place, len(receipts)) for place, path in enumerate(paths)]


def _way(path: Sequence[bytes], place: int, size: int) -> dict[str, object]:
    return {"index": place, "path": [step.hex() for step in path], "size": size}


Verify = Callable[[str, str, bytes, bytes], bool]
"""Whether a signature is right: suite, epoch, message, signature (`Signer.verify`)."""


def problem(answer: Mapping[str, Any], request: bytes, verify: Verify) -> str:
    """Why an answer is not to be believed; empty: it is.

    Args:
        answer: as `envelope` makes it.
        request: the body that was sent.
        verify: whether a signature is right.
    """
    try:
        receipt, way, said = str(answer["receipt"]), answer["proof"], answer["signature"]
        signed_text = str(answer["statement"])
        path = [bytes.fromhex(step) for step in way["path"]]
        signature = bytes.fromhex(said["value"])
        salt, made = str(answer["salt"]), json.loads(receipt)
        result = canonical_json(answer["result"]).encode()
        told: dict[Committed, bytes] = {"request": request, "result": result}
        kept = all(made[what] == commitment(what, salt, data) for what, data in told.items())
        size, index = int(json.loads(signed_text)["size"]), int(way["index"])
        root, suite, epoch = bytes.fromhex(root_of(signed_text)), str(said["suite"]), said["epoch"]
    except (KeyError, TypeError, ValueError, AttributeError):
        return "it is not complete"
    if not kept:
        return "its receipt is of another request or another result"
    leaf = merkle.leaf_hash(receipt.encode())
    if not merkle.verify_inclusion(leaf, index, size, path, root):
        return "its receipt is not one of those that were signed"
    right = verify(suite, str(epoch), signed_text.encode(), signature)
    return "" if right else "its signature is not valid"


def envelope(
    result: Mapping[str, object],
    receipt: str,
    salt: str,
    way: Mapping[str, object],
    signed: Signed,
) -> dict[str, object]:
    """An answer, complete in itself.

    Args:
        result: what the caller asked for.
        receipt: of the call.
        salt: of its commitments.
        way: from the receipt to the root (`proof`).
        signed: about the group.
    """
    return {
        "result": dict(result),
        "receipt": receipt,
        "salt": salt,
        "proof": dict(way),
        "statement": signed.statement,
        "signature": {
            "suite": signed.suite,
            "epoch": signed.key_epoch,
            "value": signed.signature.hex(),
        },
    }
