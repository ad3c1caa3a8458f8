"""The Merkle tree: vectors of Certificate Transparency, and every proof against its definition."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.crypto import merkle
from onecard.crypto.merkle import TreeHead

INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [merkle.leaf_hash(data) for data in INPUTS]


def defined(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + defined(leaves[:k]) + defined(leaves[k:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert merkle.root_of(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (0, 1, []),
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ],
)
def test_inclusion_proofs_are_those_of_certificate_transparency(
    index: int, size: int, proof: list[str]
) -> None:
    assert [p.hex() for p in merkle.inclusion_proof(LEAVES[:size], index)] == proof


@pytest.mark.parametrize(
    ("first", "second", "proof"),
    [
        (1, 1, []),
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
    ],
)
def test_consistency_proofs_are_those_of_certificate_transparency(
    first: int, second: int, proof: list[str]
) -> None:
    assert [p.hex() for p in merkle.consistency_proof(LEAVES[:second], first)] == proof


def many(size: int) -> list[bytes]:
    return [merkle.leaf_hash(str(i).encode()) for i in range(size)]


@given(st.lists(st.binary(max_size=40), max_size=130))
def test_the_growing_tree_has_the_defined_root(data: list[bytes]) -> None:
    leaves, tree = [merkle.leaf_hash(d) for d in data], merkle.Tree()
    for leaf in leaves:
        tree.append(leaf)
        assert len(tree.peaks) == tree.size.bit_count()
    assert tree.root() == merkle.root(tree.peaks) == merkle.root_of(leaves) == defined(leaves)


def altered(proof: list[bytes]) -> list[list[bytes]]:
    """Every proof with one step changed, one step missing, one step more."""
    flipped = [
        [*proof[:i], node[:-1] + bytes([node[-1] ^ 1]), *proof[i + 1 :]]
        for i, node in enumerate(proof)
    ]
    shorter = [proof[:i] + proof[i + 1 :] for i in range(len(proof))]
    return [*flipped, *shorter, [*proof, merkle.EMPTY], [merkle.EMPTY, *proof]]


@pytest.mark.parametrize("size", range(1, 34))
def test_every_inclusion_proof_holds_and_no_altered_one(size: int) -> None:
    leaves = many(size)
    root = merkle.root_of(leaves)
    for i, leaf in enumerate(leaves):
        proof = merkle.inclusion_proof(leaves, i)
        assert merkle.verify_inclusion(leaf, i, size, proof, root)
        assert not merkle.verify_inclusion(merkle.EMPTY, i, size, proof, root)
        assert not merkle.verify_inclusion(leaf, i, size, proof, merkle.EMPTY)
        assert not any(merkle.verify_inclusion(leaf, i, size, p, root) for p in altered(proof))
        others = [j for j in range(-1, size + 1) if j != i]
        assert not any(merkle.verify_inclusion(leaf, j, size, proof, root) for j in others)


@pytest.mark.parametrize("size", range(1, 34))
def test_every_consistency_proof_holds_and_no_altered_one(size: int) -> None:
    leaves = many(size)
    root = merkle.root_of(leaves)
    for first in range(1, size + 1):
        earlier = merkle.root_of(leaves[:first])
        proof = merkle.consistency_proof(leaves, first)
        assert merkle.verify_consistency(TreeHead(first, earlier), TreeHead(size, root), proof)
        assert not merkle.verify_consistency(
            TreeHead(first, merkle.EMPTY), TreeHead(size, root), proof
        )
        assert not merkle.verify_consistency(
            TreeHead(first, earlier), TreeHead(size, merkle.EMPTY), proof
        )
        for wrong in altered(proof):
            assert not merkle.verify_consistency(
                TreeHead(first, earlier), TreeHead(size, root), wrong
            )


@given(st.integers(1, 400), st.data())
def test_proofs_of_larger_trees_hold(size: int, data: st.DataObject) -> None:
    leaves = many(size)
    root = merkle.root_of(leaves)
    i, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    proof = merkle.inclusion_proof(leaves, i)
    assert merkle.verify_inclusion(leaves[i], i, size, proof, root)
    steps = merkle.consistency_proof(leaves, first)
    assert merkle.verify_consistency(
        TreeHead(first, merkle.root_of(leaves[:first])), TreeHead(size, root), steps
    )


def test_what_is_not_in_the_tree_has_no_proof() -> None:
    for index in (-1, 3):
        with pytest.raises(IndexError, match="no leaf"):
            merkle.inclusion_proof(many(3), index)
    for first in (0, 4):
        with pytest.raises(IndexError, match="no earlier tree"):
            merkle.consistency_proof(many(3), first)
    assert not merkle.verify_consistency(TreeHead(0, merkle.EMPTY), TreeHead(3, merkle.EMPTY), [])
    assert not merkle.verify_consistency(TreeHead(1, LEAVES[0]), TreeHead(3, LEAVES[0]), [])


@pytest.mark.parametrize("size", range(70))
def test_all_proofs_at_once_are_those_of_each_leaf(size: int) -> None:
    leaves = [merkle.leaf_hash(str(n).encode()) for n in range(size)]
    found = merkle.inclusion_proofs(leaves)
    assert found == [merkle.inclusion_proof(leaves, index) for index in range(size)]
