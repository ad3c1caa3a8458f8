"""Public keys of consumers, for whom deliveries are sealed (`onecard.crypto.envelope`).

The consumer makes the pair and keeps the private half; the hub gets the public one in a file and
has it confirmed by another way (its fingerprint by telephone). It is used from the moment at which
it was accepted; the one before it never again.

    {"consumer": "bank", "keyId": "2027", "suite": "international", "public": "<hex digits>"}
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError

from onecard.base.frozen import Frozen
from onecard.base.settings import SuiteName
from onecard.crypto import key_document
from onecard.crypto.key_document import KeyDocument, PublicEpoch, Receiver
from onecard.crypto.suites import suite
from onecard.errors import PolicyError, UsageError, unwritten


@dataclass(frozen=True, slots=True)
class ReceiverKey:
    """The public key that a consumer's deliveries are sealed for."""

    epoch: str
    suite: SuiteName
    public: bytes


class PublicKeyFile(Frozen):
    """What a consumer hands over."""

    consumer: str
    epoch: str = Field(alias="keyId")
    suite: SuiteName
    public: str = Field(pattern=r"^([0-9a-f]{2})+$")

    @property
    def fingerprint(self) -> str:
        """What two people compare by telephone: 32 hexadecimal digits in groups of four."""
        digest = suite(self.suite).hash(bytes.fromhex(self.public)).hex()[:32]
        return " ".join(digest[n : n + 4] for n in range(0, len(digest), 4))


class PrivateKeyFile(PublicKeyFile):
    """What the consumer keeps: the same, and the private half."""

    private: SecretStr


def current(document: KeyDocument, consumer: str) -> ReceiverKey | None:
    """The key of a consumer that is good now; None: it has given none."""
    receiver = document.receivers.get(consumer)
    found = receiver.epochs.get(receiver.current) if receiver else None
    if receiver is None or found is None:
        return None
    return ReceiverKey(receiver.current, found.suite, bytes.fromhex(found.public))


def make_pair(consumer: str, epoch: str, suite_name: SuiteName, private: Path) -> PublicKeyFile:
    """Make a key pair, as a consumer does: the private half goes into a file of mode 0600.

    Args:
        consumer: whose.
        epoch: the key's id.
        suite_name: `international` or `national`.
        private: file of the private half, which must not be there yet.

    Raises:
        PolicyError: the file is there already, or cannot be written.
    """
    key_document.check_epoch(epoch)
    secret, public = suite(suite_name).receiver_pair()
    told = {"consumer": consumer, "keyId": epoch, "suite": suite_name, "public": public.hex()}
    try:
        descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(json.dumps({**told, "private": secret.hex()}, indent=1) + "\n")
    except FileExistsError:
        msg = f"{private} is there already; keys are never overwritten"
        raise PolicyError(msg) from None
    except OSError as error:
        raise unwritten(str(private), error, PolicyError) from None
    return PublicKeyFile.model_validate(told)


def read_public(file: Path) -> PublicKeyFile:
    """The public key in a consumer's file.

    Raises:
        UsageError: it cannot be read, or is none; a private key is refused, and not quoted.
    """
    content = _json(file)
    if isinstance(content, dict) and "private" in content:
        msg = f"{file.name} holds a private key, which nobody but its owner may have"
        raise UsageError(msg)
    try:
        return PublicKeyFile.model_validate(content)
    except ValidationError:
        msg = f"{file.name} is no public key; its members: consumer, keyId, suite, public"
        raise UsageError(msg) from None


def read_private(file: Path) -> PrivateKeyFile:
    """The private key in a consumer's own file.

    Raises:
        UsageError: it cannot be read, or is none; nothing of it is quoted.
    """
    try:
        return PrivateKeyFile.model_validate(_json(file))
    except ValidationError:
        msg = f"{file.name} is no private key of a consumer"
    raise UsageError(msg)


def accept(file: Path, key: PublicKeyFile, today: date) -> None:
    """Seal for this key from now on; the one before it is not used again.

    Args:
        file: the hub's key file.
        key: the consumer's.
        today: the day it begins.

    Raises:
        PolicyError: its id or the key itself was used before, it is no key of its suite, or the
            file cannot be read or written.
    """
    key_document.check_epoch(key.epoch)
    proven = suite(key.suite)
    proven.wrap(bytes.fromhex(key.public), bytes(proven.content_bytes))
    file = file.resolve()
    key_document.read(file)
    with key_document.locked(file):
        document = key_document.read(file)
        before = document.receivers.get(key.consumer)
        known = dict(before.epochs) if before else {}
        if key.epoch in known:
            msg = f"{key.consumer} has a key {key.epoch!r} already; keys are never overwritten"
            raise PolicyError(msg)
        used = (e.public for r in document.receivers.values() for e in r.epochs.values())
        if key.public in used:
            msg = f"{key.consumer}: this key was used before; a new one is needed"
            raise PolicyError(msg)
        if before is not None:
            ended = {"until": today - timedelta(days=1)}
            known[before.current] = known[before.current].model_copy(update=ended)
        known[key.epoch] = PublicEpoch(suite=key.suite, public=key.public, created=today)
        receivers = {key.consumer: Receiver(current=key.epoch, epochs=known)}
        update = {"receivers": {**document.receivers, **receivers}}
        key_document.write(file, document.model_copy(update=update))


def _json(file: Path) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{file.name} cannot be read: {error.strerror}"
    except (ValueError, RecursionError):
        msg = f"{file.name} is no JSON"
    raise UsageError(msg)
