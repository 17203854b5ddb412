"""One tree while it grows, level by level, whoever finds the splits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.boosted_trees.gradients import FIRST_BOUND, Gradients
from models.boosted_trees.model import ActiveTreeHalf, Leaf, Node, OwnSplit, PeerSplit
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.prediction import floats_from_bytes, floats_to_bytes
from models.boosted_trees.table import Floats, Mask, Rows
from protocols.wire import Message, decode, encode


@dataclass(frozen=True, eq=False)
class OpenNode:
    """A node that may yet be split, and its training rows, ascending."""

    number: int
    rows: Rows = field(repr=False)

    @property
    def parent(self) -> int:
        """The parent's number."""
        return (self.number - 1) // 2

    @property
    def sibling(self) -> int:
        """The number of the parent's other child; the root has none and gives -1."""
        return self.number + 1 if self.number % 2 else self.number - 1

    def children(self, left: Mask) -> tuple[OpenNode, OpenNode]:
        """Return both children, given which of the rows go left."""
        return (
            OpenNode(2 * self.number + 1, self.rows[left]),
            OpenNode(2 * self.number + 2, self.rows[~left]),
        )


def root(rows: int) -> OpenNode:
    """Return the node that holds every training row."""
    return OpenNode(0, np.arange(rows))


def is_open(node: OpenNode, depth: int, options: TreeOptions) -> bool:
    """Whether a node at ``depth`` is searched for a split; every party decides alike."""
    return depth < options.depth and len(node.rows) >= 2 * options.minimum_bin_count


@dataclass(frozen=True, eq=False)
class ActiveTreeResult:
    """What growing one tree gives the active party."""

    half: ActiveTreeHalf
    margins: Floats = field(repr=False)
    """Every training row's margin after this tree."""

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        return encode(_EncodedResult(self.half, floats_to_bytes(self.margins)))

    @classmethod
    def from_bytes(cls, data: bytes) -> ActiveTreeResult:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        result = decode(data, _EncodedResult)
        return cls(result.half, floats_from_bytes(result.margins))


class _EncodedResult(Message, frozen=True):
    half: ActiveTreeHalf
    margins: bytes


class GrowingTree:
    """The open nodes of the current level, and what is settled so far."""

    def __init__(
        self, tree: int, gradients: Gradients, margins: Floats, options: TreeOptions
    ) -> None:
        self._tree = tree
        self._gradients = gradients
        self._options = options
        self._margins = margins.copy()
        self._nodes: list[Node] = []
        self._next: list[OpenNode] = []
        self.depth = -1
        self._place(root(len(margins)))
        self.next_level()

    def close(self, node: OpenNode) -> None:
        """Make ``node`` a leaf of weight -learning_rate * G / (H + l2)."""
        first, second = self._gradients.totals(node.rows)
        weight = -self._options.learning_rate * (
            (first / FIRST_BOUND) / (second / FIRST_BOUND + self._options.l2)
        )
        self._nodes.append(Leaf(node.number, weight))
        self._margins[node.rows] += weight

    def split(self, node: OpenNode, by: OwnSplit | PeerSplit, left: Mask) -> None:
        """Split ``node``, one of the open nodes, into its rows ``left`` and the others."""
        self._nodes.append(by)
        for child in node.children(left):
            self._place(child)

    def _place(self, node: OpenNode) -> None:
        if is_open(node, self.depth + 1, self._options):
            self._next.append(node)
        else:
            self.close(node)

    def next_level(self) -> None:
        """Go on to the nodes opened since; each open node was closed or split."""
        self.open_nodes, self._next = self._next, list[OpenNode]()
        self.depth += 1

    def result(self) -> ActiveTreeResult:
        """Return the finished tree and the margins after it."""
        nodes = tuple(sorted(self._nodes, key=lambda node: node.node))
        return ActiveTreeResult(ActiveTreeHalf(self._tree, nodes), self._margins)
