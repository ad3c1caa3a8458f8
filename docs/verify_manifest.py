"""Says whether a consumer may take a delivery, without the hub's code.

    python verify_manifest.py MANIFEST KEYS CONSUMER TAKEN [FILE [DELETES]]

MANIFEST: the manifest as it came, JSON. KEYS: the hub's public keys (receiving.md). CONSUMER: our
own name. TAKEN: text file of the delivery ids that we have taken; a new one is added when all is
well. FILE: the data file that the manifest came with, if there is one; DELETES: the file of the
keys to drop, where the manifest names one.

Ends with 0: take it; 1: refuse it; 2: taken already, do nothing. Needs Python 3.9 and the package
cryptography. Suite international only.
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def refusal(manifest, keys, consumer):
    """Why the manifest is not to be believed; an empty text when it is."""
    content = dict(manifest)
    signed = content.pop("signature", None)
    if not isinstance(signed, dict):
        return "no signature"
    public = keys.get(f"{signed.get('suite')}/{signed.get('epoch')}")
    if public is None or signed.get("suite") != "international":
        return "signed by a key that is not known"
    message = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(str(signed.get("value"))), message.encode())
    except (InvalidSignature, ValueError):
        return "the signature is not valid"
    return "" if content.get("consumer") == consumer else "meant for another consumer"


def file_refusal(manifest, files):
    """Why the files are not those of the manifest; an empty text when they are."""
    told = [part for part in (manifest, manifest.get("deletes", {})) if "file" in part]
    if [file.name for file in files] != [part["file"] for part in told]:
        return "the manifest is of other files"
    for part, file in zip(told, files):
        if hashlib.sha256(file.read_bytes()).hexdigest() != part.get("sha256"):
            return f"{file.name} is not what the manifest says"
    return ""


def main(manifest_file, keys_file, consumer, taken_file, *data):
    """Look at one delivery; returns the exit code."""
    try:
        manifest = json.loads(Path(manifest_file).read_text("utf-8"))
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        print("the manifest is no JSON object")
        return 1
    keys, taken = json.loads(Path(keys_file).read_text("utf-8")), Path(taken_file)
    why = refusal(manifest, keys, consumer)
    if not why and data:
        why = file_refusal(manifest, [Path(name) for name in data])
    if why:
        print(why)
        return 1
    delivery = str(manifest.get("deliveryId"))
    if taken.exists() and delivery in taken.read_text("utf-8").split():
        print(f"{delivery} was taken already")
        return 2
    with taken.open("a", encoding="utf-8") as file:
        file.write(delivery + "\n")
    print(f"{delivery}: take it")
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6, 7):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
