"""Opens a sealed delivery of files, after it was looked at as verify_manifest.py does.

    python open_sealed.py MANIFEST KEYS CONSUMER TAKEN PRIVATE FILE [DELETES]

MANIFEST, KEYS, CONSUMER, TAKEN as for verify_manifest.py, which lies beside this file. PRIVATE: our
private key as `onecard keys pair` writes it (receiving.md). FILE: the sealed file; DELETES: the
sealed file of the keys to drop, where the manifest names one. What was in `name.csv.sealed` is
written to `name.csv` beside it, whole or not at all.

Ends with 0: opened, take it; 1: refuse it; 2: taken already, do nothing. Needs Python 3.9 and the
package cryptography. Who receives messages uses `content_key` and `opened` (receiving.md).
"""

import hmac
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM
from verify_manifest import N, judged, multiple, point_of, remember, sm3

CHUNK, TAG = 64 * 1024, 16
ROWS, DELETES = 1, 2
"""Numbers of the files as parts; a message's number is its `sequence`."""
BOUND = (
    *("agreement", "agreementVersion", "basis", "columns", "consumer", "dataset", "deliveryId"),
    *("expiresAt", "purpose", "retention", "tokenEpoch"),
)
INFO = b"onecard sealed delivery 1"
KEM_ID, KDF_ID, AEAD_ID = b"\x00\x20", b"\x00\x01", b"\x00\x02"
"""DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM (RFC 9180, section 7)."""


class Refused(Exception):
    """What was sealed does not open: altered, cut off, moved, or for another key."""


def content_key(manifest, private):
    """Cipher and key of a delivery.

    MANIFEST must have passed verify_manifest.py. PRIVATE: the content of our key file.
    """
    note = manifest.get("sealing")
    if not isinstance(note, dict) or note.get("format") != 1:
        raise Refused("the manifest says of no sealing that this script knows")
    if (note.get("suite"), note.get("keyId")) != (private["suite"], private["keyId"]):
        raise Refused(f"sealed for key {note.get('keyId')}, not for {private['keyId']}")
    secret, wrapped = bytes.fromhex(private["private"]), bytes.fromhex(note["wrapped"])
    try:
        if note["suite"] == "national":
            return "national", sm2_decrypted(secret, wrapped)
        return "international", hpke_opened(secret, wrapped, INFO)
    except (InvalidTag, ValueError):
        raise Refused("the key of this delivery does not open") from None


def opened(manifest, key, part, stream):
    """The content of one part, chunk by chunk; what came before an error is not to be used."""
    terms = {name: manifest.get(name) for name in BOUND}
    text = json.dumps(terms, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    bound, number, held = text.encode(), 0, stream.read(CHUNK + TAG)
    while True:
        following = stream.read(CHUNK + TAG)
        last = b"\x00" if following else b"\x01"
        nonce = part.to_bytes(4, "big") + number.to_bytes(7, "big") + last
        yield decrypted(key, nonce, held, bound)
        if not following:
            return
        number, held = number + 1, following


def decrypted(key, nonce, sealed, bound):
    """One chunk: AES-256-GCM or SM4-GCM."""
    suite, secret = key
    try:
        if suite == "international":
            return AESGCM(secret).decrypt(nonce, sealed, bound)
        opening = Cipher(SM4(secret), GCM(nonce, sealed[-TAG:])).decryptor()
        opening.authenticate_additional_data(bound)
        return opening.update(sealed[:-TAG]) + opening.finalize()
    except (InvalidTag, ValueError):
        raise Refused("altered, cut off, in another order, or of another delivery") from None


def sm2_decrypted(secret, wrapped):
    """SM2 decryption (GB/T 32918.4) of C1, C3, C2."""
    first, digest, hidden = wrapped[:65], wrapped[65:97], wrapped[97:]
    number = int.from_bytes(secret, "big")
    if not 0 < number < N - 1:
        raise ValueError("no private key")
    x, y = (n.to_bytes(32, "big") for n in multiple(number, point_of(first)))
    stream = b"".join(sm3(x + y + n.to_bytes(4, "big")) for n in range(1, len(hidden) // 32 + 2))
    content = bytes(a ^ b for a, b in zip(hidden, stream))
    if not hmac.compare_digest(sm3(x + content + y), digest):
        raise ValueError("altered")
    return content


def hpke_opened(secret, wrapped, info, aead=AEAD_ID, key_bytes=32, bound=b""):
    """HPKE in base mode, single-shot (RFC 9180, sections 4.1, 5.1 and 6.1)."""
    private, enc, sealed = X25519PrivateKey.from_private_bytes(secret), wrapped[:32], wrapped[32:]
    shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    kem, suite = b"KEM" + KEM_ID, b"HPKE" + KEM_ID + KDF_ID + aead
    both = enc + private.public_key().public_bytes_raw()
    shared = expanded(kem, extracted(kem, b"", b"eae_prk", shared), b"shared_secret", both, 32)
    context = b"\x00" + extracted(suite, b"", b"psk_id_hash", b"")
    context += extracted(suite, b"", b"info_hash", info)
    secret = extracted(suite, shared, b"secret", b"")
    key = expanded(suite, secret, b"key", context, key_bytes)
    nonce = expanded(suite, secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, sealed, bound)


def extracted(suite, salt, label, text):
    """LabeledExtract of RFC 9180."""
    return hmac.digest(salt, b"HPKE-v1" + suite + label + text, "sha256")


def expanded(suite, secret, label, info, length):
    """LabeledExpand of RFC 9180, for at most 32 bytes."""
    told = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(secret, told + b"\x01", "sha256")[:length]


def write_opened(manifest, key, part, sealed):
    """Open a file into a draft beside it; returns the draft."""
    draft = sealed.with_name(sealed.name + ".part")
    try:
        with sealed.open("rb") as stream, draft.open("wb") as out:
            out.writelines(opened(manifest, key, part, stream))
    except BaseException:
        draft.unlink()
        raise
    return draft


def main(manifest_file, keys_file, consumer, taken_file, private_file, *data):
    """Look at one delivery and open it; returns the exit code."""
    manifest, code, says = judged(manifest_file, keys_file, consumer, taken_file, data)
    if code == 0:
        drafts = []
        try:
            key = content_key(manifest, json.loads(Path(private_file).read_text("utf-8")))
            for part, name in enumerate(data, start=ROWS):
                drafts.append(write_opened(manifest, key, part, Path(name)))
            for draft in drafts:
                draft.replace(str(draft)[: -len(".sealed.part")])
            remember(manifest, taken_file)
        except Refused as error:
            for draft in drafts:
                draft.unlink()
            code, says = 1, str(error)
    print(says)
    return code


if __name__ == "__main__":
    if len(sys.argv) not in (7, 8):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
