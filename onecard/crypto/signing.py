"""Signatures of checkpoints, receipts and manifests, with the key store's signing keys."""

from __future__ import annotations

from functools import cached_property

from onecard.crypto.audit_format import AuditCheckpoint
from onecard.crypto.keys import SIGNING, Key, KeyStore
from onecard.crypto.suites import SuiteName, suite
from onecard.errors import ConfigError, PolicyError


class Signer:
    """Signs with the current signing key, verifies with that of any epoch.

    The key is read when it is first needed and kept, so that `epoch` is always that of `sign`;
    use a new one for each transfer.

    Args:
        name: of the suite that signs.
        keys: the key store.
    """

    def __init__(self, name: SuiteName, keys: KeyStore) -> None:
        self._name = name
        self._keys = keys
        self._public: dict[tuple[str, str], bytes] = {}

    @property
    def suite(self) -> str:
        """Name of the suite that signs."""
        return self._name

    @property
    def epoch(self) -> str:
        """Epoch of the signing key; raises PolicyError when there is none."""
        return self._key.epoch

    @cached_property
    def _key(self) -> Key:
        return self._keys.signing()

    def sign(self, message: bytes) -> bytes:
        """The signature of a message.

        Raises:
            PolicyError: no signing key.
        """
        return suite(self._name).sign(self._key.secret, message)

    def verify(self, suite_name: str, epoch: str, message: bytes, signature: bytes) -> bool:
        """Whether a signature is right; False also for a suite or an epoch that is not known.

        Args:
            suite_name: of the suite that signed.
            epoch: of the key that signed.
            message: that was signed.
            signature: to be verified.
        """
        public = self._public_key(suite_name, epoch)
        return public is not None and suite(suite_name).verify(public, message, signature)

    def holds(self, checkpoint: AuditCheckpoint) -> bool:
        """Whether a checkpoint's signature is right: the verifier of `audit.verify`."""
        name, epoch = checkpoint.suite, checkpoint.key_epoch
        return self.verify(name, epoch, checkpoint.message(), checkpoint.signature)

    def public_keys(self) -> dict[str, str]:
        """Public keys of all epochs in both suites, hex by `<suite>/<epoch>`."""
        epochs = [k.epoch for k in self._keys.listed() if k.purpose == SIGNING]
        found = {f"{n}/{e}": self._public_key(n, e) for n in _suites() for e in sorted(epochs)}
        return {name: public.hex() for name, public in found.items() if public is not None}

    def _public_key(self, suite_name: str, epoch: str) -> bytes | None:
        """What is not known is not kept: it is whatever a document says, and may be known later."""
        wanted = suite_name, epoch
        found = self._public.get(wanted) or (self._derived(suite_name, epoch) if epoch else None)
        if found is not None:
            self._public[wanted] = found
        return found

    def _derived(self, suite_name: str, epoch: str) -> bytes | None:
        if suite_name not in _suites():
            return None
        try:
            return suite(suite_name).public(self._keys.signing_of(epoch).secret)
        except (PolicyError, ConfigError):
            return None


def _suites() -> tuple[SuiteName, ...]:
    return ("international", "national")
