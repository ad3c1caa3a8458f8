"""The international suite: SHA-256, AES-256-GCM, Ed25519, HPKE, all from `cryptography`.

Whole columns of HMACs come from the compiled library (ADR 0028), without it from `polars_hash`
where the key allows it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Literal

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from onecard.crypto.suites import common, hpke
from onecard.errors import PolicyError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

BLOCK_BYTES = 64
"""Of SHA-256: a longer key would be hashed first (RFC 2104)."""


class International:
    """See `onecard.crypto.suites.Suite`."""

    name: Literal["international"] = "international"
    file_digest_name = "sha256"
    content_bytes = 32

    def hash(self, data: bytes) -> bytes:
        """SHA-256 of `data`."""
        return hashlib.sha256(data).digest()

    def digests(self, secret: bytes, values: Iterable[str]) -> list[bytes]:
        """HMAC-SHA256 of `v1|` and each value."""
        return common.keyed_digests(SHA256(), secret, values)

    def digest_rows(self, secret: bytes, values: pl.Series) -> npt.NDArray[np.uint8]:
        """HMAC-SHA256 of `v1|` and each value of a column; see `common.digest_rows`.

        Without the compiled library: a key of seven-bit bytes, as new token keys are, is one that
        `polars_hash` can take, which computes whole columns without Python; another key gives the
        same digests, slower.
        """
        found = common.native_rows("sha256", secret, values)
        if found is not None:
            return found
        if not secret.isascii() or len(secret) > BLOCK_BYTES:
            return common.digest_rows(SHA256(), secret, values)
        return _octets(_hashed(secret, values))

    def seal(self, secret: bytes, data: bytes, bound: bytes) -> bytes:
        """AES-256-GCM under SHA-256 of the secret.

        Args:
            secret: the key, 32 bytes.
            data: that is sealed.
            bound: not sealed, but the same is needed to unseal.
        """
        nonce = secrets.token_bytes(common.NONCE_BYTES)
        return nonce + self.encrypt(self.hash(secret), nonce, data, bound)

    def unseal(self, secret: bytes, sealed: bytes, bound: bytes) -> bytes:
        """Open what `seal` made; raises PolicyError when it does not open.

        Args:
            secret: the key, 32 bytes.
            sealed: what `seal` gave.
            bound: the same that it was sealed with.
        """
        nonce, rest = sealed[: common.NONCE_BYTES], sealed[common.NONCE_BYTES :]
        return self.decrypt(self.hash(secret), nonce, rest, bound)

    def encrypt(self, key: bytes, nonce: bytes, data: bytes, bound: bytes) -> bytes:
        """AES-256-GCM (NIST SP 800-38D) under the key itself.

        Args:
            key: 32 bytes.
            nonce: 12 bytes, never twice under one key.
            data: that is encrypted.
            bound: not encrypted, but the same is needed to decrypt.
        """
        return AESGCM(key).encrypt(nonce, data, bound)

    def decrypt(self, key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
        """Open what `encrypt` made; raises PolicyError when it does not open.

        Args:
            key: 32 bytes.
            nonce: the same.
            sealed: what `encrypt` gave.
            bound: the same.
        """
        try:
            return AESGCM(key).decrypt(nonce, sealed, bound)
        except (InvalidTag, ValueError):
            raise common.does_not_open() from None

    def receiver_pair(self) -> tuple[bytes, bytes]:
        """An X25519 key: private and public half, 32 bytes each."""
        return hpke.new_pair()

    def wrap(self, public: bytes, content: bytes) -> bytes:
        """HPKE for an X25519 key; raises PolicyError where it is none."""
        return hpke.wrap(public, content)

    def unwrap(self, private: bytes, wrapped: bytes) -> bytes:
        """Open what `wrap` made; raises PolicyError when it does not open."""
        return hpke.unwrap(private, wrapped)

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes (RFC 8032)."""
        return _private(secret).sign(message)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature is right.

        Args:
            public: the signing key's public half.
            message: that was signed.
            signature: to be verified.
        """
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


def _hashed(secret: bytes, values: pl.Series) -> pl.Series:
    """The digests in hexadecimal. An error names its kind alone: its text could quote the key."""
    import polars as pl  # noqa: PLC0415 - only where rows flow
    import polars_hash  # noqa: F401, PLC0415 - registers the expressions below

    failed = ""
    try:
        prefixed = pl.lit(common.DIGEST_PREFIX.decode()) + pl.lit(values.fill_null(""))
        found = prefixed.chash.hmac_sha256(key=secret.decode())  # type: ignore[attr-defined]
        return pl.select(found).to_series()
    except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001 - see above
        failed = type(error).__name__
    msg = f"tokens cannot be computed ({failed}): nothing leaves"
    raise PolicyError(msg)


def _octets(column: pl.Series) -> npt.NDArray[np.uint8]:
    """A column of 64 hexadecimal digits as rows of 32 bytes, by a table of all pairs of digits."""
    import numpy as np  # noqa: PLC0415 - only where rows flow
    from polars import CompatLevel  # noqa: PLC0415

    text = column.rechunk().to_arrow(compat_level=CompatLevel.oldest())
    start = np.frombuffer(text.buffers()[1], np.int64)[text.offset] if len(text) else 0
    size = len(text) * 2 * common.DIGEST_BYTES
    digits = np.frombuffer(text.buffers()[2], np.uint8)[start : start + size]
    found: npt.NDArray[np.uint8] = _pairs()[digits.view(np.uint16)]
    return found.reshape(len(text), common.DIGEST_BYTES)


@cache
def _pairs() -> npt.NDArray[np.uint8]:
    """For each two digits, as they lie in memory, their byte."""
    import numpy as np  # noqa: PLC0415 - only where rows flow

    table = np.zeros(1 << 16, np.uint8)
    written = np.frombuffer(bytes(range(256)).hex().encode(), np.uint16)
    table[written] = np.arange(256)
    return table


def _private(secret: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(common.signing_secret(secret))
