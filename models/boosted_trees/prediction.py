"""Rows through trees: from bit vectors at the splits to margins and what moved them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.binning import BinnedTable
from models.boosted_trees.candidates import goes_left
from models.boosted_trees.model import ActiveModel
from models.boosted_trees.tree import ActiveTreeHalf, Leaf, OwnSplit, PassiveTreeHalf
from models.predictions import Predictions
from models.table import Floats, Mask, Rows
from protocols.roles import PartyId


def held_masks(half: PassiveTreeHalf, binned: BinnedTable) -> dict[int, Mask]:
    """Return, for each node the passive party splits, which rows go left."""
    return {
        split.node: goes_left(
            binned.codes[split.column], binned.binning.columns[split.column].kind, split.test
        )
        for split in half.splits
    }


def own_masks(half: ActiveTreeHalf, binned: BinnedTable) -> dict[int, Mask]:
    """Return, for each node the active party splits itself, which rows go left."""
    return {
        node.node: goes_left(
            binned.codes[node.column], binned.binning.columns[node.column].kind, node.test
        )
        for node in half.nodes
        if isinstance(node, OwnSplit)
    }


def leaf_of_each_row(splits: Sequence[int], left: Mapping[int, Mask], rows: int) -> Rows:
    """Return the number of the leaf each row reaches; ``left`` has a mask for every split."""
    at = np.zeros(rows, np.int64)
    for node in sorted(splits):  # a parent's number is below its children's
        here = at == node
        at[here] = 2 * node + 2 - left[node][here]
    return at


class Scoring:
    """Margins of rows, and how far each column or party moved them, tree by tree.

    A node is worth the mean of its leaves over the training rows that reached them. What a row
    gains or loses in worth by a split is put down to the column that splits (Saabas,
    "Interpreting random forests", 2014); of a passive party's columns only the total is known. The
    margins are the worth of all roots, the base and these contributions.
    """

    def __init__(self, model: ActiveModel, rows: int) -> None:
        shape = (rows, len(model.base_score))
        self._model = model
        self._margins = np.tile(np.array(model.base_score), (rows, 1))
        self._own = {bins.name: np.zeros(shape) for bins in model.binning.columns}
        self._peers: dict[PartyId, Floats] = {
            party: np.zeros(shape) for party in model.peer_importance()
        }

    def add(self, half: ActiveTreeHalf, left: Mapping[int, Mask]) -> None:
        """Add one tree; ``left`` has a mask over the rows for each of its splits."""
        worth = half.worth()
        reached = {0: np.ones(len(self._margins), np.bool_)}
        for node in half.nodes:
            here = reached.pop(node.node)
            if isinstance(node, Leaf):
                self._margins[here] += np.array(node.weights)
                continue
            if isinstance(node, OwnSplit):
                moved = self._own[self._model.binning.columns[node.column].name]
            else:
                moved = self._peers[node.party]
            goes = left[node.node]
            for child, rows in ((1, here & goes), (2, here & ~goes)):
                number = 2 * node.node + child
                reached[number] = rows
                moved[rows] += worth[number] - worth[node.node]

    def predictions(self) -> Predictions:
        """Return what was added up, in the label's own unit."""
        center, scale = self._model.center, self._model.scale
        return Predictions(
            self._shaped(center + scale * self._margins),
            {name: self._shaped(scale * moved) for name, moved in self._own.items()},
            {party: self._shaped(scale * moved) for party, moved in self._peers.items()},
        )

    def _shaped(self, values: Floats) -> Floats:
        return values if self._model.outputs > 1 else values[:, 0]
