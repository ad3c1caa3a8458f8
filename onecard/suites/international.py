"""The international suite: SHA-256, AES-256-GCM, Ed25519, all from `cryptography`."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from typing import Literal

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from onecard.suites import common


class International:
    """See `onecard.suites.Suite`."""

    name: Literal["international"] = "international"
    file_digest_name = "sha256"

    def hash(self, data: bytes) -> bytes:
        """SHA-256 of `data`."""
        return hashlib.sha256(data).digest()

    def digests(self, secret: bytes, values: Iterable[str]) -> list[bytes]:
        """HMAC-SHA256 of `v1|` and each value."""
        return common.keyed_digests(SHA256(), secret, values)

    def seal(self, secret: bytes, data: bytes, bound: bytes) -> bytes:
        """AES-256-GCM under SHA-256 of the secret."""
        nonce = secrets.token_bytes(common.NONCE_BYTES)
        return nonce + AESGCM(self.hash(secret)).encrypt(nonce, data, bound)

    def unseal(self, secret: bytes, sealed: bytes, bound: bytes) -> bytes:
        """Open what `seal` made; raises PolicyError when it does not open."""
        nonce, rest = sealed[: common.NONCE_BYTES], sealed[common.NONCE_BYTES :]
        try:
            return AESGCM(self.hash(secret)).decrypt(nonce, rest, bound)
        except (InvalidTag, ValueError):
            raise common.does_not_open() from None

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes (RFC 8032)."""
        return _private(secret).sign(message)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature is right."""
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def public(self, secret: bytes) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        return _private(secret).public_key().public_bytes_raw()

    def vectors(self) -> Iterator[common.Vector]:
        """FIPS 180-4, RFC 4231 case 2, McGrew & Viega case 14, RFC 8032 test 1."""
        known = bytes.fromhex
        yield (
            "SHA-256",
            self.hash(b"abc"),
            known("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        )
        yield (
            "HMAC-SHA256",
            common.hmac(SHA256(), b"Jefe", b"what do ya want for nothing?"),
            known("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        )
        yield (
            "AES-256-GCM",
            AESGCM(bytes(32)).encrypt(bytes(12), bytes(16), b""),
            known("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
        )
        yield (
            "Ed25519",
            self.sign(
                known("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"), b""
            ),
            known(
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
                "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
            ),
        )


def _private(secret: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(common.signing_secret(secret))
