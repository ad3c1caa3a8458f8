"""Sealed deliveries (PR-20): a digital envelope (数字信封) that one consumer can open.

Each delivery has a content key of its own, wrapped for the consumer's public key; the manifest,
which the hub signs, tells whose key it is and holds the wrapped one (`sealing`). What leaves is
parts (a file, a message), each of them chunks: `CHUNK_BYTES` of content, encrypted, and a tag of
16 bytes; the last chunk of a part may be shorter. The nonce of a chunk is the number of its part
(4 bytes), its own number from 0 (7 bytes), and 1 if it is the last, else 0 (1 byte), so that a
chunk that was lost, moved, repeated or cut off shows. With each chunk the terms of the delivery are
authenticated: the members `BOUND` of the manifest as canonical JSON. The form of the chunks is that
of STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption, 2015).

`Envelope` closes them, `OpenedEnvelope` opens them as a consumer may; docs/open_sealed.py does it
without this code.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from onecard.crypto.audit_format import canonical_json
from onecard.crypto.receiver_keys import ReceiverKey
from onecard.crypto.suites import Suite, suite
from onecard.crypto.suites.common import TAG_BYTES, does_not_open
from onecard.errors import ConfigError, PolicyError

FORMAT = 1
CHUNK_BYTES = 64 * 1024
"""Content of a chunk; so much is in memory at once."""
BOUND = (
    *("agreement", "agreementVersion", "basis", "columns", "consumer", "dataset", "deliveryId"),
    *("expiresAt", "purpose", "retention", "tokenEpoch"),
)
"""Members of the manifest to which each chunk is bound: known before anything is sent."""


class Envelope:
    """The envelope of one delivery; implements `onecard.ports.sink.PartSealer`.

    Args:
        suite: of the hub.
        key: public key of the consumer.
        terms: of the delivery; `BOUND` at least.

    Raises:
        PolicyError: the key is none of this suite: nothing leaves.
    """

    def __init__(self, suite: Suite, key: ReceiverKey, terms: Mapping[str, Any]) -> None:
        self._suite, self._bound = suite, _bound(terms)
        self._content = secrets.token_bytes(suite.content_bytes)
        wrapped = suite.wrap(key.public, self._content)
        self._note = {
            "format": FORMAT,
            "suite": suite.name,
            "keyId": key.epoch,
            "wrapped": wrapped.hex(),
        }

    @property
    def note(self) -> Mapping[str, Any]:
        """What the manifest says of it."""
        return self._note

    def sealed(self, part: int, plain: BinaryIO) -> Iterator[bytes]:
        """The chunks of one part.

        Args:
            part: its number, never twice in a delivery.
            plain: what is in it.
        """
        number, held = 0, plain.read(CHUNK_BYTES)
        while True:
            following = plain.read(CHUNK_BYTES)
            nonce = _nonce(part, number, last=not following)
            yield self._suite.encrypt(self._content, nonce, held, self._bound)
            if not following:
                return
            number, held = number + 1, following


class OpenedEnvelope:
    """The envelope of a delivery as its consumer opens it.

    Args:
        manifest: of the delivery; whose signature was verified.
        key_id: of the private key.
        private: the private key.

    Raises:
        PolicyError: another key, or another format.
    """

    def __init__(self, manifest: Mapping[str, Any], key_id: str, private: bytes) -> None:
        note = manifest.get("sealing")
        if not isinstance(note, Mapping) or note.get("format") != FORMAT:
            msg = "the manifest says of no sealing in a known format"
            raise PolicyError(msg)
        if note.get("keyId") != key_id:
            msg = f"sealed for key {note.get('keyId')!r}, not for {key_id!r}"
            raise PolicyError(msg)
        try:
            self._suite = suite(str(note.get("suite")))
            wrapped = bytes.fromhex(str(note.get("wrapped")))
        except (ConfigError, ValueError):
            msg = "the manifest says of its sealing what cannot be read"
            raise PolicyError(msg) from None
        self._content, self._bound = self._suite.unwrap(private, wrapped), _bound(manifest)

    def plain(self, part: int, sealed: BinaryIO) -> Iterator[bytes]:
        """The content of one part, chunk by chunk; what came before an error is not whole.

        Args:
            part: its number.
            sealed: its chunks.

        Raises:
            PolicyError: altered, cut off, in another order, or of another part or delivery.
        """
        size = CHUNK_BYTES + TAG_BYTES
        number, held = 0, sealed.read(size)
        while True:
            if len(held) < TAG_BYTES:
                raise does_not_open()
            following = sealed.read(size)
            nonce = _nonce(part, number, last=not following)
            yield self._suite.decrypt(self._content, nonce, held, self._bound)
            if not following:
                return
            number, held = number + 1, following


def _bound(terms: Mapping[str, Any]) -> bytes:
    return canonical_json({name: terms.get(name) for name in BOUND}).encode()


def _nonce(part: int, number: int, *, last: bool) -> bytes:
    return part.to_bytes(4, "big") + number.to_bytes(7, "big") + bytes([last])
