"""Keys, each purpose with its own, in epochs. No key, no delivery: nothing leaves.

Purposes: `token/<consumer>` (tokens), `quarantine` (rejected rows, files of tickets), `signing`
(receipts, anchors), `handback/<agency>` (its own rejected rows, where they go back sealed),
`caller/<sid>` (what a system signs its calls with, `onecard.serve`). Beside them stand the
consumers' public keys (`onecard.crypto.receiver_keys`), listed as `sealing/<consumer>`.
They come from a private file, from ONECARD_KEYS, or from any `() -> str` (Airflow's secrets
backend), always as the document of `onecard.crypto.key_document`. `until` is the last day on
which an epoch that is no longer current is good for delivery; after it the epoch stays for looking
up: opening the quarantine, disclosures, old signatures. Nothing ever makes a missing key silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from onecard.base.settings import keys_text
from onecard.base.times import ZONE
from onecard.crypto import key_document, receiver_keys
from onecard.crypto.key_document import KeyDocument, Purpose
from onecard.crypto.receiver_keys import ReceiverKey
from onecard.errors import OnecardError, PolicyError, UsageError, unknown

QUARANTINE = "quarantine"
SIGNING = "signing"
PassedText = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Key:
    """A secret and the epoch it belongs to; its representation shows only the epoch."""

    epoch: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be known of a key: everything but the secret."""

    purpose: str
    epoch: str
    created: date
    until: date | None
    current: bool

    def delivers(self, on: date) -> bool:
        """Whether the key is good for delivery on a day: current, or inside its window."""
        return self.current or (self.until is not None and on <= self.until)


class KeyStore:
    """Hands out keys; reads its source each time (a revoked key is gone).

    Every method raises PolicyError when the key, or the document, is missing, unreadable, not
    private or malformed. An error of ours that a callable source raises passes as it is.

    Args:
        source: the key file, or a callable that returns the document's text.
    """

    def __init__(self, source: Path | PassedText) -> None:
        self._source = source
        self._place = f"key file {source}" if isinstance(source, Path) else "the key source"

    def token(self, consumer: str) -> Key:
        """The consumer's token key of the current epoch."""
        return self._key(token_purpose(consumer))

    def token_epochs(self, consumer: str, on: date | None = None) -> tuple[Key, ...]:
        """The consumer's token keys, the current first, then the newest first.

        Args:
            consumer: an agency of the register.
            on: only those that are good for delivery on this day; default: all that are known.
        """
        name, document = token_purpose(consumer), self._document()
        current = self._found(document, name)
        others = (k for k in _listed(document) if k.purpose == name and not k.current)
        wanted = (k.epoch for k in others if on is None or k.delivers(on))
        return current, *(self._found(document, name, epoch) for epoch in wanted)

    def tokens(self, consumers: Iterable[str]) -> dict[str, Key]:
        """The token keys of the current epoch, of those consumers that have one; read at once.

        Args:
            consumers: agencies of the register.
        """
        document = self._document()
        named = {c: token_purpose(c) for c in consumers}
        return {c: self._found(document, p) for c, p in named.items() if p in document.purposes}

    def epochs(self, purposes: Iterable[str], on: date | None = None) -> dict[str, tuple[Key, ...]]:
        """Keys of those purposes that have one, each the current first; read at once.

        Args:
            purposes: of the keys.
            on: only those that are good on this day; default: all that are known.
        """
        document, wanted = self._document(), frozenset(purposes)
        found: dict[str, tuple[Key, ...]] = {}
        for k in _listed(document):
            if k.purpose in wanted and (on is None or k.delivers(on)):
                key = self._found(document, k.purpose, k.epoch)
                found[k.purpose] = (*found.get(k.purpose, ()), key)
        return found

    def quarantine(self) -> Key:
        """The quarantine key of the current epoch."""
        return self._key(QUARANTINE)

    def quarantine_of(self, epoch: str) -> Key:
        """The quarantine key of any epoch."""
        return self._key(QUARANTINE, epoch)

    def quarantines(self) -> dict[str, Key]:
        """The quarantine keys by their epochs; read at once."""
        return {key.epoch: key for key in self.epochs([QUARANTINE]).get(QUARANTINE, ())}

    def signing(self) -> Key:
        """The signing key of the current epoch."""
        return self._key(SIGNING)

    def signing_of(self, epoch: str) -> Key:
        """The signing key of any epoch."""
        return self._key(SIGNING, epoch)

    def handback(self, agency: str) -> Key:
        """The key that seals the agency's own rejected rows for it, of the current epoch."""
        return self._key(handback_purpose(agency))

    def receiver(self, consumer: str) -> ReceiverKey | None:
        """The public key that the consumer's deliveries are sealed for; None: it has given none."""
        return receiver_keys.current(self._document(), consumer)

    def listed(self) -> tuple[KeyInfo, ...]:
        """All keys without their secrets: by purpose, the current first, then the newest first."""
        return _listed(self._document())

    def _key(self, name: str, epoch: str | None = None) -> Key:
        return self._found(self._document(), name, epoch)

    def _found(self, document: KeyDocument, name: str, epoch: str | None = None) -> Key:
        purpose = document.purposes.get(name)
        wanted = purpose.current if purpose and epoch is None else epoch
        found = purpose.epochs.get(wanted) if purpose and wanted else None
        if found is None or wanted is None:
            of = "" if wanted is None else f" of epoch {wanted!r}"
            msg = f"no key {name}{of} in {self._place}: nothing leaves"
            raise PolicyError(msg)
        return Key(wanted, found.reveal(f"key {name} of epoch {wanted!r} in {self._place}"))

    def _document(self) -> KeyDocument:
        if isinstance(self._source, Path):
            return key_document.read(self._source)
        failed = ""
        try:
            text = self._source()
        except OnecardError:
            raise
        except Exception as error:  # noqa: BLE001 - a foreign store's text could quote the secret
            failed = type(error).__name__
        if failed:
            msg = f"{self._place} fails with {failed}: nothing leaves"
            raise PolicyError(msg)
        return key_document.parse(text, self._place)


def configured(file: Path, environment: Mapping[str, str] | None = None) -> KeyStore:
    """The store of keys: ONECARD_KEYS where that is set, else the file."""
    given = keys_text(environment)
    return KeyStore(lambda: keys_text(environment)) if given else KeyStore(file)


def token_purpose(consumer: str) -> str:
    """The purpose of a consumer's tokens."""
    return key_document.TOKEN_PREFIX + consumer


def handback_purpose(agency: str) -> str:
    """The purpose of rows that go back to their agency sealed."""
    return f"handback/{agency}"


def sealing_purpose(consumer: str) -> str:
    """What a consumer's public key is listed as."""
    return f"sealing/{consumer}"


def caller_purpose(sid: str) -> str:
    """The purpose of the key that a system signs its calls with."""
    return f"caller/{sid}"


def app_key(key: Key) -> bytes:
    """What a system signs with: the key's 64 hexadecimal digits, as text."""
    return key.secret.hex().encode()


def create(
    file: Path,
    consumers: Iterable[str],
    epoch: str,
    today: date | None = None,
    callers: Iterable[str] = (),
) -> None:
    """Make a key file with fresh keys for all purposes, mode 0600.

    Args:
        file: that must not be there yet.
        consumers: agencies that get a token key each.
        epoch: name of the first epoch.
        today: the day it begins.
        callers: systems that get a key each to sign their calls with.

    Raises:
        PolicyError: the file is there already (keys are never overwritten), or cannot be written.
    """
    key_document.check_epoch(epoch)
    day = today or datetime.now(ZONE).date()
    names = [QUARANTINE, SIGNING, *map(token_purpose, consumers), *map(caller_purpose, callers)]
    fresh = {n: Purpose(current=epoch, epochs={epoch: key_document.fresh(n, day)}) for n in names}
    file = file.resolve()
    with key_document.locked(file):
        if file.exists():
            msg = f"key file {file} is there already; keys are never overwritten"
            raise PolicyError(msg)
        key_document.write(file, KeyDocument(purposes=fresh))


def add(file: Path, purpose: str, epoch: str, today: date) -> None:
    """Make the first key of a purpose, e.g. of a consumer that came later.

    Args:
        file: the key file.
        purpose: `token/<consumer>` and the like.
        epoch: name of its first epoch.
        today: the day it begins.

    Raises:
        PolicyError: the purpose has keys already (rotate them), or the file cannot be written.
    """
    key_document.check_epoch(epoch)
    file = file.resolve()
    key_document.read(file)
    with key_document.locked(file):
        document = key_document.read(file)
        if purpose in document.purposes:
            msg = f"{purpose} has keys already; see `onecard keys rotate`"
            raise PolicyError(msg)
        made = {purpose: Purpose(current=epoch, epochs={epoch: key_document.fresh(purpose, today)})}
        purposes = {**document.purposes, **made}
        key_document.write(file, document.model_copy(update={"purposes": purposes}))


def rotate(file: Path, purpose: str, epoch: str, window: timedelta, today: date) -> None:
    """Make a new current epoch; the old one is good for delivery until today + window.

    Args:
        file: the key file.
        purpose: whose key is renewed.
        epoch: name of the new epoch.
        window: how long the epoch before it still delivers.
        today: the day it begins.

    Raises:
        UsageError: no such purpose; it lists the known ones.
        PolicyError: the epoch is there already, or the file cannot be read or written.
    """
    key_document.check_epoch(epoch)
    try:
        until = today + window
    except OverflowError:
        msg = "the window ends after the year 9999"
        raise PolicyError(msg) from None
    file = file.resolve()
    key_document.read(file)
    with key_document.locked(file):
        document = key_document.read(file)
        if purpose not in document.purposes:
            raise UsageError(unknown("purpose", purpose, document.purposes))
        present = document.purposes[purpose]
        if epoch in present.epochs:
            msg = f"{purpose} has an epoch {epoch!r} already; keys are never overwritten"
            raise PolicyError(msg)
        ended = {
            e: key.model_copy(update={"until": until}) if e == present.current else key
            for e, key in present.epochs.items()
        }
        epochs = {**ended, epoch: key_document.fresh(purpose, today)}
        renewed = {purpose: Purpose(current=epoch, epochs=epochs)}
        purposes = {**document.purposes, **renewed}
        key_document.write(file, document.model_copy(update={"purposes": purposes}))


def _listed(document: KeyDocument) -> tuple[KeyInfo, ...]:
    found = [
        KeyInfo(name, epoch, key.created, key.until, epoch == purpose.current)
        for name, purpose in document.purposes.items()
        for epoch, key in purpose.epochs.items()
    ]
    found += [
        KeyInfo(sealing_purpose(name), epoch, key.created, key.until, epoch == receiver.current)
        for name, receiver in document.receivers.items()
        for epoch, key in receiver.epochs.items()
    ]
    found.sort(key=lambda k: (k.created, k.epoch), reverse=True)
    return tuple(sorted(found, key=lambda k: (k.purpose, not k.current)))
