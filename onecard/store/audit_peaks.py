"""Peaks of beginnings of the audit log, from which the proof of a single entry goes on.

Kept peaks prove nothing by themselves: only those whose root was signed are gone on from, and no
other peaks have that root. Who changes or drops them makes a proof longer, and none wrong.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from onecard.crypto import merkle
from onecard.crypto.audit_format import AuditCheckpoint
from onecard.crypto.audit_verify import Head, Verifier, unsigned
from onecard.store import audit
from onecard.store.database import Connection, fetch_all, fetch_one

STRIDE = 100_000
"""Entries from one to the next, so far as checkpoints stand there; walked in a second."""
EMPTY = Head(0, ())


@dataclass(frozen=True, slots=True)
class _Kept:
    size: int
    peaks: list[bytes]

    @property
    def head(self) -> Head:
        return Head(self.size, tuple(self.peaks))

    def is_of(self, checkpoint: AuditCheckpoint | None) -> bool:
        """Whether they are the peaks of what the checkpoint stands for."""
        return (
            checkpoint is not None
            and len(self.peaks) == self.size.bit_count()
            and merkle.root(self.peaks) == checkpoint.root
        )


def before(connection: Connection, seq: int, verifier: Verifier) -> Head:
    """The largest beginning that does not hold an entry, if it was signed; else the empty one.

    Args:
        connection: of the hub's database.
        seq: number of the entry.
        verifier: whether a checkpoint's signature is right.
    """
    found = fetch_one(
        connection,
        _Kept,
        "SELECT size, peaks FROM ledger.audit_peaks WHERE size < %s ORDER BY size DESC LIMIT 1",
        (seq,),
    )
    if found is None:
        return EMPTY
    signed = audit.checkpoint_at(connection, found.size)
    if signed is None or unsigned(signed, verifier) or not found.is_of(signed):
        return EMPTY
    return found.head


def keep(connection: Connection) -> int:
    """Keep the peaks of what was signed since, a stride at a time; how many were kept.

    Those that are of no checkpoint are dropped. Where the log is not what was signed it ends;
    `onecard audit verify` says what is wrong.

    Args:
        connection: in autocommit, without an open transaction.
    """
    kept = 0
    while _keep_next(connection):
        kept += 1
    return kept


def _keep_next(connection: Connection) -> bool:
    with connection.transaction():
        start = _newest(connection)
        signed = audit.checkpoint_of(connection, start.size + STRIDE)
        if signed is None:
            return False
        tree = merkle.Tree(start.size, list(start.peaks))
        with closing(audit.leaves(connection, start.size, signed.size)) as found:
            for _, leaf in found:
                tree.append(leaf)
        if not _Kept(tree.size, tree.peaks).is_of(signed):
            return False
        connection.execute(
            "INSERT INTO ledger.audit_peaks (size, peaks) VALUES (%s, %s)", (tree.size, tree.peaks)
        )
    return True


def _newest(connection: Connection) -> Head:
    """The largest that is kept rightly; those above it are dropped."""
    kept = fetch_all(
        connection, _Kept, "SELECT size, peaks FROM ledger.audit_peaks ORDER BY size DESC"
    )
    for found in kept:
        if found.is_of(audit.checkpoint_at(connection, found.size)):
            return found.head
        connection.execute("DELETE FROM ledger.audit_peaks WHERE size = %s", (found.size,))
    return EMPTY
