"""The two cryptographic suites: `international` (default) and `national` (商用密码 algorithms).

| | international | national |
|---|---|---|
| tokens, look-ups | HMAC-SHA256 | HMAC-SM3 |
| sealed data | AES-256-GCM | SM4-GCM |
| signatures | Ed25519 | SM2 with SM3 |
| content keys of sealed deliveries | HPKE, X25519 | SM2 encryption |
| files | SHA-256 | SM3 |

A suite is held to published vectors when it is first asked for; one that fails is never used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Protocol

from onecard.base.settings import SuiteName
from onecard.crypto.suites.common import Vector, prove
from onecard.crypto.suites.international import International
from onecard.crypto.suites.national import National
from onecard.errors import ConfigError, unknown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

__all__ = ["Suite", "SuiteName", "prove", "suite"]


class Suite(Protocol):
    """What the hub computes with secrets. Secrets are 32 random bytes."""

    @property
    def name(self) -> SuiteName:
        """The suite's name, as in ONECARD_SUITE."""

    @property
    def file_digest_name(self) -> str:
        """Name of `hash` in manifests and receipts: `sha256` or `sm3`."""

    @property
    def content_bytes(self) -> int:
        """How long a content key is: 32 (AES-256) or 16 (SM4)."""

    def hash(self, data: bytes) -> bytes:
        """The 32-byte digest of `data`."""

    def digests(self, secret: bytes, values: Iterable[str]) -> list[bytes]:
        """The 32-byte HMAC of `v1|` and each value, in their order."""

    def digest_rows(self, secret: bytes, values: pl.Series) -> npt.NDArray[np.uint8]:
        """`digests` of a text column as rows of 32 bytes; a NULL counts as the empty text."""

    def seal(self, secret: bytes, data: bytes, bound: bytes) -> bytes:
        """Encrypt; 12 bytes nonce, ciphertext, 16 bytes tag.

        Args:
            secret: of the purpose.
            data: what is hidden.
            bound: not hidden, but needed again to open (where the data belongs).
        """

    def unseal(self, secret: bytes, sealed: bytes, bound: bytes) -> bytes:
        """Open what `seal` made.

        Args:
            secret: the key, 32 bytes.
            sealed: what `seal` gave.
            bound: the same that it was sealed with.

        Raises:
            PolicyError: altered, moved to another place, or another key; it holds no value.
        """

    def encrypt(self, key: bytes, nonce: bytes, data: bytes, bound: bytes) -> bytes:
        """Encrypt under a key and a nonce of the caller's; ciphertext, then 16 bytes of tag.

        Args:
            key: `content_bytes` long.
            nonce: 12 bytes, never twice under one key.
            data: what is hidden.
            bound: not hidden, but needed again to open.
        """

    def decrypt(self, key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
        """Open what `encrypt` made.

        Args:
            key: the same.
            nonce: the same.
            sealed: what `encrypt` gave.
            bound: the same.

        Raises:
            PolicyError: altered, moved to another place, or another key; it holds no value.
        """

    def receiver_pair(self) -> tuple[bytes, bytes]:
        """A fresh private and public key of somebody who is to receive sealed deliveries."""

    def wrap(self, public: bytes, content: bytes) -> bytes:
        """Encrypt a content key for the holder of a public key's private half.

        Raises:
            PolicyError: it is no public key of this suite.
        """

    def unwrap(self, private: bytes, wrapped: bytes) -> bytes:
        """Open what `wrap` made.

        Raises:
            PolicyError: altered, or for another key.
        """

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """Sign a message.

        Raises:
            PolicyError: the secret is not 32 bytes.
        """

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature is right; False also for anything malformed.

        Args:
            public: the signing key's public half.
            message: that was signed.
            signature: to be verified.
        """

    def public(self, secret: bytes) -> bytes:
        """The public key of a signing secret; raises like `sign`."""

    def vectors(self) -> Iterator[Vector]:
        """Known answers: what, what came out, what the standard says."""


_SUITES: dict[str, type[International] | type[National]] = {
    "international": International,
    "national": National,
}


@cache
def suite(name: str) -> Suite:
    """The suite of that name, proven by its vectors.

    Raises:
        ConfigError: no such suite; it lists the known ones.
        PolicyError: its self-test fails here: nothing leaves.
    """
    if name not in _SUITES:
        raise ConfigError(unknown("suite", name, _SUITES))
    found = _SUITES[name]()
    prove(name, found.vectors())
    return found
