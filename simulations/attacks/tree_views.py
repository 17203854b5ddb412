"""What each party of boosted trees holds after training, computed from the same trees in the clear.

The federated trees equal those of ``models.boosted_trees.clear`` split for split, so what a party
sees of rows follows from them; ``tests/simulations/attacks`` holds it against recorded messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models.boosted_trees import clear
from models.boosted_trees.clear import ClearModel, Sampling
from models.boosted_trees.gradients import Gradients
from models.boosted_trees.options import TreeOptions
from models.boosted_trees.prediction import held_masks, leaf_of_each_row, own_masks
from models.boosted_trees.sampling import one_side_bag, public_bag, sampled_gradients
from models.boosted_trees.target import Target
from models.evaluation import auc
from models.table import Floats, Rows
from protocols.session.model_terms import TreeTerms
from simulations.attacks.customers import ACTIVE, PASSIVE, SUITE, SharedCustomers, stream_of

NodeNumbers = npt.NDArray[np.int64]
WORTH = "AUC of the joint model on held-out customers"
SAMPLING_SEED = bytes(32)
"""Public, as in a job: which rows a tree leaves out by ``row_sample``."""


def tree_options(**changes: Any) -> TreeOptions:
    """Return the options the attacks start from, every protection on, with ``changes``."""
    terms: dict[str, Any] = {
        "objective": "binary",
        "classes": 1,
        "trees": 20,
        "depth": 3,
        "bins": 32,
        "learning_rate": "0.3",
        "l2": "1",
        "minimum_bin_count": 20,
        "first_tree_active_only": True,
        "class_weights": "none",
        "row_sample": "1",
        "one_side_sampling": None,
        "early_stopping_rounds": 0,
        "validation_percent": 0,
        "paillier_bits": 2048,
        "paillier_randomness": "exact",
    }
    return TreeOptions.from_terms(TreeTerms(**(terms | changes)))


def trained(customers: SharedCustomers, options: TreeOptions) -> ClearModel:
    """Return the trees of both parties over ``customers``."""
    return clear.train(
        customers.tables,
        customers.labels,
        options,
        active=ACTIVE,
        passives=(PASSIVE,),
        sampling=Sampling(SUITE, SAMPLING_SEED, private_seed),
    )


def private_seed(tree: int) -> bytes:
    """Return the active party's seed of a tree, in every training here."""
    return stream_of(tree, "one-side sampling").bytes(32)


@dataclass(frozen=True, eq=False)
class TreeStart:
    """What the active party holds before one tree: the rows it learns from, their gradients."""

    tree: int
    bag: Rows = field(repr=False)
    """Positions of the rows, ascending."""
    gradients: Gradients = field(repr=False)
    """Of the rows in the bag, in whole units; one output."""


def tree_starts(
    model: ClearModel, customers: SharedCustomers, options: TreeOptions
) -> Iterator[TreeStart]:
    """Yield what each tree of ``model`` was grown from, in order."""
    everybody = np.ones(customers.count, np.bool_)
    target = Target.of(customers.labels, everybody, options)
    margins = target.initial_margins()
    leaves = leaf_numbers(model, customers)
    for tree, leaf in zip(model.active_half.trees, leaves, strict=True):
        weights = None
        if options.one_side_sampling is None:
            bag = public_bag(tree.tree, everybody, options, SUITE, SAMPLING_SEED)
        else:
            stream = SUITE.stream(private_seed(tree.tree), b"boosted-trees/2 one-side sampling")
            shares = options.one_side_sampling
            bag, weights = one_side_bag(target, margins, everybody, shares, stream)
        yield TreeStart(tree.tree, bag, sampled_gradients(target, margins, bag, weights, options))
        by_leaf = {each.node: each.weights[0] for each in tree.leaves}
        margins = margins + np.array([by_leaf[number] for number in leaf.tolist()])[:, None]


def leaf_numbers(model: ClearModel, customers: SharedCustomers) -> list[NodeNumbers]:
    """Return for each tree the leaf of every row."""
    own = model.active_half.binning.apply(customers.tables[ACTIVE])
    half = model.passive_halves[PASSIVE]
    peer = half.binning.apply(customers.tables[PASSIVE])
    numbers = []
    for tree in model.active_half.trees:
        left = own_masks(tree, own) | held_masks(half.trees[tree.tree], peer)
        numbers.append(leaf_of_each_row(list(left), left, customers.count))
    return numbers


def node_paths(model: ClearModel, customers: SharedCustomers, depth: int) -> list[NodeNumbers]:
    """Return for each tree the node of every row at every depth, shape (rows, depth + 1).

    A row that has reached a leaf stays there.
    """
    paths = []
    for leaf in leaf_numbers(model, customers):
        path = [leaf]
        # Upwards: a node k deep has its ancestor at depth d after k - d steps to the parent.
        for above in range(depth, 0, -1):
            here = path[-1]
            path.append(np.where(here + 1 >= 1 << above, (here - 1) // 2, here))
        paths.append(np.column_stack(path[::-1]))
    return paths


def nodes_seen_by_passive(
    model: ClearModel,
    customers: SharedCustomers,
    options: TreeOptions,
    *,
    last_level: bool = False,
) -> list[NodeNumbers]:
    """Return for each tree the passive party takes part in what it knows of each row's node.

    One column a depth, as in :func:`node_paths`; -1 for a row the tree does not learn from. At the
    last depth it knows the children of its own splits only; ``last_level`` is what it would know if
    those of all splits were sent.
    """
    seen = []
    paths = node_paths(model, customers, options.depth)
    starts = tree_starts(model, customers, options)
    for tree, path, start in zip(model.active_half.trees, paths, starts, strict=True):
        if options.is_active_only(tree.tree):
            continue
        known = path.copy()
        if not last_level:
            parents, bottom = path[:, -2], path[:, -1]
            own = np.isin(parents, tree.peer_nodes(PASSIVE))
            known[:, -1] = np.where(own, bottom, parents)
        sampled = np.zeros(customers.count, np.bool_)
        sampled[start.bag] = True
        seen.append(np.where(sampled[:, None], known, -1))
    return seen


def left_bits_in_scoring(model: ClearModel, customers: SharedCustomers) -> list[Floats]:
    """Return for each passive split which customers go left, 1 or 0: what scoring sends."""
    half = model.passive_halves[PASSIVE]
    binned = half.binning.apply(customers.tables[PASSIVE])
    return [
        mask.astype(np.float64) for tree in half.trees for mask in held_masks(tree, binned).values()
    ]


def left_bits_in_training(
    model: ClearModel, customers: SharedCustomers, options: TreeOptions
) -> list[Floats]:
    """Return the same as training sends it, NaN for customers the active party is not told of.

    It is told of the rows a tree learns from that reach the split's node, and of all others.
    """
    told = []
    for tree, leaf, start in zip(
        model.passive_halves[PASSIVE].trees,
        leaf_numbers(model, customers),
        tree_starts(model, customers, options),
        strict=True,
    ):
        others = np.ones(customers.count, np.bool_)
        others[start.bag] = False
        for split in tree.splits:
            here = leaf
            while (here > split.node).any():
                here = np.where(here > split.node, (here - 1) // 2, here)
            told.append((here == split.node) | others)
    bits = left_bits_in_scoring(model, customers)
    return [np.where(known, bit, np.nan) for known, bit in zip(told, bits, strict=True)]


def held_out_auc(model: ClearModel, others: SharedCustomers) -> float:
    """Return what the joint model is worth: its AUC on customers it did not learn from."""
    return auc(others.labels, model.predict(others.tables).margins)
