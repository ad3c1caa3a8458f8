"""The national suite (GB/T 32905, 32907, 32918): SM3 and SM4-GCM from `cryptography`, SM2 beside.

The algorithms are the national ones; the module that runs them is not a certified one
(GB/T 37092). `docs/keys.md` says what an assessment after GB/T 39786 asks beyond this.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB, GCM
from cryptography.hazmat.primitives.hashes import SM3

from onecard.crypto.suites import common

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

KEY_BYTES = 16
_PLAIN = bytes.fromhex("0123456789abcdeffedcba9876543210")


class National:
    """See `onecard.crypto.suites.Suite`."""

    name: Literal["national"] = "national"
    file_digest_name = "sm3"
    content_bytes = KEY_BYTES

    def hash(self, data: bytes) -> bytes:
        """SM3 of `data`."""
        return common.digest(SM3(), data)

    def digests(self, secret: bytes, values: Iterable[str]) -> list[bytes]:
        """HMAC-SM3 of `v1|` and each value."""
        return common.keyed_digests(SM3(), secret, values)

    def digest_rows(self, secret: bytes, values: pl.Series) -> npt.NDArray[np.uint8]:
        """HMAC-SM3 of `v1|` and each value of a column; see `common.digest_rows`."""
        found = common.native_rows("sm3", secret, values)
        return common.digest_rows(SM3(), secret, values) if found is None else found

    def seal(self, secret: bytes, data: bytes, bound: bytes) -> bytes:
        """SM4-GCM (RFC 8998) under the first 16 bytes of SM3 of the secret.

        Args:
            secret: the key, 32 bytes.
            data: that is sealed.
            bound: not sealed, but the same is needed to unseal.
        """
        nonce = secrets.token_bytes(common.NONCE_BYTES)
        return nonce + self.encrypt(self._sealing_key(secret), nonce, data, bound)

    def unseal(self, secret: bytes, sealed: bytes, bound: bytes) -> bytes:
        """Open what `seal` made; raises PolicyError when it does not open.

        Args:
            secret: the key, 32 bytes.
            sealed: what `seal` gave.
            bound: the same that it was sealed with.
        """
        nonce, rest = sealed[: common.NONCE_BYTES], sealed[common.NONCE_BYTES :]
        return self.decrypt(self._sealing_key(secret), nonce, rest, bound)

    def encrypt(self, key: bytes, nonce: bytes, data: bytes, bound: bytes) -> bytes:
        """SM4-GCM (GB/T 32907, RFC 8998) under the key itself.

        Args:
            key: 16 bytes.
            nonce: 12 bytes, never twice under one key.
            data: that is encrypted.
            bound: not encrypted, but the same is needed to decrypt.
        """
        sealing = Cipher(SM4(key), GCM(nonce)).encryptor()
        sealing.authenticate_additional_data(bound)
        return sealing.update(data) + sealing.finalize() + sealing.tag

    def decrypt(self, key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
        """Open what `encrypt` made; raises PolicyError when it does not open.

        Args:
            key: 16 bytes.
            nonce: the same.
            sealed: what `encrypt` gave.
            bound: the same.
        """
        if len(nonce) != common.NONCE_BYTES or len(sealed) < common.TAG_BYTES:
            raise common.does_not_open()
        hidden, tag = sealed[: -common.TAG_BYTES], sealed[-common.TAG_BYTES :]
        opening = Cipher(SM4(key), GCM(nonce, tag)).decryptor()
        opening.authenticate_additional_data(bound)
        data = opening.update(hidden)
        try:
            return data + opening.finalize()
        except InvalidTag:
            raise common.does_not_open() from None

    def receiver_pair(self) -> tuple[bytes, bytes]:
        """An SM2 key: private half, 32 bytes, and public point, 65 bytes."""
        from onecard.crypto.suites import sm2_encryption  # noqa: PLC0415 - as in `sign`

        return sm2_encryption.new_pair()

    def wrap(self, public: bytes, content: bytes) -> bytes:
        """SM2 encryption (GB/T 32918.4); raises PolicyError where the key is none."""
        from onecard.crypto.suites import sm2_encryption  # noqa: PLC0415

        return sm2_encryption.wrap(public, content)

    def unwrap(self, private: bytes, wrapped: bytes) -> bytes:
        """Open what `wrap` made; raises PolicyError when it does not open."""
        from onecard.crypto.suites import sm2_encryption  # noqa: PLC0415

        return sm2_encryption.unwrap(private, wrapped)

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """An SM2 signature over SM3 with the default user id, DER (GB/T 35276)."""
        from onecard.crypto.suites import sm2  # noqa: PLC0415 - its library only where it is used

        return sm2.sign(secret, message)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature is right.

        Args:
            public: the signing key's public half.
            message: that was signed.
            signature: to be verified.
        """
        from onecard.crypto.suites import sm2  # noqa: PLC0415

        return sm2.verify(public, message, signature)

    def public(self, secret: bytes) -> bytes:
        """The SM2 public key, uncompressed point, 65 bytes."""
        from onecard.crypto.suites import sm2  # noqa: PLC0415

        return sm2.public(secret)

    def vectors(self) -> Iterator[common.Vector]:
        """GB/T 32905 A.1, HMAC-SM3, GB/T 32907 A.1, RFC 8998 A.1; SM2 has its own, at first use."""
        known = bytes.fromhex
        yield (
            "SM3",
            self.hash(b"abc"),
            known("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        )
        yield (
            "HMAC-SM3",
            common.hmac(SM3(), b"key", b"data"),
            known("88a5a14b0fcf4a8a7b0c5084b8ee36e70efca4e8467fa264c3231bf16463b425"),
        )
        block = Cipher(SM4(_PLAIN), ECB()).encryptor()  # noqa: S305 - one block, a known answer
        yield "SM4", block.update(_PLAIN), known("681edf34d206965e86b3e94f536e4246")
        parts = "aabbccddeeffeeaa"
        yield (
            "SM4-GCM",
            self.encrypt(
                _PLAIN,
                known("00001234567800000000abcd"),
                known("".join(parts[i : i + 2] * 8 for i in range(0, 16, 2))),
                known("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
            ),
            known(
                "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
                "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
                "83de3541e4c2b58177e065a9bf7b62ec"
            ),
        )

    def _sealing_key(self, secret: bytes) -> bytes:
        return self.hash(secret)[:KEY_BYTES]
