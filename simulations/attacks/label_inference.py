"""The passive party looks for the label in which customers the trees put together.

Two attackers, who know the label of a few customers. One fits a logistic regression to the nodes
every customer reached and to its own columns. The other follows ID2Graph (Takahashi, Liu and Liu,
arXiv 2307.10318): customers who end in one node are joined in a graph, the smaller the node the
more closely; its communities are found without any label, and the known ones only rank them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.boosted_trees.clear import ClearModel
from models.evaluation import auc
from models.table import Floats
from protocols.session.model_terms import OneSideSampling
from simulations.attacks.communities import louvain
from simulations.attacks.customers import (
    DATA,
    PASSIVE,
    SharedCustomers,
    describe,
    draw,
    parted,
    stream_of,
)
from simulations.attacks.learners import (
    Groups,
    logistic_scores,
    one_hot,
    plain_features,
    scaled,
    two_means,
)
from simulations.attacks.outcome import Attack, Result, Side, compare
from simulations.attacks.plan import Plan
from simulations.attacks.tree_views import (
    WORTH,
    NodeNumbers,
    held_out_auc,
    nodes_seen_by_passive,
    trained,
    tree_options,
)

KNOWN_LABELS = 40
PRIOR_LABELS = 4.0
"""How many labels of the base rate each community is credited with before the known ones."""

_MEASURE = "AUC of the guessed label over customers whose label is not known (0.5: guessing)"
_BASELINE = "the same attacker with its own columns and the same known labels, nothing of training"
_WHO = {"model": "boosted trees", "attacker": "passive party", "target": "labels"}

FEW_LABELS = Attack(
    name="label-inference",
    method=f"logistic regression on nodes and own columns, {KNOWN_LABELS} known labels",
    measure=_MEASURE,
    baseline=_BASELINE,
    **_WHO,
)
COMMUNITIES = Attack(
    name="label-inference",
    method=f"communities of customers (ID2Graph), {KNOWN_LABELS} known labels to rank them",
    measure=_MEASURE,
    baseline="two clusters of the attacker's own columns, ranked by the same known labels",
    **_WHO,
)


@dataclass(frozen=True)
class View:
    """Options of a training, and whether the last level's rows are told as well."""

    options: Mapping[str, Any] = field(default_factory=dict)
    last_level: bool = False


PROTECTED = View()
WITHOUT: dict[str, tuple[View, str, str]] = {
    "first tree active-only": (View({"first_tree_active_only": False}), "off", "on"),
    "minimum bin count": (View({"minimum_bin_count": 5}), "5 rows, the least allowed", "20 rows"),
    "shallow trees": (View({"depth": 6}), "depth 6", "depth 3"),
    "few trees": (View({"trees": 60}), "60 trees", "20 trees"),
    "rows of the last level not sent": (View(last_level=True), "sent", "not sent"),
    "no one-side sampling": (
        View({"one_side_sampling": OneSideSampling(top="0.2", other="0.1")}),
        "20 % and 10 % of the rows",
        "all rows in every tree",
    ),
    "all of these": (
        View(
            {"first_tree_active_only": False, "minimum_bin_count": 5, "depth": 6, "trees": 60},
            last_level=True,
        ),
        "all off",
        "all on",
    ),
}


def run(plan: Plan) -> Iterator[Result]:
    """Measure both attackers against every protection, on both tables."""
    for data in DATA:
        count = plan.customers(data, few=600, many=2000)
        found, worth = _successes(plan, data, count)
        for attack, successes in found.items():
            for protection, (view, without_is, with_is) in WITHOUT.items():
                yield compare(
                    attack,
                    protection=protection,
                    without_is=without_is,
                    with_is=with_is,
                    data=describe(data, count),
                    baseline=[each[None] for each in successes],
                    without=[each[str(view)] for each in successes],
                    protected=[each[str(PROTECTED)] for each in successes],
                    side=Side.of(
                        WORTH,
                        [each[str(view.options)] for each in worth],
                        [each[str(PROTECTED.options)] for each in worth],
                    ),
                )


def _successes(
    plan: Plan, data: str, count: int
) -> tuple[dict[Attack, list[dict[str | None, float]]], list[dict[str, float]]]:
    """Return each attacker's AUC for every seed, by view, and the models' worth, by options.

    Under None stands the baseline.
    """
    views = [PROTECTED, *(view for view, _, _ in WITHOUT.values())]
    found: dict[Attack, list[dict[str | None, float]]] = {FEW_LABELS: [], COMMUNITIES: []}
    worth: list[dict[str, float]] = []
    for seed in plan.each_seed(f"label inference on {data}"):
        customers, others = parted(draw(data, count + plan.held_out, seed), count)
        attacker = Attacker(customers, seed)
        models: dict[str, ClearModel] = {}
        with_labels: dict[str | None, float] = {None: attacker.with_few_labels([])}
        with_graph: dict[str | None, float] = {None: attacker.with_communities([])}
        for view in views:
            options = tree_options(**view.options)
            if str(view.options) not in models:
                models[str(view.options)] = trained(customers, options)
            model = models[str(view.options)]
            seen = nodes_seen_by_passive(model, customers, options, last_level=view.last_level)
            with_labels[str(view)] = attacker.with_few_labels(seen)
            with_graph[str(view)] = attacker.with_communities(seen)
        found[FEW_LABELS].append(with_labels)
        found[COMMUNITIES].append(with_graph)
        worth.append({key: held_out_auc(model, others) for key, model in models.items()})
    return found, worth


class Attacker:
    """The passive party: its own columns, a few labels, and the nodes it was told."""

    def __init__(self, customers: SharedCustomers, seed: int) -> None:
        self._labels = customers.labels
        self._own = plain_features(customers.tables[PASSIVE])
        self._seed = seed
        order = stream_of(seed, "known labels").permutation(customers.count)
        self._known, self._unknown = order[:KNOWN_LABELS], order[KNOWN_LABELS:]

    def with_few_labels(self, seen: list[NodeNumbers]) -> float:
        """Return the AUC of a logistic regression on own columns and nodes of every depth.

        The root's says which rows the tree learned from, where it is not all of them.
        """
        groupings = [depth for path in seen for depth in path.T]
        nodes = scaled(one_hot(groupings)) if groupings else self._own[:, :0]
        features = np.concatenate([self._own, nodes], axis=1)
        # Every feature has deviation 1: the penalty grows with them, so that many weigh as few.
        penalty = features.shape[1] / 10
        scores = logistic_scores(
            features, self._known, self._labels[self._known].astype(np.float64), l2=penalty
        )
        return self._auc(scores)

    def with_communities(self, seen: list[NodeNumbers]) -> float:
        """Return the AUC of the graph's communities, or of clusters of own columns alone."""
        if seen:
            return self._auc(self._ranked(self._communities(seen)))
        clusters = two_means(self._own, stream_of(self._seed, "clusters"))
        return self._auc(self._ranked(clusters.astype(np.int64)))

    def _communities(self, seen: list[NodeNumbers]) -> Groups:
        nodes = one_hot([path[:, -1] for path in seen])
        together = (nodes / nodes.sum(axis=0)) @ nodes.T
        np.fill_diagonal(together, 0.0)
        return louvain(together, stream_of(self._seed, "graph"))

    def _ranked(self, groups: Groups) -> Floats:
        """Return for each customer the share of the label among its group's known ones."""
        count = int(groups.max()) + 1
        labels = self._labels[self._known].astype(np.float64)
        known = np.bincount(groups[self._known], minlength=count)
        positive = np.bincount(groups[self._known], labels, minlength=count)
        share = (positive + PRIOR_LABELS * labels.mean()) / (known + PRIOR_LABELS)
        return np.asarray(share[groups])

    def _auc(self, scores: Floats) -> float:
        return auc(self._labels[self._unknown], scores[self._unknown])
