"""Each party's half of the model, and its canonical bytes.

The active half has the shape of every tree, the leaf weights and the active party's own splits;
of a passive party's split it says only whose it is. A split's id is the number of its node
within its tree (root 0, children 2k + 1 and 2k + 2), which says nothing about column or bin.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import TypeAlias

from models.boosted_trees.binning import Binning
from models.boosted_trees.candidates import Candidate
from protocols.roles import PartyId
from protocols.wire import Message, decode, encode


class Leaf(Message, frozen=True):
    """A node that adds ``weight`` to the margin of the rows that reach it."""

    node: int
    weight: float


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
            if not math.isfinite(node.weight if isinstance(node, Leaf) else node.gain):
                raise ValueError("weights and gains must be finite")
            if not isinstance(node, Leaf):
                expected |= {2 * node.node + 1, 2 * node.node + 2}
        if expected or self.tree < 0:
            raise ValueError("a split lacks a child")

    def peer_nodes(self, party: PartyId) -> tuple[int, ...]:
        """Return the nodes ``party`` splits."""
        return tuple(n.node for n in self.nodes if isinstance(n, PeerSplit) and n.party == party)

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        return encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> ActiveTreeHalf:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        return decode(data, cls)


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

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        return encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> PassiveTreeHalf:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        return decode(data, cls)


class ActiveModel(Message, frozen=True):
    """The active party's half of a model."""

    base_score: float
    binning: Binning
    trees: tuple[ActiveTreeHalf, ...]

    def __post_init__(self) -> None:
        """Refuse trees out of order and splits on columns or bins there are not."""
        if not math.isfinite(self.base_score):
            raise ValueError("the base score must be finite")
        _check_numbers(self.trees)
        for tree in self.trees:
            for node in tree.nodes:
                if isinstance(node, OwnSplit):
                    _check_split(node, self.binning)

    def importance(self) -> dict[str, float]:
        """Return the total gain of each of the active party's own columns, by name."""
        gains = {bins.name: 0.0 for bins in self.binning.columns}
        for tree in self.trees:
            for node in tree.nodes:
                if isinstance(node, OwnSplit):
                    gains[self.binning.columns[node.column].name] += node.gain
        return gains

    def peer_importance(self) -> dict[PartyId, float]:
        """Return the total gain of the splits of each passive party that has any."""
        gains: dict[PartyId, float] = {}
        for tree in self.trees:
            for node in tree.nodes:
                if isinstance(node, PeerSplit):
                    gains[node.party] = gains.get(node.party, 0.0) + node.gain
        return gains

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        return encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> ActiveModel:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        return decode(data, cls)


class PassiveModel(Message, frozen=True):
    """A passive party's half of a model."""

    binning: Binning
    trees: tuple[PassiveTreeHalf, ...]

    def __post_init__(self) -> None:
        """Refuse trees out of order and splits on columns or bins there are not."""
        _check_numbers(self.trees)
        for tree in self.trees:
            for split in tree.splits:
                _check_split(split, self.binning)

    def importance(self) -> dict[str, float]:
        """Return how many training rows the splits on each column divided, by name.

        A passive party does not learn gains; this is what its own half can say.
        """
        rows = Counter({bins.name: 0 for bins in self.binning.columns})
        for tree in self.trees:
            for split in tree.splits:
                rows[self.binning.columns[split.column].name] += split.rows
        return {name: float(count) for name, count in rows.items()}

    def describe(self) -> list[tuple[int, int, str]]:
        """Return (tree, node, test) of every split, for the columns' owner to read."""
        return [
            (tree.tree, split.node, self.binning.columns[split.column].describe(*split.test))
            for tree in self.trees
            for split in tree.splits
        ]

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        return encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> PassiveModel:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        return decode(data, cls)


def _check_numbers(trees: tuple[ActiveTreeHalf, ...] | tuple[PassiveTreeHalf, ...]) -> None:
    if [tree.tree for tree in trees] != list(range(len(trees))):
        raise ValueError("trees must be numbered from 0")


def _check_split(split: OwnSplit | HeldSplit, binning: Binning) -> None:
    if not 0 <= split.column < len(binning.columns):
        raise ValueError("a split names a column there is not")
    bins = binning.columns[split.column]
    lowest = 0 if bins.kind == "numeric" else -1
    if not lowest <= split.bin < bins.size:
        raise ValueError("a split names a bin there is not")
