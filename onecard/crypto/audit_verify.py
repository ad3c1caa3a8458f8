"""Verification of the audit log: one pass over the entries, against what was signed.

Memory grows with the number of checkpoints, not with that of entries.

What it can say. A visible fault (an entry whose text and leaf differ, a gap in the numbers) is
named exactly. A log that is consistent in itself and is not what was signed is named to the
stretch between two checkpoints, which is one entry where every entry has its checkpoint.
Entries after the last checkpoint are held only against the log's own head: `Verdict.covered`
says how far the signatures reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from onecard.crypto import merkle
from onecard.crypto.audit_format import ORIGIN, AuditCheckpoint, Entry

Verifier = Callable[[AuditCheckpoint], bool]
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Head:
    """The log's own head: how many entries, and the peaks of their tree."""

    size: int
    peaks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found.

    Attributes:
        ok: nothing is wrong.
        entries: how many entries were read; reading ends at the first that cannot be right.
        first_bad: number of the first entry that is wrong or missing, or of the first that no
            good checkpoint covers where no single one can be named; None: no entry is wrong.
        problem: what is wrong, for people; empty when nothing is.
        covered: how many entries a good checkpoint vouches for.
    """

    ok: bool
    entries: int
    first_bad: int | None
    problem: str
    covered: int


def unsigned(checkpoint: AuditCheckpoint, verifier: Verifier) -> str:
    """Why a checkpoint vouches for nothing, or an empty text."""
    if checkpoint.size < 0:
        return f"{checkpoint.source} is not a checkpoint"
    if checkpoint.origin != ORIGIN or not verifier(checkpoint):
        where = f"checkpoint of size {checkpoint.size} ({checkpoint.source})"
        return f"{where}: signature is not valid"
    return ""


@dataclass(slots=True)
class _Signed:
    """Checkpoints sorted out: roots by size, and what is wrong with the rest."""

    roots: dict[int, set[bytes]] = field(default_factory=dict)
    bad: list[AuditCheckpoint] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def take(self, checkpoint: AuditCheckpoint, verifier: Verifier) -> None:
        if problem := unsigned(checkpoint, verifier):
            self.bad.append(checkpoint)
            self.problems.append(problem)
        else:
            self.roots.setdefault(checkpoint.size, set()).add(checkpoint.root)


@dataclass(slots=True)
class _Walk:
    """The pass over the entries.

    `tree` is built of the stored leaves. From the first entry whose text has another leaf,
    `other` is built of the texts' leaves: the next checkpoint says which of the two was changed.
    """

    roots: dict[int, set[bytes]]
    tree: merkle.Tree = field(default_factory=merkle.Tree)
    other: merkle.Tree | None = None
    differs: int = 0
    covered: int = 0
    first_bad: int | None = None
    problem: str = ""

    def take(self, entry: Entry) -> bool:
        """Take the next entry; False ends the pass."""
        expected, computed = self.tree.size + 1, entry.computed_leaf()
        if entry.seq != expected:
            return self._fail(expected, self._gap(entry.seq))
        if computed != entry.leaf and self.other is None:
            self.differs = expected
            self.other = merkle.Tree(self.tree.size, list(self.tree.peaks))
        self.tree.append(entry.leaf)
        if self.other is not None:
            self.other.append(computed)
        signed = self.roots.get(expected)
        return signed is None or self.check(signed)

    def check(self, signed: set[bytes]) -> bool:
        """Hold the tree so far against the signed roots of its size."""
        size = self.tree.size
        if len(signed) > 1:
            return self._fail(self.covered + 1, f"two different roots of size {size} are signed")
        if {self.tree.root()} == signed:
            if self.other is None:
                self.covered = size
                return True
            return self._fail(self.differs, f"entry {self.differs} was edited")
        if self.other is not None and {self.other.root()} == signed:
            return self._fail(self.differs, f"the stored leaf of entry {self.differs} was edited")
        return self._fail(self.covered + 1, f"{self._between(size)} not what was signed")

    def end(self, head: Head | None) -> None:
        """After the last entry: is this all that was signed, and what the head says?"""
        size, start = self.tree.size, self.covered + 1
        beyond = min((s for s in self.roots if s > size), default=0)
        if beyond:
            what = f"truncated: the log ends at {size}, a checkpoint of size {beyond} is signed"
            shorter = f"; {self._between(size)} not checked by a signature" if start <= size else ""
            self._fail(start, what + shorter)
        elif self.other is not None:
            what = f"entry {self.differs} differs from its stored leaf"
            self._fail(self.differs, what + self._unproven(self.differs))
        elif head is not None and head.size != size:
            first = min(max(head.size, 0), size) + 1
            self._fail(first, f"the head says {head.size} entries, the log has {size}")
        elif head is not None and list(head.peaks) != self.tree.peaks:
            if self.covered == size:
                self._fail(None, "the head is not that of the log, whose entries are as signed")
            else:
                self._fail(start, f"{self._between(size)} not what the head says")

    def _gap(self, found: int) -> str:
        expected = self.tree.size + 1
        if found > expected:
            what = f"entry {expected} is missing: {found} follows {expected - 1}"
        else:
            what = f"entry {found} stands where {expected} should: inserted, repeated or moved"
        return what + self._unproven(expected)

    def _unproven(self, upto: int) -> str:
        """Says that an earlier entry could be wrong as well."""
        if self.covered >= upto - 1:
            return ""
        return f" (no checkpoint vouches for entries {self.covered + 1} to {upto - 1})"

    def _between(self, last: int) -> str:
        if last == self.covered + 1:
            return f"entry {last} is"
        return f"the entries between {self.covered + 1} and {last} are"

    def _fail(self, first_bad: int | None, problem: str) -> bool:
        self.first_bad, self.problem = first_bad, problem
        return False


def verify(
    entries: Iterable[Entry],
    checkpoints: Iterable[AuditCheckpoint],
    verifier: Verifier,
    head: Head | None = None,
) -> Verdict:
    """Verify a log, entry by entry.

    Args:
        entries: in the order of their numbers.
        checkpoints: from the database and from the anchor, in any order; equal ones count once.
        verifier: whether a checkpoint's signature is right; asked once for each.
        head: the log's own head, where there is one.
    """
    signed = _sorted_out(checkpoints, verifier)
    walk = _Walk(signed.roots)
    if walk.check(signed.roots.get(0, {merkle.EMPTY})) and all(map(walk.take, entries)):
        walk.end(head)
    return _verdict(walk, signed)


def verify_on(
    proved: Head,
    entries: Iterable[Entry],
    checkpoints: Iterable[AuditCheckpoint],
    verifier: Verifier,
) -> tuple[Verdict, Head]:
    """Verify a stretch of a log whose beginning was verified before, as `verify` does it.

    Args:
        proved: size and peaks of that beginning: its root was signed.
        entries: those that follow, in the order of their numbers.
        checkpoints: of larger sizes, none beyond the last of the entries.
        verifier: whether a checkpoint's signature is right.

    Returns:
        The verdict, and size and peaks of the tree after the last entry that was read.
    """
    signed = _sorted_out(checkpoints, verifier)
    tree = merkle.Tree(proved.size, list(proved.peaks))
    walk = _Walk(signed.roots, tree, covered=proved.size)
    if all(map(walk.take, entries)):
        walk.end(None)
    return _verdict(walk, signed), Head(tree.size, tuple(tree.peaks))


def _sorted_out(checkpoints: Iterable[AuditCheckpoint], verifier: Verifier) -> _Signed:
    signed = _Signed()
    for checkpoint in dict.fromkeys(checkpoints):
        signed.take(checkpoint, verifier)
    return signed


def _verdict(walk: _Walk, signed: _Signed) -> Verdict:
    first_bad = walk.first_bad
    if not walk.problem and any(c.size > walk.covered for c in signed.bad):
        first_bad = walk.covered + 1 if walk.covered < walk.tree.size else None
    problem = "; ".join(filter(None, [walk.problem, _listed(signed.problems)]))
    return Verdict(not problem, walk.tree.size, first_bad, problem, walk.covered)


def compare(database: Iterable[AuditCheckpoint], anchored: Iterable[AuditCheckpoint]) -> str:
    """How the checkpoints of the database and those of the anchor disagree; empty: they do not.

    Newer ones of the database may be on their way to the anchor; those of the anchor were in the
    database before.
    """
    stored = {c.size: c for c in database}
    outside = [c for c in anchored if c.size >= 0]
    if stored and not outside:
        return "no checkpoint is anchored outside the database"
    problems = []
    for checkpoint in dict.fromkeys(outside):
        other = stored.get(checkpoint.size)
        if other is None:
            problems.append(f"checkpoint of size {checkpoint.size} is anchored, not in database")
        elif other != checkpoint:
            size = checkpoint.size
            problems.append(f"database and anchor have different checkpoints of size {size}")
    return _listed(problems)


def _listed(problems: list[str]) -> str:
    more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    return "; ".join([*problems[:_SHOWN], *more])
