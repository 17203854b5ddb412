"""One tree as each party holds it.

The active half has the tree's shape, the leaf weights and the active party's own splits; of a
passive party's split it says only whose it is. A split's id is the number of its node within its
tree (root 0, children 2k + 1 and 2k + 2), which says nothing about column or bin.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from models.boosted_trees.candidates import Candidate
from models.table import Floats
from protocols.roles import PartyId
from protocols.wire import Message


class Leaf(Message, frozen=True):
    """A node that adds ``weights`` to the margins of the rows that reach it, one per output."""

    node: int
    weights: tuple[float, ...]
    rows: int
    """Training rows that reach it."""


class OwnSplit(Message, frozen=True):
    """A split on the active party's own column."""

    node: int
    column: int
    bin: int
    missing_left: bool
    gain: float

    @property
    def test(self) -> Candidate:
        """What a row must pass to go left."""
        return Candidate(self.bin, self.missing_left)


class PeerSplit(Message, frozen=True):
    """A split whose column and threshold only ``party`` knows."""

    node: int
    party: PartyId
    gain: float


Node: TypeAlias = Leaf | OwnSplit | PeerSplit


class ActiveTreeHalf(Message, frozen=True):
    """One tree as the active party sees it, nodes by ascending number."""

    tree: int
    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        """Refuse what is not one complete binary tree with finite numbers."""
        expected = {0}
        for before, node in zip((None, *self.nodes), self.nodes, strict=False):
            if node.node not in expected or (before is not None and before.node >= node.node):
                raise ValueError("nodes must form one tree, in ascending order")
            expected.remove(node.node)
            numbers = node.weights if isinstance(node, Leaf) else (node.gain,)
            if not all(map(math.isfinite, numbers)):
                raise ValueError("weights and gains must be finite")
            if isinstance(node, Leaf):
                if node.rows < 1:
                    raise ValueError("some row reaches every leaf")
            else:
                expected |= {2 * node.node + 1, 2 * node.node + 2}
        if expected or self.tree < 0:
            raise ValueError("a split lacks a child")
        if not self.outputs or any(len(leaf.weights) != self.outputs for leaf in self.leaves):
            raise ValueError("leaves must have as many weights as one another")

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The leaves, by ascending number."""
        return tuple(node for node in self.nodes if isinstance(node, Leaf))

    @property
    def outputs(self) -> int:
        """Numbers each leaf holds."""
        return len(self.leaves[0].weights)

    def worth(self) -> dict[int, Floats]:
        """Return what each node is worth: the mean of its leaves' weights over training rows."""
        worth: dict[int, Floats] = {}
        rows: dict[int, int] = {}
        for node in reversed(self.nodes):
            number = node.node
            if isinstance(node, Leaf):
                worth[number], rows[number] = np.array(node.weights), node.rows
            else:
                left, right = 2 * number + 1, 2 * number + 2
                rows[number] = rows[left] + rows[right]
                total = worth[left] * rows[left] + worth[right] * rows[right]
                worth[number] = total / rows[number]
        return worth

    def peer_nodes(self, party: PartyId) -> tuple[int, ...]:
        """Return the nodes ``party`` splits."""
        return tuple(n.node for n in self.nodes if isinstance(n, PeerSplit) and n.party == party)


class HeldSplit(Message, frozen=True):
    """A split on a passive party's own column; ``rows`` is how many training rows it split."""

    node: int
    column: int
    bin: int
    missing_left: bool
    rows: int

    @property
    def test(self) -> Candidate:
        """What a row must pass to go left."""
        return Candidate(self.bin, self.missing_left)


class PassiveTreeHalf(Message, frozen=True):
    """A passive party's splits of one tree, by ascending node."""

    tree: int
    splits: tuple[HeldSplit, ...]

    def __post_init__(self) -> None:
        """Refuse nodes out of order."""
        nodes = [-1, *(split.node for split in self.splits)]
        if self.tree < 0 or any(a >= b for a, b in pairwise(nodes)):
            raise ValueError("splits must have ascending nodes")
