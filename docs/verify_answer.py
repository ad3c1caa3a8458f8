"""Says whether an answer of the query and verify service is to be believed, without the hub's code.

    python verify_answer.py ANSWER KEYS [REQUEST]

ANSWER: the answer as it came, JSON. KEYS: the hub's public keys (receiving.md). REQUEST: the body
that was sent, byte for byte; without it the answer is not held against the request.

Ends with 0: believe it; 1: do not. Needs Python 3.9 and the package cryptography. Suite
international only.
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ORIGIN = "onecard-hub/answers"


def canonical(content):
    """JSON with sorted keys and no spaces: what is hashed of a result."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def commitment(what, salt, data):
    """The hash that stands for a request or a result in the receipt."""
    return hashlib.sha256(f"{what}\n{salt}\n".encode() + data).hexdigest()


def root(receipt, index, size, path):
    """The root of the tree (RFC 9162, 2.1.3.2) that a receipt's path leads to; None: to none."""
    found = hashlib.sha256(b"\x00" + receipt.encode()).digest()
    at, last = index, size - 1
    for step in map(bytes.fromhex, path):
        if last <= 0:
            return None
        if at & 1 or at == last:
            found = hashlib.sha256(b"\x01" + step + found).digest()
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + step).digest()
        at, last = at >> 1, last >> 1
    return found.hex() if last == 0 and 0 <= index < size else None


def refusal(answer, keys, request=None):
    """Why the answer is not to be believed; an empty text when it is."""
    receipt, proof, signed = answer["receipt"], answer["proof"], answer["signature"]
    statement, made = json.loads(answer["statement"]), json.loads(receipt)
    public = keys.get(f"{signed['suite']}/{signed['epoch']}")
    if public is None or signed["suite"] != "international":
        return "signed by a key that is not known"
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signed["value"]), answer["statement"].encode())
    except (InvalidSignature, ValueError):
        return "the signature is not valid"
    led = root(receipt, proof["index"], proof["size"], proof["path"])
    if statement["origin"] != ORIGIN or (led, proof["size"]) != (
        statement["root"],
        statement["size"],
    ):
        return "the receipt is not one of those that were signed"
    if made["result"] != commitment("result", answer["salt"], canonical(answer["result"])):
        return "the result is not the one that was recorded"
    if made["outcome"] != answer["result"]["outcome"]:
        return "the outcome is not the one that was recorded"
    if request is not None and made["request"] != commitment("request", answer["salt"], request):
        return "it answers another request"
    return ""


def main(answer_file, keys_file, *request):
    """Look at one answer; returns the exit code."""
    keys = json.loads(Path(keys_file).read_text("utf-8"))
    body = Path(request[0]).read_bytes() if request else None
    try:
        why = refusal(json.loads(Path(answer_file).read_text("utf-8")), keys, body)
    except (KeyError, TypeError, ValueError, AttributeError):
        why = "it is not complete"
    print(why or "the answer is the hub's, as it was recorded")
    return 1 if why else 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
