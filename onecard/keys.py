"""Keys: one token key per consumer and epoch, and the quarantine key. No key, no delivery.

The file is JSON, mode 0600: `{"epoch": "2026", "token": {"<consumer>": {"<epoch>": hex}},
"quarantine": {"<epoch>": hex}}`. `create` makes it; nothing ever makes a missing key silently.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from onecard.errors import PolicyError

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A secret and the epoch it belongs to; its representation shows only the epoch."""

    epoch: str
    secret: bytes = field(repr=False)


class KeyStore:
    """Reads keys from a private file, each time they are asked for (a revoked key is gone)."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def token(self, consumer: str) -> Key:
        """The consumer's token key of the current epoch.

        Raises:
            PolicyError: no such key, or the key file is missing, unreadable or not private.
        """
        return self._key(["token", consumer])

    def quarantine(self) -> Key:
        """The quarantine key of the current epoch; raises PolicyError like `token`."""
        return self._key(["quarantine"])

    def quarantine_of(self, epoch: str) -> Key:
        """The quarantine key of an earlier epoch; raises PolicyError like `token`."""
        return self._key(["quarantine"], epoch)

    def _key(self, path: list[str], epoch: str | None = None) -> Key:
        content = self._read()
        epoch = epoch or str(content.get("epoch", ""))
        found: object = content
        for part in [*path, epoch]:
            found = found.get(part) if isinstance(found, dict) else None
        if not isinstance(found, str) or len(found) < 2 * KEY_BYTES:
            msg = f"no key {'/'.join(path)} of epoch {epoch!r} in {self._file}: nothing leaves"
            raise PolicyError(msg)
        return Key(epoch, bytes.fromhex(found))

    def _read(self) -> dict[str, object]:
        try:
            mode = self._file.stat().st_mode
            content = json.loads(self._file.read_text())
        except OSError as error:
            msg = f"key file {self._file}: {error.strerror}; make one with `onecard keys init`"
            raise PolicyError(msg) from None
        except ValueError:
            msg = f"key file {self._file} is not JSON"
            raise PolicyError(msg) from None
        if stat.S_IMODE(mode) & 0o077:
            msg = f"key file {self._file} can be read by others; chmod 600 it"
            raise PolicyError(msg)
        if not isinstance(content, dict):
            msg = f"key file {self._file} holds no mapping"
            raise PolicyError(msg)
        return content


def create(file: Path, consumers: Iterable[str], epoch: str) -> None:
    """Make a key file with fresh keys, mode 0600.

    Raises:
        PolicyError: the file is there already; keys are never overwritten.
    """
    content = {
        "epoch": epoch,
        "token": {c: {epoch: secrets.token_hex(KEY_BYTES)} for c in sorted(consumers)},
        "quarantine": {epoch: secrets.token_hex(KEY_BYTES)},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        msg = f"key file {file} is there already; keys are never overwritten"
        raise PolicyError(msg) from None
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream, indent=1)
