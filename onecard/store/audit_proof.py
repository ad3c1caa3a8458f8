"""Whether one entry of the audit log is among what was signed: the check of a single entry.

The walk is that of `onecard audit verify`, over the stored leaves; of the entry that is asked for,
the text is held against its leaf. What was walked up to a signed root stays proved whatever becomes
of the log afterwards, as no other leaves have that root; a process remembers some such beginnings,
and the log keeps one for each stride (`onecard.store.audit_peaks`), so that a proof goes on from
there. One proof walks `MOST` entries at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

from onecard.crypto.audit_format import AuditCheckpoint, Entry
from onecard.crypto.audit_verify import Head, Verdict, Verifier, unsigned, verify_on
from onecard.store import audit, audit_peaks
from onecard.store.database import Connection

MOST = 400_000
"""Entries that one proof walks at most: a few seconds."""
KEPT = 64
"""Beginnings of a log that are remembered."""

Proved = Literal["holds", "broken", "unsigned", "more"]
"""`holds`: it is in the tree that was signed. `broken`: it cannot be shown, `problem` says why.
`unsigned`: no checkpoint vouches for it yet. `more`: the walk has not come so far; ask again."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a proof found.

    Attributes:
        checkpoint: that vouches for the entry; None: there is none yet.
        upto: entries that the walk has verified from the first on.
        first_bad: number of the first entry that is wrong or missing, where one can be named.
        problem: what is wrong; empty where nothing is.
    """

    outcome: Proved
    checkpoint: AuditCheckpoint | None
    upto: int
    first_bad: int | None = None
    problem: str = ""


@dataclass(slots=True)
class Beginnings:
    """Beginnings of one log that were verified up to a signed root, by their sizes."""

    _known: dict[int, Head] = field(default_factory=lambda: {0: Head(0, ())})
    _lock: Lock = field(default_factory=Lock)

    def before(self, seq: int) -> Head:
        """The largest that does not hold the entry."""
        with self._lock:
            return self._known[max(size for size in self._known if size < seq)]

    def forget(self) -> None:
        """Begin anew: the log may be another one, brought back from a backup."""
        with self._lock:
            self._known = {0: Head(0, ())}

    def keep(self, proved: Head) -> None:
        """Remember one; the oldest but the empty one makes room."""
        with self._lock:
            self._known[proved.size] = proved
            while len(self._known) > KEPT:
                self._known.pop(next(size for size in self._known if size))


@dataclass(frozen=True, slots=True)
class _Leaf(Entry):
    """An entry of which only the leaf is asked: it stands for itself."""

    def computed_leaf(self) -> bytes:
        """The stored one."""
        return self.leaf


def prove(
    connection: Connection, asked: Entry, verifier: Verifier, known: Beginnings, most: int = MOST
) -> Proof:
    """Whether an entry, as it was read, is among what was signed.

    Args:
        connection: without an open transaction; it reads one state of the database.
        asked: the entry.
        verifier: whether a checkpoint's signature is right.
        known: beginnings of this log that were verified before.
        most: entries that are walked at most.
    """
    with audit.snapshot(connection):
        vouching = audit.checkpoint_of(connection, asked.seq)
        if vouching is None:
            return Proof("unsigned", None, known.before(asked.seq).size)
        if problem := unsigned(vouching, verifier):
            return Proof("broken", vouching, known.before(asked.seq).size, None, problem)
        kept = audit_peaks.before(connection, asked.seq, verifier)
        while True:
            start = max(kept, known.before(asked.seq), key=lambda head: head.size)
            reached = _reached(connection, start, vouching, most)
            if reached is None:
                return Proof("more", vouching, start.size)
            verdict, end = _walk(connection, start, reached, asked, verifier)
            most -= reached.size - start.size
            if not verdict.ok and start.size > kept.size:  # what this process knew of another log
                known.forget()
                continue
            if not verdict.ok:
                bad, problem = verdict.first_bad, verdict.problem
                return Proof("broken", vouching, verdict.covered, bad, problem)
            known.keep(end)
            if reached.size >= asked.seq:
                return Proof("holds", vouching, end.size)


def _reached(
    connection: Connection, start: Head, vouching: AuditCheckpoint, most: int
) -> AuditCheckpoint | None:
    """The checkpoint to which this walk goes: the entry's own, or the largest within reach."""
    if vouching.size - start.size <= most:
        return vouching
    nearer = audit.checkpoint_before(connection, start.size + max(most, 0))
    return nearer if nearer is not None and nearer.size > start.size else None


def _walk(
    connection: Connection, start: Head, end: AuditCheckpoint, asked: Entry, verifier: Verifier
) -> tuple[Verdict, Head]:
    with closing(audit.leaves(connection, start.size, end.size)) as found:
        return verify_on(start, _entries(found, asked), [end], verifier)


def _entries(found: Iterator[tuple[int, bytes]], asked: Entry) -> Iterator[Entry]:
    """The stretch, with the text of the entry that is asked for."""
    for seq, leaf in found:
        yield asked if seq == asked.seq else _Leaf(seq, "", "", "", "", "", leaf)
