"""Punctured pseudorandom functions: trees of which the Receiver knows all leaves but one.

O. Goldreich, S. Goldwasser, S. Micali, "How to Construct Random Functions", J. ACM 1986, §3; the
exchange is that of E. Boyle et al., "Efficient Two-Round OT Extension and Silent Non-Interactive
Secure Computation", CCS 2019, §4: for every level the Receiver gets, by oblivious transfer, the
sum of the nodes on the side its path does not take.

A node is 16 bytes. Its left child is H_left(node), its right child H_right(node): one block cipher
under two session keys. Node p of a level has its left child at p and its right child at n + p of
the next one, n being the number of nodes, so that a level is two calls of the hash, a path's
level-l bit is bit l of the leaf's number, and a tree of any number of leaves is one whose last
level is cut short. Trees grow eight at a time, row by row side by side, from where they outgrow
the cache together; leaf j of tree i stands at row ``8 leaves (i // 8) + 8 j + i % 8``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from protocols.roles import Progress, Role
from protocols.silent_vole.keys import session_hash
from protocols.silent_vole.parameters import BATCH, Parameters
from protocols.suite import BlockHash, Indices, Suite, Words

TOGETHER = 5
"""Levels that all trees grow together: 32 nodes of each are some 280 kB."""
STEP = "grow trees"


@dataclass(frozen=True, slots=True)
class Hashes:
    """The two hashes of a session's trees."""

    left: BlockHash
    right: BlockHash

    @classmethod
    def of(cls, suite: Suite, context: bytes) -> Hashes:
        """Return those of this session."""
        return cls(
            session_hash(suite, context, "left child"), session_hash(suite, context, "right child")
        )

    def grow(self, parents: Words, children: Words) -> None:
        """Write the left children of all parents, then the right ones of the first of them."""
        count = len(parents)
        self.left.hash_blocks(parents, children[:count])
        self.right.hash_blocks(parents[: len(children) - count], children[count:])


def grow(
    hashes: Hashes, parameters: Parameters, roots: Words, leaves: Words
) -> Role[tuple[Words, Words]]:
    """Grow the Sender's trees from ``roots``, shape (trees, 2), into ``leaves``.

    Returns each level's sums, shape (depth, 2 sides, trees, 2), and each tree's sum of leaves.
    """
    from protocols.kernels.ggm import sum_sides  # noqa: PLC0415 - loads numba

    trees, depth = parameters.trees, parameters.depth
    together = min(TOGETHER, depth - 1)
    sums = np.empty((depth, 2, trees, 2), np.uint64)
    nodes = roots
    for level in range(together):
        children = np.empty((2 * len(nodes), 2), np.uint64)
        hashes.grow(nodes, children)
        sum_sides(children, len(nodes), trees, sums[level])
        nodes = children

    room = _room(parameters)
    part = np.empty((2, BATCH, 2), np.uint64)
    for start in range(0, trees, BATCH):
        batch = slice(start, start + BATCH)
        parents = _batch(nodes, trees, batch)
        for level in range(together, depth):
            children = _children(parameters, room, leaves, level, start)
            hashes.grow(parents, children)
            sum_sides(children, len(parents), BATCH, part)
            sums[level, :, batch] = part
            parents = children
        yield Progress(STEP, start + BATCH, trees)
    return sums, sums[depth - 1, 0] ^ sums[depth - 1, 1]


def grow_punctured(
    hashes: Hashes, parameters: Parameters, paths: Indices, known: Words, leaves: Words
) -> Role[Words]:
    """Grow the Receiver's trees, all leaves but those numbered ``paths``, into ``leaves``.

    ``known[level, tree]`` is the sum of that level's nodes on the side the path does not take.
    The missing leaves are zero; returns each tree's sum of the others, shape (trees, 2).
    """
    from protocols.kernels.ggm import complete  # noqa: PLC0415 - loads numba

    trees, depth = parameters.trees, parameters.depth
    together = min(TOGETHER, depth - 1)
    totals = np.empty((trees, 2), np.uint64)
    nodes = np.zeros((trees, 2), np.uint64)
    for level in range(together):
        children = np.empty((2 * len(nodes), 2), np.uint64)
        hashes.grow(nodes, children)
        complete(children, paths, level, known[level], totals)
        nodes = children

    room = _room(parameters)
    for start in range(0, trees, BATCH):
        batch = slice(start, start + BATCH)
        parents = _batch(nodes, trees, batch)
        for level in range(together, depth):
            children = _children(parameters, room, leaves, level, start)
            hashes.grow(parents, children)
            complete(children, paths[batch], level, known[level, batch], totals[batch])
            parents = children
        yield Progress(STEP, start + BATCH, trees)
    return totals


def rows_of(parameters: Parameters, paths: Indices) -> Indices:
    """Return the rows at which the leaves numbered ``paths``, one of each tree, stand."""
    tree = np.arange(parameters.trees)
    return tree // BATCH * (BATCH * parameters.leaves) + paths * BATCH + tree % BATCH


def sides(parameters: Parameters, paths: Indices) -> Indices:
    """Return the side each path takes at each level, 0 left and 1 right, shape (depth, trees)."""
    return paths >> np.arange(parameters.depth)[:, None] & 1


def _batch(nodes: Words, trees: int, batch: slice) -> Words:
    part = nodes.reshape(-1, trees, 2)[:, batch]
    return np.ascontiguousarray(part).reshape(-1, 2)


def _room(parameters: Parameters) -> tuple[Words, Words]:
    """Return room for two levels of a batch, above the leaves: each is made from the other."""
    nodes = BATCH << (parameters.depth - 1)
    return np.empty((nodes, 2), np.uint64), np.empty((nodes, 2), np.uint64)


def _children(
    parameters: Parameters, room: tuple[Words, Words], leaves: Words, level: int, start: int
) -> Words:
    """Return where a batch's next level goes; the last one's nodes are the leaves themselves."""
    if level < parameters.depth - 1:
        return room[level % 2][: 2 * BATCH << level]
    first = start * parameters.leaves
    return leaves[first : first + BATCH * parameters.leaves]
