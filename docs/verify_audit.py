"""Verifies an exported audit log without the hub's code: `python verify_audit.py FOLDER`.

Needs Python 3.9 and the package cryptography. Format: audit-format.md. Suite international only.
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def root(leaves):
    """Root hash of RFC 9162, section 2.1.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root(leaves[:half]) + root(leaves[half:])).digest()


def verify(folder):
    """Return what is wrong; an empty list when nothing is."""
    lines = (folder / "entries.jsonl").read_bytes().split(b"\n")[:-1]
    keys = json.loads((folder / "public_keys.json").read_text("utf-8"))
    wrong = [f"entry {n}: number" for n, x in enumerate(lines, 1) if json.loads(x)["seq"] != n]
    leaves = [hashlib.sha256(b"\x00" + line).digest() for line in lines]
    for line in (folder / "checkpoints.jsonl").read_text("utf-8").splitlines():
        found = json.loads(line)
        signed = {name: found[name] for name in ("origin", "root", "signed_at", "size")}
        message = json.dumps(
            signed, ensure_ascii=False, sort_keys=True, separators=(",", ":")
        ).encode()
        public = bytes.fromhex(keys[f"{found['suite']}/{found['key_epoch']}"])
        size = found["size"]
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(
                bytes.fromhex(found["signature"]), message
            )
        except InvalidSignature:
            wrong.append(f"checkpoint of size {size}: signature")
        if size > len(leaves):
            wrong.append(f"truncated: a checkpoint of size {size} is signed, the log has less")
        elif root(leaves[:size]).hex() != found["root"]:
            wrong.append(f"entries up to {size} are not what was signed")
    return wrong


if __name__ == "__main__":
    problems = verify(Path(sys.argv[1]))
    print("\n".join(problems) or "all entries are as they were signed")
    sys.exit(bool(problems))
