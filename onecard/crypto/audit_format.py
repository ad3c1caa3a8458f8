"""What the audit log is made of: entries, signed checkpoints, the anchor file.

The exact bytes are described in `docs/audit-format.md`, for verifiers that others write.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from onecard.crypto import merkle
from onecard.errors import FatalError, InternalError, unwritten

ORIGIN = "onecard-hub"
"""Names the log in every signed checkpoint; a signature for something else is none."""

ANCHOR = "checkpoints.jsonl"
_STEP = 1 << 18
"""Bytes that are read at once from the anchor's end."""
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
_quoted = _JSON.encode


_SINGLE = frozenset([str, int, bool, type(None)])


def canonical_json(value: Mapping[str, object]) -> str:
    """JSON with keys sorted by code point, no spaces, characters as they are.

    Raises:
        InternalError: a float, a key that is no text, or another type; it names place and type.
    """
    _require_plain(value, "")
    return _JSON.encode(dict(value))


def _require_plain(value: object, place: str) -> None:
    """Floats have no one spelling; what JSON does not know would be spelt by accident."""
    if type(value) in _SINGLE:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                msg = f"audit: a key in {place or 'the body'} is {type(key).__name__}, not str"
                raise InternalError(msg)
            if type(inner) not in _SINGLE:  # a place is named for few
                _require_plain(inner, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            _require_plain(inner, f"{place}[]")
    elif not (value is None or isinstance(value, str | int)):
        msg = f"audit: {place} is {type(value).__name__}; only str, int, bool, None, list, dict"
        raise InternalError(msg)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is stored.

    Attributes:
        seq: its number, from 1 without a gap.
        at: when it was written, ISO 8601 UTC with microseconds (`2026-11-24T02:00:00.000000Z`).
        kind: what happened.
        subject: to what.
        actor: by whom.
        body: canonical JSON of the details.
        leaf: the stored leaf hash, 32 bytes.
    """

    seq: int
    at: str
    kind: str
    subject: str
    actor: str
    body: str
    leaf: bytes

    def line(self) -> str:
        """The leaf data: canonical JSON of all but the leaf.

        The body goes in as it is stored, not parsed, so that not one byte of it can change.
        """
        return (
            f'{{"actor":{_quoted(self.actor)},"at":{_quoted(self.at)},"body":{self.body},'
            f'"kind":{_quoted(self.kind)},"seq":{self.seq},"subject":{_quoted(self.subject)}}}'
        )

    def computed_leaf(self) -> bytes:
        """The leaf hash that its text has."""
        return merkle.leaf_hash(self.line().encode())


@dataclass(frozen=True, slots=True)
class AuditCheckpoint:
    """A signed statement: at that time the log had this size and this root.

    Attributes:
        size: number of entries.
        root: root hash of the Merkle tree, 32 bytes.
        signed_at: as `Entry.at`.
        suite: of the signature.
        key_epoch: of the signing key.
        signature: over `message()`.
        origin: names the log.
        source: where it was read, for messages; two that differ in nothing else are equal.
    """

    size: int
    root: bytes
    signed_at: str
    suite: str
    key_epoch: str
    signature: bytes
    origin: str = ORIGIN
    source: str = field(default="database", compare=False)

    def message(self) -> bytes:
        """What is signed: canonical JSON of origin, root, signed_at, size."""
        return canonical_json(self._signed()).encode()

    def line(self) -> str:
        """A line of the anchor, complete in itself."""
        more = {
            "key_epoch": self.key_epoch,
            "signature": self.signature.hex(),
            "suite": self.suite,
        }
        return canonical_json(self._signed() | more)

    def _signed(self) -> dict[str, object]:
        return {
            "origin": self.origin,
            "root": self.root.hex(),
            "signed_at": self.signed_at,
            "size": self.size,
        }


def anchor(folder: Path, checkpoint: AuditCheckpoint) -> None:
    """Append a checkpoint to the anchor file, outside the database; it is on disk on return.

    Call it after the checkpoint's transaction is committed: what is anchored must be in the log.

    Raises:
        StorageError: there is no room; the file ends as it did.
        FatalError: the file system refuses, or the file can be written by others.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _append(folder / ANCHOR, (checkpoint.line() + "\n").encode())
        _sync_folder(folder)
    except OSError as error:
        what = f"anchor of the audit log in {folder}"
        raise unwritten(what, error, FatalError) from None


def ready(folder: Path) -> None:
    """Check that the anchor can be written; its folder is made where it is missing.

    Raises:
        StorageError, FatalError: as `anchor`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(folder / ANCHOR, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError as error:
        what = f"anchor of the audit log in {folder}"
        raise unwritten(what, error, FatalError) from None


def _append(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        found = os.fstat(descriptor)
        if stat.S_IMODE(found.st_mode) & 0o022:
            msg = f"anchor {file} can be written by others; chmod 600 it"
            raise FatalError(msg)
        if found.st_size and os.pread(descriptor, 1, found.st_size - 1) != b"\n":
            data = b"\n" + data  # a crash left half a line; it must not spoil this one
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, found.st_size)  # half a line would look like tampering
            raise
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    """A full disk first takes less than it was given, and refuses the rest."""
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_anchor(folder: Path) -> list[AuditCheckpoint]:
    """All anchored checkpoints; a line that is none has size -1, which no verifier takes."""
    file = folder / ANCHOR
    if not file.exists():
        return []
    lines = file.read_bytes().split(b"\n")
    return [_parsed(line, f"anchor line {i}") for i, line in enumerate(lines, 1) if line.strip()]


def newest_anchored(folder: Path, most: int) -> AuditCheckpoint | None:
    """The largest of the checkpoints that were anchored last; None where there is none.

    Reads no more of the file than it needs, however long it has grown.

    Args:
        folder: of the anchor.
        most: so many lines are looked at.
    """
    found = map(_checkpoint, _last_lines(folder / ANCHOR, most))
    return max(found, key=lambda point: point.size, default=None)


def _last_lines(file: Path, most: int) -> list[bytes]:
    """At most so many of a file's last lines, without blank ones."""
    if not file.exists():
        return []
    with file.open("rb") as stream:
        start = stream.seek(0, os.SEEK_END)
        data, found = b"", list[bytes]()
        while start and len(found) < most:
            step = min(start, _STEP)
            start = stream.seek(start - step)
            data = stream.read(step) + data
            lines = data.split(b"\n")[1 if start else 0 :]  # the first may be half a line
            found = [line for line in lines if line.strip()]
    return found[-most:]


@lru_cache(maxsize=4_096)
def _checkpoint(line: bytes) -> AuditCheckpoint:
    """The checkpoint of a line; a resident process looks at the same ones again and again."""
    return _parsed(line, "the anchor")


def _parsed(line: bytes, source: str) -> AuditCheckpoint:
    try:
        found = json.loads(line)
        size, signed_at = found["size"], found["signed_at"]
        root, signature = bytes.fromhex(found["root"]), bytes.fromhex(found["signature"])
        texts = (signed_at, found["suite"], found["key_epoch"], found["origin"])
        whole = len(found) == 7 and type(size) is int and size >= 0
        if whole and all(isinstance(text, str) for text in texts):
            suite, epoch, origin = texts[1:]
            return AuditCheckpoint(size, root, signed_at, suite, epoch, signature, origin, source)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return AuditCheckpoint(-1, b"", "", "", "", b"", source=source)
