"""One tree while it grows, level by level, whoever finds the splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from models.boosted_trees.gradients import Gradients
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.prediction import leaf_of_each_row
from models.boosted_trees.sampling import TreeRows
from models.boosted_trees.tree import ActiveTreeHalf, Leaf, Node, OwnSplit, PeerSplit
from models.table import Floats, Mask, Rows


@dataclass(frozen=True, eq=False)
class OpenNode:
    """A node that may yet be split, and its rows as positions in the tree's bag, ascending."""

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
    """Return the node that holds every row of the bag."""
    return OpenNode(0, np.arange(rows))


def is_open(node: OpenNode, depth: int, options: TreeOptions) -> bool:
    """Whether a node at ``depth`` is searched for a split; every party decides alike."""
    return depth < options.depth and len(node.rows) >= 2 * options.minimum_bin_count


class GrowingTree:
    """The open nodes of the current level, and what is settled so far."""

    def __init__(self, tree: int, gradients: Gradients, options: TreeOptions) -> None:
        self._tree = tree
        self._gradients = gradients
        self._options = options
        self._splits: list[OwnSplit | PeerSplit] = []
        self._leaves: list[OpenNode] = []
        self._next: list[OpenNode] = []
        self.depth = -1
        self._place(root(len(gradients.first)))
        self.next_level()

    def close(self, node: OpenNode) -> None:
        """Make ``node`` a leaf."""
        self._leaves.append(node)

    def split(self, node: OpenNode, by: OwnSplit | PeerSplit, left: Mask) -> None:
        """Split ``node``, one of the open nodes, into its rows ``left`` and the others."""
        self._splits.append(by)
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

    def result(
        self, margins: Floats, rows: TreeRows, left_of_others: Mapping[int, Mask], training: Mask
    ) -> tuple[ActiveTreeHalf, Floats]:
        """Return the finished tree and every row's margins after it.

        ``left_of_others`` has, for each split, which of ``rows.others`` go left. A leaf's weight
        is -learning_rate * G / (H + l2) for each output, and its rows are all training rows that
        reach it, in the bag or not.
        """
        others = leaf_of_each_row(
            [split.node for split in self._splits], left_of_others, len(rows.others)
        )
        after = margins.copy()
        nodes: list[Node] = list(self._splits)
        for node in self._leaves:
            weights = self._weights(node)
            also = rows.others[others == node.number]
            after[rows.bag[node.rows]] += weights
            after[also] += weights
            reached = len(node.rows) + int(training[also].sum())
            nodes.append(Leaf(node.number, tuple(weights.tolist()), reached))
        half = ActiveTreeHalf(self._tree, tuple(sorted(nodes, key=lambda node: node.node)))
        return half, after

    def _weights(self, node: OpenNode) -> Floats:
        first, second = self._gradients.totals(node.rows)
        step = (first * self._gradients.first_unit) / (
            second * self._gradients.second_unit + self._options.l2
        )
        weights: Floats = -self._options.learning_rate * step
        return weights
