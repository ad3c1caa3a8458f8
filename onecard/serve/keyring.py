"""Keys of callers and of consumers, read once a second: a key that was revoked is gone as soon."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from onecard.base.platform_signature import Credential
from onecard.crypto import keys
from onecard.crypto.keys import Key, KeyStore
from onecard.crypto.signing import Signer
from onecard.errors import OnecardError
from schemas.models.callers import CallerSystem

KEPT_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Keyring:
    """Keys as they are now.

    Attributes:
        callers: systems that may call, by sid.
        consumers: token keys by consumer, the current first; all epochs that are known.
        credentials: of each caller, by sid: what its calls may be signed with today.
        signer: signs with the current key.
    """

    callers: Mapping[str, CallerSystem]
    consumers: Mapping[str, tuple[Key, ...]] = field(repr=False)
    credentials: Mapping[str, tuple[Credential, ...]] = field(repr=False)
    signer: Signer

    @cached_property
    def prefixes(self) -> tuple[str, ...]:
        """Of the headers that callers sign by, in small letters."""
        return tuple(sorted({system.header_prefix.lower() for system in self.callers.values()}))

    def current(self) -> dict[str, Key]:
        """The token key of each consumer that has one."""
        return {name: found[0] for name, found in self.consumers.items()}

    def of_epoch(self, consumer: str, epoch: str) -> Key | None:
        """A consumer's token key of an epoch.

        Args:
            consumer: an agency.
            epoch: of the key.
        """
        return next((k for k in self.consumers.get(consumer, ()) if k.epoch == epoch), None)


def read(
    store: KeyStore,
    consumers: Iterable[str],
    callers: Mapping[str, CallerSystem],
    today: date,
    signer: Signer,
) -> Keyring:
    """The keys of a store.

    Args:
        store: the key store.
        consumers: agencies.
        callers: systems that may call, by sid.
        today: a caller's earlier key is good until its last day.
        signer: whose key is read with the others.

    Raises:
        PolicyError: the document cannot be read, or has no signing key.
    """
    named = {keys.token_purpose(c): c for c in consumers}
    own = {keys.caller_purpose(s): s for s in callers}
    tokens, signing = store.epochs(named), store.epochs(own, today)
    credentials = {
        own[purpose]: tuple(
            Credential(own[purpose], keys.app_key(k), callers[own[purpose]]) for k in found
        )
        for purpose, found in signing.items()
    }
    signer.epoch  # noqa: B018 - reads the key, so that a missing one is known at once
    by_consumer = {named[purpose]: found for purpose, found in tokens.items()}
    return Keyring(callers, by_consumer, credentials, signer)


class Keyholder:
    """Gives the keyring, at most a second old; none while it cannot be read.

    Args:
        read: reads it.
        steady_s: a clock that nobody sets, in seconds.
    """

    def __init__(
        self, read: Callable[[], Keyring], steady_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._steady_s = read, steady_s
        self._lock = threading.Lock()
        self._held: Keyring | None = None
        self._until = float("-inf")

    def __call__(self) -> Keyring | None:
        """The keyring; None: there is none, and nobody is answered."""
        with self._lock:
            if self._steady_s() >= self._until:
                try:
                    self._held = self._read()
                except OnecardError as error:
                    if self._held is not None or self._until < 0:  # said once, not each second
                        log.error("nobody is answered: %s", error)  # noqa: TRY400 - says it all
                    self._held = None
                self._until = self._steady_s() + KEPT_S
            return self._held
