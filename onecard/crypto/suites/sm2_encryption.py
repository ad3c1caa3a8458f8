"""SM2 public-key encryption (GB/T 32918.4): C1 ‖ C3 ‖ C2, with the arithmetic of `suites.sm2`.

The library's own `encrypt` draws its nonce from `random`, and its `decrypt` compares no digest and
takes points off the curve, from which a private key can be learnt bit by bit.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import cache
from hmac import compare_digest

from cryptography.hazmat.primitives.hashes import SM3

from onecard.crypto.suites import common, sm2


def new_pair() -> tuple[bytes, bytes]:
    """A fresh private key, 32 bytes, and its public key, 04 ‖ x ‖ y."""
    _proven()
    number = secrets.randbelow(sm2.N - 2) + 1
    return number.to_bytes(common.SECRET_BYTES, "big"), sm2.point(number)


def wrap(public: bytes, content: bytes) -> bytes:
    """Encrypt a content key for whoever has the private half.

    Raises:
        PolicyError: it is no point of the curve, or the library fails its known answer.
    """
    _proven()
    if not sm2.on_curve(public):
        raise common.no_public_key()
    while True:
        found = _encrypted(public, content, secrets.randbelow(sm2.N - 1) + 1)
        if found is not None:
            return found


def unwrap(private: bytes, wrapped: bytes) -> bytes:
    """Open what `wrap` made.

    Raises:
        PolicyError: altered, or for another key.
    """
    _proven()
    first, second = sm2.POINT_BYTES, sm2.POINT_BYTES + common.DIGEST_BYTES
    point, digest, hidden = wrapped[:first], wrapped[first:second], wrapped[second:]
    number = int.from_bytes(private, "big")
    if not (hidden and sm2.on_curve(point) and 0 < number < sm2.N - 1):
        raise common.does_not_open()
    shared = sm2.multiple(number, point)
    content = _masked(hidden, shared)
    if not compare_digest(_check(shared, content), digest):
        raise common.does_not_open()
    return content


def _encrypted(public: bytes, content: bytes, nonce: int) -> bytes | None:
    """One try; None where the nonce hides nothing (step A5 of the standard)."""
    shared = sm2.multiple(nonce, public)
    hidden = _masked(content, shared)
    if hidden == content:
        return None
    return sm2.point(nonce) + _check(shared, content) + hidden


def _check(shared: bytes, content: bytes) -> bytes:
    """C3: the digest of the shared point around the content."""
    half = len(shared) // 2
    return common.digest(SM3(), shared[:half] + content + shared[half:])


def _masked(text: bytes, shared: bytes) -> bytes:
    """The text and a key stream of the shared point (the standard's KDF), bit by bit."""
    blocks = -(-len(text) // common.DIGEST_BYTES)
    counted = (n.to_bytes(4, "big") for n in range(1, blocks + 1))
    stream = b"".join(common.digest(SM3(), shared + count) for count in counted)
    return bytes(a ^ b for a, b in zip(text, stream, strict=False))


@cache
def _proven() -> None:
    """Hold it once to the example of GM/T 0003.5, appendix C; a failure is not remembered."""
    number = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
    nonce = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
    wanted = (
        "04"
        "04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
        "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
        "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
        "21886ca989ca9c7d58087307ca93092d651efa"
    )

    def vectors() -> Iterator[common.Vector]:
        found = _encrypted(sm2.point(number), b"encryption standard", nonce)
        yield "SM2 encryption", found or b"", bytes.fromhex(wanted)

    common.prove("national", vectors())
