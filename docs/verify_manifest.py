"""Says whether a consumer may take a delivery, without the hub's code.

    python verify_manifest.py MANIFEST KEYS CONSUMER TAKEN [FILE [DELETES]]

MANIFEST: the manifest as it came, JSON. KEYS: the hub's public keys (receiving.md). CONSUMER: our
own name. TAKEN: text file of what we have taken, a line for each: a delivery's id and the number of
its attempt; one is added when all is well. FILE: the data file that the manifest came with, if there
is one; DELETES: the file of the keys to drop, where the manifest names one.

Ends with 0: take it; 1: refuse it; 2: taken already, do nothing. A later attempt at a delivery that
was taken is to be taken in its place: the hub has not heard of the first one, and may send and drop
other rows by now. Needs Python 3.9 and the package cryptography. Both suites: Ed25519, and SM2 with
SM3 (GB/T 32918.2).
"""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SM3, Hash

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
"""The curve of SM2 (GB/T 32918.5)."""
USER_ID = b"1234567812345678"


def sm3(data):
    """The SM3 digest (GB/T 32905)."""
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()


def added(one, other):
    """The sum of two points of the curve; None is the point at infinity."""
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    if one == other:
        slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) % P
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P) % P
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def multiple(number, point):
    """So many times a point. Not constant in time: not where others can measure it."""
    found = None
    for bit in bin(number)[2:]:
        found = added(found, found)
        if bit == "1":
            found = added(found, point)
    return found


def point_of(data):
    """The point of 04, x and y; ValueError where it is none of the curve."""
    x, y = int.from_bytes(data[1:33], "big"), int.from_bytes(data[33:], "big")
    on_it = (y * y - x * x * x - A * x - B) % P == 0
    if len(data) != 65 or data[:1] != b"\x04" or not (x < P and y < P and on_it):
        raise ValueError("no point of the curve")
    return x, y


def sm2_verify(public, signature, message):
    """Check an SM2 signature over SM3 with the default user id; InvalidSignature if it is wrong."""
    point, (r, s) = point_of(public), decode_dss_signature(signature)
    curve = b"".join(number.to_bytes(32, "big") for number in (A, B, *G))
    z = sm3((8 * len(USER_ID)).to_bytes(2, "big") + USER_ID + curve + public[1:])
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N and t):
        raise InvalidSignature
    found = added(multiple(s, G), multiple(t, point))
    e = int.from_bytes(sm3(z + message), "big")
    if found is None or (e + found[0]) % N != r:
        raise InvalidSignature


def refusal(manifest, keys, consumer):
    """Why the manifest is not to be believed; an empty text when it is."""
    content = dict(manifest)
    signed = content.pop("signature", None)
    if not isinstance(signed, dict):
        return "no signature"
    public = keys.get(f"{signed.get('suite')}/{signed.get('epoch')}")
    if public is None or signed.get("suite") not in ("international", "national"):
        return "signed by a key that is not known"
    message = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    try:
        value = bytes.fromhex(str(signed.get("value")))
        if signed["suite"] == "national":
            sm2_verify(bytes.fromhex(public), value, message.encode())
        else:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
            key.verify(value, message.encode())
    except (InvalidSignature, ValueError):
        return "the signature is not valid"
    return "" if content.get("consumer") == consumer else "meant for another consumer"


def file_refusal(manifest, files):
    """Why the files are not those of the manifest; an empty text when they are."""
    told = [part for part in (manifest, manifest.get("deletes", {})) if "file" in part]
    if [file.name for file in files] != [part["file"] for part in told]:
        return "the manifest is of other files"
    for part, file in zip(told, files):
        if file_digest(file) != part.get("sha256"):
            return f"{file.name} is not what the manifest says"
    return ""


def file_digest(file):
    """The SHA-256 of a file, which need not fit into memory."""
    found = hashlib.sha256()
    with file.open("rb") as stream:
        for piece in iter(lambda: stream.read(1 << 20), b""):
            found.update(piece)
    return found.hexdigest()


def taken_before(manifest, taken):
    """Whether this attempt at a delivery, or a later one, was taken; TAKEN: text of that file."""
    lines = [line.split() for line in taken.splitlines()]
    numbers = [line[1:] for line in lines if line[:1] == [str(manifest.get("deliveryId"))]]
    attempt = int(manifest.get("attempt", 0))
    return any(not number or attempt <= int(number[0]) for number in numbers)


def judged(manifest_file, keys_file, consumer, taken_file, data):
    """The manifest, the exit code as far as it is known (0, 1, 2), and the words that go with it."""
    try:
        manifest = json.loads(Path(manifest_file).read_text("utf-8"))
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        return {}, 1, "the manifest is no JSON object"
    keys, taken = json.loads(Path(keys_file).read_text("utf-8")), Path(taken_file)
    why = refusal(manifest, keys, consumer)
    if not why and data:
        why = file_refusal(manifest, [Path(name) for name in data])
    if why:
        return manifest, 1, why
    delivery = str(manifest.get("deliveryId"))
    if taken.exists() and taken_before(manifest, taken.read_text("utf-8")):
        return manifest, 2, f"{delivery} was taken already"
    return manifest, 0, f"{delivery}: take it"


def main(manifest_file, keys_file, consumer, taken_file, *data):
    """Look at one delivery; returns the exit code."""
    manifest, code, says = judged(manifest_file, keys_file, consumer, taken_file, data)
    if code == 0:
        remember(manifest, taken_file)
    print(says)
    return code


def remember(manifest, taken_file):
    """Write down that the delivery was taken."""
    with Path(taken_file).open("a", encoding="utf-8") as file:
        file.write(f"{manifest['deliveryId']} {int(manifest.get('attempt', 0))}\n")


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6, 7):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
