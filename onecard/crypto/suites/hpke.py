"""Content keys wrapped for an X25519 key: HPKE in base mode (RFC 9180), from `cryptography`.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; `INFO` tells what the key is for. What comes
out is `enc ‖ ciphertext` as the RFC has it: 32 bytes, then the key and 16 bytes of tag.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from onecard.crypto.suites import common

INFO = b"onecard sealed delivery 1"
"""Nothing that was wrapped for another use opens here."""
_SCHEME = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def new_pair() -> tuple[bytes, bytes]:
    """A fresh private key and its public key, 32 bytes each."""
    private = X25519PrivateKey.generate()
    return private.private_bytes_raw(), private.public_key().public_bytes_raw()


def wrap(public: bytes, content: bytes) -> bytes:
    """Encrypt a content key for whoever has the private half.

    Raises:
        PolicyError: it is no public key, or one of those that give everybody the same secret.
    """
    try:
        return _SCHEME.encrypt(content, X25519PublicKey.from_public_bytes(public), INFO)
    except ValueError:
        raise common.no_public_key() from None


def unwrap(private: bytes, wrapped: bytes) -> bytes:
    """Open what `wrap` made.

    Raises:
        PolicyError: altered, or for another key.
    """
    try:
        return _SCHEME.decrypt(wrapped, X25519PrivateKey.from_private_bytes(private), INFO)
    except (InvalidTag, ValueError):
        raise common.does_not_open() from None
