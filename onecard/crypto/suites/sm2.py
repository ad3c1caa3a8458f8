"""SM2 signatures (GB/T 32918.2) with the point arithmetic of `gmssl`, pure Python.

Only the arithmetic is taken from the library. Its own `sign_with_sm3` draws the nonce from
`random`, which gives the private key away; its constructor strips leading 0 and 4 digits from
public keys; its `verify` accepts r and s out of range and points off the curve; its SM3 is slow.
Not constant in time: sign where nobody else can measure.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SM3

from onecard.base.extras import extra
from onecard.crypto.suites import common

USER_ID = b"1234567812345678"
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)
POINT_BYTES = 65
_UNCOMPRESSED = b"\x04"


def sign(secret: bytes, message: bytes) -> bytes:
    """Sign SM3(Z ‖ message); the answer is DER SEQUENCE { r, s }.

    Raises:
        PolicyError: the secret is not 32 bytes, or the library fails its known answer.
    """
    _proven()
    scalar = _scalar(secret)
    e = _message_digest(point(scalar), message)
    while True:
        found = _signature(scalar, e, secrets.randbelow(N - 1) + 1)
        if found is not None:
            return encode_dss_signature(*found)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is right; anything malformed is not.

    Args:
        public: point of the key, uncompressed (65 bytes).
        message: that was signed.
        signature: DER of r and s.

    Raises:
        PolicyError: the library fails its known answer.
    """
    _proven()
    try:
        r, s = decode_dss_signature(signature)
        if not (on_curve(public) and 0 < r < N and 0 < s < N):
            return False
        engine = _engine()
        engine.public_key = public[1:].hex()
        return bool(engine.verify(f"{r:064x}{s:064x}", _message_digest(public, message)))
    except (ValueError, TypeError):  # no DER, or the library met the point at infinity
        return False


def public(secret: bytes) -> bytes:
    """The public key, 04 ‖ x ‖ y.

    Raises:
        PolicyError: as `sign`.
    """
    _proven()
    return point(_scalar(secret))


def _scalar(secret: bytes) -> int:
    """The secret as a number from 1 to n - 2; all but one in 2³² stand as they are."""
    return (int.from_bytes(common.signing_secret(secret), "big") - 1) % (N - 2) + 1


def point(scalar: int) -> bytes:
    """The multiple of the curve's base point, 04 ‖ x ‖ y."""
    return _UNCOMPRESSED + _multiple(scalar, G)


def multiple(scalar: int, of: bytes) -> bytes:
    """The multiple of a point of the curve (04 ‖ x ‖ y), as x ‖ y."""
    return _multiple(scalar, of[1:].hex())


def _multiple(scalar: int, of: str) -> bytes:
    return bytes.fromhex(_engine()._kg(scalar, of))  # noqa: SLF001 - it has no other


def _signature(scalar: int, e: bytes, nonce: int) -> tuple[int, int] | None:
    engine = _engine(f"{scalar:064x}")
    text = engine.sign(e, f"{nonce:064x}")
    return (int(text[:64], 16), int(text[64:], 16)) if text else None


def _message_digest(public: bytes, message: bytes) -> bytes:
    curve = b"".join(number.to_bytes(32, "big") for number in (A, B)) + bytes.fromhex(G)
    length = (8 * len(USER_ID)).to_bytes(2, "big")
    z = common.digest(SM3(), length + USER_ID + curve + public[1:])
    return common.digest(SM3(), z + message)


def on_curve(public: bytes) -> bool:
    """Whether bytes are a point of the curve, 04 ‖ x ‖ y."""
    if len(public) != POINT_BYTES or public[:1] != _UNCOMPRESSED:
        return False
    x, y = int.from_bytes(public[1:33], "big"), int.from_bytes(public[33:], "big")
    return x < P and y < P and (y * y - x * x * x - A * x - B) % P == 0


@cache
def _proven() -> None:
    """Hold the library once to the signature of GM/T 0003.5 A.2; a failure is not remembered."""
    scalar = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
    nonce = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21

    def vectors() -> Iterator[common.Vector]:
        own = point(scalar)
        wanted = (
            "04"
            "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
            "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
        )
        yield "SM2 public key", own, bytes.fromhex(wanted)
        found = _signature(scalar, _message_digest(own, b"message digest"), nonce) or (0, 0)
        wanted = (
            "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
            "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
        )
        text = "".join(f"{number:064x}" for number in found)
        yield "SM2 signature", bytes.fromhex(text), bytes.fromhex(wanted)

    common.prove("national", vectors())


def _engine(private: str = "") -> Any:  # noqa: ANN401 - the library has no types
    with extra("national"):
        from gmssl.sm2 import CryptSM2  # noqa: PLC0415

    return CryptSM2(private_key=private, public_key="")
