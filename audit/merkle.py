"""The Merkle tree of the log: RFC 9162 §2.1 hashing over the suite's hash function.

A leaf is ``H(0x00 || entry)``, an inner node ``H(0x01 || left || right)``; a tree of n > 1 leaves
splits at the largest power of two below n. RFC 9162 names SHA-256; here H is the hash of the
log's suite (SM3 for ``gm``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"


class Hasher(Protocol):
    """What the tree needs of a suite."""

    digest_bytes: int

    def hash(self, *parts: bytes) -> bytes:
        """Return the hash of the parts' concatenation."""


class ProofError(ValueError):
    """A proof that does not connect what it claims to connect."""


def leaf_hash(hasher: Hasher, entry: bytes) -> bytes:
    """Return the hash of one entry (RFC 9162 §2.1.1)."""
    return hasher.hash(LEAF_PREFIX, entry)


def node_hash(hasher: Hasher, left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 9162 §2.1.1)."""
    return hasher.hash(NODE_PREFIX, left, right)


class Frontier:
    """The right edge of a growing tree: one root per set bit of the size, largest subtree first.

    Adding a leaf costs two hashes on average; nothing of the entries is kept.
    """

    def __init__(self, hasher: Hasher, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks")
        self._hasher = hasher
        self._peaks = list(peaks)
        self.size = size

    @classmethod
    def from_bytes(cls, hasher: Hasher, size: int, data: bytes) -> Frontier:
        """Return the frontier that :meth:`to_bytes` wrote; raises ``ValueError``."""
        width = hasher.digest_bytes
        if len(data) != width * size.bit_count():
            raise ValueError(f"not the frontier of {size} leaves")
        return cls(hasher, size, [data[at : at + width] for at in range(0, len(data), width)])

    def to_bytes(self) -> bytes:
        """Return the peaks, largest subtree first, concatenated."""
        return b"".join(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        merges = self.size
        while merges & 1:
            leaf = self._hasher.hash(NODE_PREFIX, self._peaks.pop(), leaf)
            merges >>= 1
        self._peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root hash of the leaves added so far (the hash of nothing for none)."""
        if not self._peaks:
            return self._hasher.hash()
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(self._hasher, peak, root)
        return root


def root_hash(hasher: Hasher, leaves: Iterable[bytes]) -> bytes:
    """Return the root hash over the leaf hashes ``leaves``."""
    frontier = Frontier(hasher)
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def root_hashes(hasher: Hasher, leaves: Sequence[bytes], sizes: Iterable[int]) -> dict[int, bytes]:
    """Return the root hash at each of ``sizes`` that the leaves reach, in one pass."""
    wanted = sorted({size for size in sizes if 0 <= size <= len(leaves)})
    frontier, roots = Frontier(hasher), {}
    for size in wanted:
        while frontier.size < size:
            frontier.append(leaves[frontier.size])
        roots[size] = frontier.root()
    return roots


def inclusion_proof(hasher: Hasher, leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the path from leaf ``index`` to the root, bottom first (RFC 9162 §2.1.3.1)."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"leaf {index} is not in a tree of {len(leaves)}")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if index < split:
        return [*inclusion_proof(hasher, left, index), root_hash(hasher, right)]
    return [*inclusion_proof(hasher, right, index - split), root_hash(hasher, left)]


def verify_inclusion(
    hasher: Hasher, leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Return if ``leaf`` is leaf ``index`` of the tree (RFC 9162 §2.1.3.2); else ProofError."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size}")
    position, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if position & 1 or position == last:
            node = node_hash(hasher, sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(hasher, node, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    if node != root:
        raise ProofError("the proof leads to another root")


def consistency_proof(hasher: Hasher, leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the first ``old_size`` leaves are a prefix (RFC 9162 §2.1.4.1)."""
    if not 0 < old_size <= len(leaves):
        raise ValueError(f"no consistency proof from {old_size} to {len(leaves)}")
    return _subproof(hasher, leaves, old_size, complete=True)


def _subproof(
    hasher: Hasher, leaves: Sequence[bytes], old_size: int, *, complete: bool
) -> list[bytes]:
    if old_size == len(leaves):
        return [] if complete else [root_hash(hasher, leaves)]
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if old_size <= split:
        inner = _subproof(hasher, left, old_size, complete=complete)
        return [*inner, root_hash(hasher, right)]
    inner = _subproof(hasher, right, old_size - split, complete=False)
    return [*inner, root_hash(hasher, left)]


def verify_consistency(
    hasher: Hasher,
    proof: Sequence[bytes],
    *,
    old_size: int,
    new_size: int,
    old_root: bytes,
    new_root: bytes,
) -> None:
    """Return if the new tree extends the old one (RFC 9162 §2.1.4.2); else ProofError."""
    if not 0 < old_size <= new_size:
        raise ProofError(f"no consistency proof from {old_size} to {new_size}")
    if old_size == new_size:
        if proof or old_root != new_root:
            raise ProofError("trees of one size differ, or the proof is too long")
        return
    path = list(proof)
    if old_size.bit_count() == 1:
        path.insert(0, old_root)
    if not path:
        raise ProofError("the proof is too short")
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if position & 1 or position == last:
            old_node = node_hash(hasher, sibling, old_node)
            new_node = node_hash(hasher, sibling, new_node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_node = node_hash(hasher, new_node, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    if old_node != old_root or new_node != new_root:
        raise ProofError("the proof leads to other roots")


def _split(size: int) -> int:
    """Return the largest power of two below ``size`` (> 1)."""
    return 1 << ((size - 1).bit_length() - 1)
