"""The same trees grown in the clear on the joined table: the reference, and training alone.

Every option, the passive parties' protections among them, means here what it means in the
protocol, so that the federated trees must equal these split for split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models.binning import BinnedTable, learn_binning
from models.boosted_trees.candidates import goes_left
from models.boosted_trees.gradients import Gradients
from models.boosted_trees.growth import GrowingTree
from models.boosted_trees.model import ActiveModel, PassiveModel
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.prediction import Scoring, held_masks, own_masks
from models.boosted_trees.results import (
    ActiveTreeResult,
    PassiveTreeResult,
    active_model,
    passive_model,
    says_when_to_stop,
    trees_kept,
)
from models.boosted_trees.sampling import (
    TreeRows,
    one_side_bag,
    public_bag,
    sampled_gradients,
    training_mask,
)
from models.boosted_trees.split_search import PlainSearch, best_of
from models.boosted_trees.target import Target
from models.boosted_trees.tree import HeldSplit, OwnSplit, PassiveTreeHalf, PeerSplit
from models.predictions import Predictions
from models.table import ColumnTable, Mask
from protocols.errors import LocalProtocolError
from protocols.roles import PartyId
from protocols.suite import Suite


@dataclass(frozen=True, eq=False)
class Sampling:
    """Where the rows of trees that learn from some of them come from.

    ``public_seed`` is the parties' sampling seed; ``private_seed`` gives the active party's seed
    of a tree, for one-side sampling. To grow the trees of a federated run both must be that run's.
    """

    suite: Suite
    public_seed: bytes
    private_seed: Callable[[int], bytes] = field(repr=False)


@dataclass(frozen=True)
class ClearModel:
    """All halves of a model in one place."""

    active: PartyId
    active_half: ActiveModel
    passive_halves: Mapping[PartyId, PassiveModel]

    def predict(self, tables: Mapping[PartyId, ColumnTable]) -> Predictions:
        """Return the predictions for rows of the joined table; tables by party."""
        own = self.active_half.binning.apply(tables[self.active])
        peers = {
            party: half.binning.apply(tables[party]) for party, half in self.passive_halves.items()
        }
        scoring = Scoring(self.active_half, own.rows)
        for tree in self.active_half.trees:
            left = own_masks(tree, own)
            for party, half in self.passive_halves.items():
                left |= held_masks(half.trees[tree.tree], peers[party])
            scoring.add(tree, left)
        return scoring.predictions()

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
    validation: Mask | None = None,
    sampling: Sampling | None = None,
) -> ClearModel:
    """Return the model of the joined table.

    ``tables`` holds each party's columns over the same rows in the same order; ``passives`` is
    the party order that breaks ties; ``validation`` marks rows that only decide when growing
    ends. Raises :class:`LocalProtocolError` for arguments that do not fit together, and labels
    there is nothing to learn from.
    """
    if any(table.rows != len(labels) for table in tables.values()):
        raise LocalProtocolError("there must be one label per row of every table")
    training = training_mask(validation, len(labels))
    binned = {
        party: learn_binning(tables[party].take(np.flatnonzero(training)), options.bins).apply(
            tables[party]
        )
        for party in (active, *passives)
    }
    target = Target.of(labels, training, options)
    margins, losses = target.initial_margins(), tuple[float, ...]()
    results: list[ActiveTreeResult] = []
    held: dict[PartyId, list[PassiveTreeResult]] = {party: [] for party in passives}
    for tree in range(options.trees):
        rows, gradients = _rows_and_gradients(
            tree, target, margins, training, options=options, sampling=sampling
        )
        growing = GrowingTree(tree, gradients, options)
        order = (active,) if options.is_active_only(tree) else (active, *passives)
        splits, left = _grow(growing, gradients, rows, {p: binned[p] for p in order}, options)
        half, margins = growing.result(margins, rows, left, training)
        kept = 0
        if options.early_stopping_rounds:
            losses = (*losses, target.loss(margins, np.flatnonzero(~training)))
        if says_when_to_stop(tree, options):
            kept = trees_kept(losses, options)
        results.append(ActiveTreeResult(half, margins, losses, kept))
        for party in passives:
            own = PassiveTreeHalf(tree, tuple(splits.get(party, ())))
            held[party].append(PassiveTreeResult(own, kept))
        if kept:
            break
    return ClearModel(
        active,
        active_model(binned[active].binning, labels, options, results, validation),
        {party: passive_model(binned[party].binning, held[party]) for party in passives},
    )


def train_alone(
    table: ColumnTable,
    labels: npt.NDArray[Any],
    options: TreeOptions,
    *,
    validation: Mask | None = None,
    sampling: Sampling | None = None,
) -> ActiveModel:
    """Return the model the active party gets from its own columns, with no one else."""
    model = train(
        {"": table},
        labels,
        options,
        active="",
        passives=(),
        validation=validation,
        sampling=sampling,
    )
    return model.active_half


def _rows_and_gradients(
    tree: int,
    target: Target,
    margins: npt.NDArray[np.float64],
    training: Mask,
    *,
    options: TreeOptions,
    sampling: Sampling | None,
) -> tuple[TreeRows, Gradients]:
    if options.samples_rows and sampling is None:
        raise LocalProtocolError("options that sample rows need to be told the seeds")
    weights = None
    if sampling is None:
        bag = np.flatnonzero(training)
    elif options.one_side_sampling is None:
        bag = public_bag(tree, training, options, sampling.suite, sampling.public_seed)
    else:
        stream = sampling.suite.stream(
            sampling.private_seed(tree), b"boosted-trees/2 one-side sampling"
        )
        bag, weights = one_side_bag(target, margins, training, options.one_side_sampling, stream)
    gradients = sampled_gradients(target, margins, bag, weights, options)
    return TreeRows.of(bag, len(training)), gradients


def _grow(
    growing: GrowingTree,
    gradients: Gradients,
    rows: TreeRows,
    binned: Mapping[PartyId, BinnedTable],
    options: TreeOptions,
) -> tuple[dict[PartyId, list[HeldSplit]], dict[int, Mask]]:
    """Grow a tree to its end on ``binned``, in tie-breaking order, the active party first.

    Returns the passive parties' splits, and which of the rows not learned from go left at each.
    """
    parties = list(binned)
    searches = [
        PlainSearch(table.bag(rows.bag), gradients, options.minimum_bin_count, protected=source > 0)
        for source, table in enumerate(binned.values())
    ]
    held: dict[PartyId, list[HeldSplit]] = {party: [] for party in parties[1:]}
    left_of_others: dict[int, Mask] = {}
    while growing.open_nodes:
        for node in growing.open_nodes:
            offers = [search.at(node.rows) for search in searches]
            best = best_of([sums.gains(gradients, options.l2) for _, sums in offers])
            if best is None:
                growing.close(node)
                continue
            party = parties[best.source]
            column, test = offers[best.source][0].candidates[best.positions[0]]
            bins, codes = binned[party].binning.columns[column], binned[party].codes[column]
            left = goes_left(codes[rows.bag[node.rows]], bins.kind, test)
            left_of_others[node.number] = goes_left(codes[rows.others], bins.kind, test)
            if best.source == 0:
                growing.split(node, OwnSplit(node.number, column, *test, best.gain), left)
            else:
                held[party].append(HeldSplit(node.number, column, *test, len(node.rows)))
                growing.split(node, PeerSplit(node.number, party, best.gain), left)
        growing.next_level()
    return held, left_of_others
