"""The same trees grown in the clear on the joined table: the reference, and training alone.

Every option, the passive parties' protections among them, means here what it means in the
protocol, so that the federated trees must equal these split for split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.boosted_trees.binning import BinnedTable, learn_binning
from models.boosted_trees.candidates import goes_left
from models.boosted_trees.gradients import (
    Gradients,
    base_score,
    check_labels,
    initial_margins,
    logistic_gradients,
)
from models.boosted_trees.growth import GrowingTree
from models.boosted_trees.model import (
    ActiveModel,
    ActiveTreeHalf,
    HeldSplit,
    OwnSplit,
    PassiveModel,
    PassiveTreeHalf,
    PeerSplit,
)
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.prediction import Predictions, held_masks, own_masks, tree_margins
from models.boosted_trees.split_search import best_of, plain_candidates
from models.boosted_trees.table import ColumnTable
from protocols.errors import LocalProtocolError
from protocols.roles import PartyId


@dataclass(frozen=True)
class ClearModel:
    """All halves of a model in one place."""

    active: PartyId
    active_half: ActiveModel
    passive_halves: Mapping[PartyId, PassiveModel]

    def predict(self, tables: Mapping[PartyId, ColumnTable]) -> Predictions:
        """Return the predictions for rows of the joined table; tables by party."""
        rows = tables[self.active].rows
        own = self.active_half.binning.apply(tables[self.active])
        peers = {
            party: half.binning.apply(tables[party]) for party, half in self.passive_halves.items()
        }
        margins = np.full(rows, self.active_half.base_score)
        for tree in self.active_half.trees:
            left = own_masks(tree, own)
            for party, half in self.passive_halves.items():
                left |= held_masks(half.trees[tree.tree], peers[party])
            margins += tree_margins(tree, left, rows)
        return Predictions(margins)

    def importance(self) -> dict[PartyId, dict[str, float]]:
        """Return the total gain of every column, by party and name.

        Only the joined model can say this: gains are in the active half, columns in the passive.
        """
        gains = {self.active: self.active_half.importance()}
        for party, half in self.passive_halves.items():
            names = [bins.name for bins in half.binning.columns]
            gains[party] = dict.fromkeys(names, 0.0)
            for tree, own in zip(self.active_half.trees, half.trees, strict=True):
                gain = {n.node: n.gain for n in tree.nodes if isinstance(n, PeerSplit)}
                for split in own.splits:
                    gains[party][names[split.column]] += gain[split.node]
        return gains


def train(
    tables: Mapping[PartyId, ColumnTable],
    labels: npt.NDArray[Any],
    options: TreeOptions,
    *,
    active: PartyId,
    passives: tuple[PartyId, ...],
) -> ClearModel:
    """Return the model of the joined table.

    ``tables`` holds each party's columns over the same rows in the same order; ``labels`` are 0
    and 1; ``passives`` is the party order that breaks ties. Raises
    :class:`LocalProtocolError` for lengths that differ and labels of one class only.
    """
    if any(table.rows != len(labels) for table in tables.values()):
        raise LocalProtocolError("there must be one label per row of every table")
    check_labels(labels, len(labels))
    binned = {}
    for party in (active, *passives):
        table = tables[party]
        binned[party] = learn_binning(table, options.bins).apply(table)
    margins = initial_margins(labels)
    trees: list[ActiveTreeHalf] = []
    held: dict[PartyId, list[PassiveTreeHalf]] = {party: [] for party in passives}
    for tree in range(options.trees):
        gradients = logistic_gradients(labels, margins)
        growing = GrowingTree(tree, gradients, margins, options)
        order = (active,) if options.is_active_only(tree) else (active, *passives)
        splits = _grow(growing, gradients, {p: binned[p] for p in order}, options, active)
        result = growing.result()
        margins = result.margins
        trees.append(result.half)
        for party in passives:
            held[party].append(PassiveTreeHalf(tree, tuple(splits.get(party, ()))))
    own = ActiveModel(base_score(labels), binned[active].binning, tuple(trees))
    return ClearModel(
        active, own, {p: PassiveModel(binned[p].binning, tuple(held[p])) for p in passives}
    )


def train_alone(table: ColumnTable, labels: npt.NDArray[Any], options: TreeOptions) -> ActiveModel:
    """Return the model the active party gets from its own columns, with no one else."""
    return train({"": table}, labels, options, active="", passives=()).active_half


def _grow(
    growing: GrowingTree,
    gradients: Gradients,
    binned: Mapping[PartyId, BinnedTable],
    options: TreeOptions,
    active: PartyId,
) -> dict[PartyId, list[HeldSplit]]:
    """Grow a tree to its end on ``binned``, in tie-breaking order; return the passive splits."""
    minimum = options.minimum_bin_count
    parties = list(binned)
    held: dict[PartyId, list[HeldSplit]] = {party: [] for party in parties if party != active}
    while growing.open_nodes:
        for node in growing.open_nodes:
            offers = [
                plain_candidates(
                    binned[party], node.rows, gradients, minimum, protected=party != active
                )
                for party in parties
            ]
            best = best_of([offer.sums.gains(options.l2) for offer in offers])
            if best is None:
                growing.close(node)
                continue
            party = parties[best.source]
            column, test = offers[best.source].splits[best.positions[0]]
            bins, codes = binned[party].binning.columns[column], binned[party].codes[column]
            left = goes_left(codes[node.rows], bins.kind, test)
            if party == active:
                growing.split(node, OwnSplit(node.number, column, *test, best.gain), left)
            else:
                held[party].append(HeldSplit(node.number, column, *test, len(node.rows)))
                growing.split(node, PeerSplit(node.number, party, best.gain), left)
        growing.next_level()
    return held
