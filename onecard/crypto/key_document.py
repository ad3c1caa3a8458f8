"""The key document (format 2): reading it privately, writing it whole or not at all.

    {"format": 2, "purposes": {"token/bank": {"current": "2026", "epochs": {
        "2026": {"secret": "<64 hex digits>", "created": "2026-01-02", "until": null}}}},
     "receivers": {"bank": {"current": "2026", "epochs": {
        "2026": {"suite": "international", "public": "<hex digits>", "created": "2026-01-02",
                 "until": null}}}}}

`receivers` holds public keys of consumers (`onecard.crypto.receiver_keys`); it may be absent.

No message, representation or chained error quotes any of it but purposes and epochs.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError

from onecard.base.frozen import Frozen
from onecard.base.settings import SuiteName
from onecard.errors import PolicyError, unwritten

KEY_BYTES = 32
TOKEN_PREFIX = "token/"  # noqa: S105 - a purpose, not a secret
_EPOCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_SECRET = re.compile(r"[0-9a-fA-F]{64}")


class Epoch(Frozen):
    """One key of a purpose."""

    secret: SecretStr
    created: date
    until: date | None = None

    def reveal(self, what: str) -> bytes:
        """The secret itself.

        Raises:
            PolicyError: it is not 32 bytes in hex; the message says `what` it was to be.
        """
        text = self.secret.get_secret_value()
        if not _SECRET.fullmatch(text):
            msg = f"{what} is not {KEY_BYTES} bytes in hex: nothing leaves"
            raise PolicyError(msg)
        return bytes.fromhex(text)


class Purpose(Frozen):
    """A purpose's keys by epoch, and which of them is used now."""

    current: str
    epochs: Mapping[str, Epoch]


class PublicEpoch(Frozen):
    """One public key of a consumer; whose it is was asked by another way.

    Attributes:
        until: last day on which something was sealed for it.
    """

    suite: SuiteName
    public: str = Field(pattern=r"^([0-9a-f]{2})+$")
    created: date
    until: date | None = None


class Receiver(Frozen):
    """A consumer's public keys by epoch, and which of them deliveries are sealed for."""

    current: str
    epochs: Mapping[str, PublicEpoch]


class KeyDocument(Frozen):
    """The whole document."""

    format: Literal[2] = 2
    purposes: Mapping[str, Purpose]
    receivers: Mapping[str, Receiver] = Field(default_factory=dict)

    def text(self) -> str:
        """As JSON, secrets in clear: for the private file only."""
        purposes = {
            name: {
                "current": purpose.current,
                "epochs": {
                    epoch: {
                        "secret": key.secret.get_secret_value(),
                        "created": key.created.isoformat(),
                        "until": key.until.isoformat() if key.until else None,
                    }
                    for epoch, key in sorted(purpose.epochs.items())
                },
            }
            for name, purpose in sorted(self.purposes.items())
        }
        receivers = {n: r.model_dump(mode="json") for n, r in sorted(self.receivers.items())}
        told = {"receivers": receivers} if receivers else {}
        return json.dumps({"format": self.format, "purposes": purposes, **told}, indent=1) + "\n"


def fresh(purpose: str, today: date) -> Epoch:
    """A new random key.

    Of a token key's bytes seven bits are random (224 bits in all; its HMAC is cut to 130), so that
    whole columns can be hashed by a library that takes keys as text.
    """
    mask = 0x7F if purpose.startswith(TOKEN_PREFIX) else 0xFF
    secret = bytes(byte & mask for byte in secrets.token_bytes(KEY_BYTES))
    return Epoch(secret=SecretStr(secret.hex()), created=today)


def check_epoch(epoch: str) -> None:
    """Whether a text can name an epoch; raises PolicyError where it cannot."""
    if not _EPOCH.fullmatch(epoch):
        msg = "an epoch is 1 to 32 letters, digits, dots, hyphens, e.g. 2027 or 2027-07"
        raise PolicyError(msg)


def parse(text: str, place: str) -> KeyDocument:
    """The document of a text; `place` says in messages where the text came from.

    Raises:
        PolicyError: not JSON, of format 1, or not as described above.
    """
    # Raised outside of the handlers: a chained JSONDecodeError would carry the whole text.
    found = _understood(text)
    if isinstance(found, str):
        msg = f"{place} {found}: nothing leaves"
        raise PolicyError(msg)
    return found


@lru_cache(maxsize=1)
def _understood(text: str) -> KeyDocument | str:
    """The document, or what is wrong; a source that is read for each transfer seldom changes."""
    return _validated(_json(text))


def _json(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None


def _validated(content: Any) -> KeyDocument | str:  # noqa: ANN401
    if not isinstance(content, dict):
        return "holds no JSON mapping"
    if "format" not in content and "token" in content:
        return "is of format 1; move it away and make a new one with `onecard keys init`"
    try:
        return KeyDocument.model_validate(content)
    except ValidationError as error:
        return f"is no key document of format 2 ({error.error_count()} mistakes, see docs/keys.md)"


def read(file: Path) -> KeyDocument:
    """The document of a private file.

    Raises:
        PolicyError: missing, unreadable, open to others, or as `parse`.
    """
    text, why = "", None
    try:
        with file.open(encoding="utf-8") as stream:
            if stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077:
                why = " can be read by others; chmod 600 it"
            else:
                text = stream.read()
    except OSError as error:
        why = f": {error.strerror}; make one with `onecard keys init`"
    except ValueError:
        why = " is not UTF-8"
    if why:
        msg = f"key file {file}{why}: nothing leaves"
        raise PolicyError(msg)
    return parse(text, f"key file {file}")


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the exclusive lock of a key file; it lies beside it, `<name>.lock`, and stays.

    Raises:
        StorageError: there is no room; the file is as it was.
        PolicyError: the folder cannot be written, or anything else is wrong with writing inside.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(
            file.with_name(file.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600
        )
        try:
            _give_to_owner_of(file.parent, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        what = f"key file {file}"
        raise unwritten(what, error, PolicyError) from None


def write(file: Path, document: KeyDocument) -> None:
    """Replace the file in one step, mode 0600; call it inside `locked`."""
    descriptor, made = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            _give_to_owner_of(file if file.exists() else file.parent, descriptor)
            stream.write(document.text())
            stream.flush()
            os.fsync(descriptor)
        Path(made).replace(file)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _give_to_owner_of(model: Path, descriptor: int) -> None:
    """A file that root makes for the hub's own user would be lost to the hub."""
    owner = model.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
