"""The tree against RFC 9162's own definition, written out recursively here."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import (
    Frontier,
    Hasher,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
    root_hashes,
    verify_consistency,
    verify_inclusion,
)
from protocols.suite import get_suite


class Sha256:
    """The hash of RFC 9162, to check the tree against vectors made with it."""

    digest_bytes = 32

    def hash(self, *parts: bytes) -> bytes:
        return hashlib.sha256(b"".join(parts)).digest()


SM3 = get_suite("gm")
SHA256 = Sha256()
LEAVES = [b"a", b"b", b"c"]
VECTORS: list[tuple[Hasher, list[str]]] = [
    (
        SHA256,
        [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "022a6979e6dab7aa5ae4c3e5e45f7e977112a7e63593820dbec1ec738a24f93c",
            "b137985ff484fb600db93107c77b0365c80d78f5b429ded0fd97361d077999eb",
            "36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1",
        ],
    ),
    (
        SM3,
        [
            "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b",
            "c688f41bcd570f9651ccb215058a545f66f52ab4eac2968896e1637af9443d8c",
            "2c537e31416ae684fd8a1552a3bcd5a452274e02a45d67c856405b3a1108ee90",
            "2706e4e4d41c1ed9c3fe7f7822bf360a67abcc052cc2c00022c1313ec3ded965",
        ],
    ),
]
# Roots of the first n of the eight RFC 6962 test inputs used by Certificate Transparency.
CT_INPUTS = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive_root(hasher: Hasher, entries: list[bytes]) -> bytes:
    """MTH of RFC 9162 §2.1.1, as it is written there."""
    if not entries:
        return hasher.hash(b"")
    if len(entries) == 1:
        return hasher.hash(b"\x00" + entries[0])
    k = 1
    while k * 2 < len(entries):
        k *= 2
    left, right = naive_root(hasher, entries[:k]), naive_root(hasher, entries[k:])
    return hasher.hash(b"\x01" + left + right)


def hashed(hasher: Hasher, count: int) -> list[bytes]:
    return [leaf_hash(hasher, b"entry %d" % at) for at in range(count)]


@pytest.mark.parametrize(("hasher", "roots"), VECTORS, ids=["sha256", "sm3"])
@pytest.mark.parametrize("size", range(4))
def test_root_matches_vector(hasher: Hasher, roots: list[str], size: int) -> None:
    leaves = [leaf_hash(hasher, entry) for entry in LEAVES[:size]]
    assert root_hash(hasher, leaves).hex() == roots[size]


@pytest.mark.parametrize("size", range(1, 9))
def test_root_matches_certificate_transparency_vector(size: int) -> None:
    leaves = [leaf_hash(SHA256, bytes.fromhex(entry)) for entry in CT_INPUTS[:size]]
    assert root_hash(SHA256, leaves).hex() == CT_ROOTS[size - 1]


@given(st.lists(st.binary(max_size=20), max_size=70))
def test_root_equals_the_recursive_definition(entries: list[bytes]) -> None:
    leaves = [leaf_hash(SHA256, entry) for entry in entries]
    assert root_hash(SHA256, leaves) == naive_root(SHA256, entries)


@given(st.lists(st.binary(max_size=20), max_size=40), st.integers(0, 40))
def test_frontier_survives_being_stored(entries: list[bytes], split: int) -> None:
    leaves = [leaf_hash(SHA256, entry) for entry in entries]
    frontier = Frontier(SHA256)
    for leaf in leaves[:split]:
        frontier.append(leaf)
    frontier = Frontier.from_bytes(SHA256, frontier.size, frontier.to_bytes())
    for leaf in leaves[split:]:
        frontier.append(leaf)
    assert (frontier.size, frontier.root()) == (len(leaves), naive_root(SHA256, entries))


def test_frontier_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="not the frontier of 6 leaves"):
        Frontier.from_bytes(SHA256, 6, bytes(32))


def test_roots_at_several_sizes_are_those_of_the_prefixes() -> None:
    leaves = hashed(SM3, 21)
    roots = root_hashes(SM3, leaves, [0, 7, 21, 22, 7])
    assert roots == {size: root_hash(SM3, leaves[:size]) for size in (0, 7, 21)}


@given(st.data())
def test_every_inclusion_proof_verifies_and_no_altered_one_does(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 40))
    index = data.draw(st.integers(0, size - 1))
    leaves = hashed(SHA256, size)
    root = root_hash(SHA256, leaves)
    proof = inclusion_proof(SHA256, leaves, index)
    good = {"index": index, "size": size, "proof": proof, "root": root}
    verify_inclusion(SHA256, leaves[index], **good)
    altered = data.draw(
        st.sampled_from(
            [
                {"index": index + 1},
                {"index": -1},
                {"proof": [*proof, bytes(32)]},
                {"root": bytes(32)},
                *([{"proof": proof[:-1]}, {"proof": [bytes(32), *proof[1:]]}] if proof else []),
            ]
        )
    )
    with pytest.raises(ProofError):
        verify_inclusion(SHA256, leaves[index], **(good | altered))


@given(st.data())
def test_every_consistency_proof_verifies_and_no_altered_one_does(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 40))
    old = data.draw(st.integers(1, new))
    leaves = hashed(SHA256, new)
    old_root, new_root = root_hash(SHA256, leaves[:old]), root_hash(SHA256, leaves)
    proof = consistency_proof(SHA256, leaves, old)
    good = {"old_size": old, "new_size": new, "old_root": old_root, "new_root": new_root}
    verify_consistency(SHA256, proof, **good)
    altered = data.draw(
        st.sampled_from(
            [
                (proof, {"old_root": bytes(32)}),
                (proof, {"new_root": bytes(32)}),
                (proof, {"old_size": 0}),
                (proof, {"old_size": new + 1}),
                ([*proof, bytes(32)], {}),
                *([(proof[:-1], {}), ([bytes(32), *proof[1:]], {})] if proof else []),
            ]
        )
    )
    with pytest.raises(ProofError):
        verify_consistency(SHA256, altered[0], **(good | altered[1]))


def test_no_proof_is_made_for_what_is_not_in_the_tree() -> None:
    leaves = hashed(SM3, 4)
    with pytest.raises(ValueError, match="leaf 4 is not in a tree of 4"):
        inclusion_proof(SM3, leaves, 4)
    with pytest.raises(ValueError, match="no consistency proof from 0 to 4"):
        consistency_proof(SM3, leaves, 0)
