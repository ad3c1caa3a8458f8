"""The Merkle tree of RFC 9162 (Certificate Transparency 2.0) with SHA-256.

Data enter as leaf hashes of 32 bytes. A log that only grows needs no more than the *peaks*: the
roots of the complete subtrees that its size is made of, the largest first (one for each bit that
is set in the size). Proofs are made from all leaf hashes and verified without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

EMPTY = sha256(b"").digest()
"""The root of the tree without a leaf (RFC 9162, 2.1.1)."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of one entry; its prefix keeps a node from passing for an entry."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Tree:
    """A growing tree in O(log n) memory.

    Attributes:
        size: number of leaves.
        peaks: roots of the complete subtrees, the largest first.
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        size = self.size
        while size & 1:
            leaf = node_hash(self.peaks.pop(), leaf)
            size >>= 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root hash of what was appended so far."""
        return root(self.peaks)


def root(peaks: Sequence[bytes]) -> bytes:
    """The root hash that belongs to peaks, the largest first."""
    if not peaks:
        return EMPTY
    found = peaks[-1]
    for peak in reversed(peaks[:-1]):
        found = node_hash(peak, found)
    return found


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root hash of leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of one leaf (RFC 9162, 2.1.3.1).

    Args:
        leaves: all leaf hashes.
        index: of the leaf, from 0.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        msg = f"no leaf {index} in a tree of {len(leaves)}"
        raise IndexError(msg)
    path: list[bytes] = []
    start, end = 0, len(leaves)
    while end - start > 1:
        middle = start + _left(end - start)
        if index < middle:
            path.append(root_of(leaves[middle:end]))
            end = middle
        else:
            path.append(root_of(leaves[start:middle]))
            start = middle
    return path[::-1]


def inclusion_proofs(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """The audit path of every leaf, in their order, as `inclusion_proof` makes each."""
    return _proofs(leaves)[1]


def _proofs(leaves: Sequence[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """Root and paths of a tree, from those of its two halves."""
    if len(leaves) < 2:
        return root_of(leaves), [[] for _ in leaves]
    middle = _left(len(leaves))
    left, to_left = _proofs(leaves[:middle])
    right, to_right = _proofs(leaves[middle:])
    for path in to_left:
        path.append(right)
    for path in to_right:
        path.append(left)
    return node_hash(left, right), [*to_left, *to_right]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes
) -> bool:
    """Whether the leaf is entry `index` of the tree with that root (RFC 9162, 2.1.3.2).

    Args:
        leaf: hash of the leaf, 32 bytes.
        index: of the leaf, from 0.
        size: leaves of the tree.
        proof: hashes of the siblings, from the leaf up.
        expected: root of the tree.
    """
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == expected


def consistency_proof(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """The proof that the tree of the first leaves is a beginning of this one (RFC 9162, 2.1.4.1).

    Args:
        leaves: all leaf hashes.
        first: size of the earlier tree, at least 1.

    Raises:
        IndexError: no such earlier tree.
    """
    if not 0 < first <= len(leaves):
        msg = f"no earlier tree of size {first} in a tree of {len(leaves)}"
        raise IndexError(msg)
    proof: list[bytes] = []
    start, end, known = 0, len(leaves), True
    while first != end:
        middle = start + _left(end - start)
        if first <= middle:
            proof.append(root_of(leaves[middle:end]))
            end = middle
        else:
            proof.append(root_of(leaves[start:middle]))
            start, known = middle, False
    if not known:
        proof.append(root_of(leaves[start:end]))
    return proof[::-1]


@dataclass(frozen=True, slots=True)
class TreeHead:
    """How many leaves a tree has, and its root."""

    size: int
    root: bytes


def verify_consistency(earlier: TreeHead, later: TreeHead, proof: Sequence[bytes]) -> bool:
    """Whether the later tree continues the earlier one (RFC 9162, 2.1.4.2).

    Args:
        earlier: a tree of at least one leaf.
        later: what is said to have grown from it.
        proof: as `consistency_proof` makes it.
    """
    first, second = earlier.size, later.size
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and earlier.root == later.root
    path = [earlier.root, *proof] if first & (first - 1) == 0 else list(proof)
    return bool(proof) and _recomputed(first - 1, second - 1, path) == (earlier.root, later.root)


def _recomputed(at: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Roots of the earlier and the later tree that a path leads to; None: a path of no tree."""
    while at & 1:
        at, last = at >> 1, last >> 1
    earlier = later = path[0]
    for step in path[1:]:
        if last == 0:
            return None
        if at & 1 or at == last:
            earlier, later = node_hash(step, earlier), node_hash(step, later)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            later = node_hash(later, step)
        at, last = at >> 1, last >> 1
    return (earlier, later) if last == 0 else None


def _left(size: int) -> int:
    """Leaves of the left subtree: the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
