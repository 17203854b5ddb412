"""The active party, following the protocol, reads candidate sums against gradients it knows.

Two attackers. One looks at small nodes and lists every set of rows with the sums of a candidate.
The other looks at the root, whose candidates are the same in every tree: each tree adds two
equations about the same unknown left set, and least squares puts them together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.boosted_trees.options import TreeOptions
from models.table import Floats
from simulations.attacks.candidate_sums import binned_passive, left_sets
from simulations.attacks.chains import best_correlation
from simulations.attacks.customers import (
    DATA,
    PASSIVE,
    SharedCustomers,
    describe,
    draw,
    stream_of,
)
from simulations.attacks.outcome import Attack, Result, compare
from simulations.attacks.plan import Plan
from simulations.attacks.subset_sums import certain_rows, kinds
from simulations.attacks.tree_views import (
    node_paths,
    trained,
    tree_options,
    tree_starts,
)

NODES = 30
"""Smallest searched nodes of a training whose sums are tried."""
CANDIDATES = 12
"""Candidates of a node that are tried."""
RIDGE = 1e-6
"""Keeps equations that say nearly the same from being believed beyond rounding."""

_WHO = {"model": "boosted trees", "attacker": "active party", "target": "rows in passive bins"}
SMALL_NODES = Attack(
    name="reverse-sum",
    method=f"true gradients, depth 6: all sets with a candidate's sums, {NODES} smallest nodes",
    measure="share of (customer, candidate) pairs of those nodes known for certain, and rightly",
    baseline="without the sums nothing is certain",
    **_WHO,
)
ROOTS = Attack(
    name="reverse-sum",
    method="true gradients: least squares over the roots of all trees",
    measure="|rank correlation| of the estimate with the true column, mean over numeric columns",
    baseline="the same estimates with the customers in a random order",
    **_WHO,
)


@dataclass(frozen=True)
class Setting:
    """A training, and whether replies are shuffled."""

    options: Mapping[str, Any] = field(default_factory=dict)
    shuffled: bool = True


_DEEP = {"depth": 6}
SMALL_NODE_PROTECTIONS = (
    (
        "minimum bin count",
        Setting(_DEEP | {"minimum_bin_count": 5}),
        "5 rows, the least allowed",
        Setting(_DEEP),
        "20 rows",
    ),
    (
        "larger bins",
        Setting(_DEEP),
        "20 rows",
        Setting(_DEEP | {"minimum_bin_count": 50}),
        "50 rows",
    ),
    (
        "shallow trees",
        Setting(_DEEP | {"minimum_bin_count": 5}),
        "depth 6, 5 rows",
        Setting({"minimum_bin_count": 5}),
        "depth 3, 5 rows",
    ),
)
ROOT_PROTECTIONS = (
    ("shuffle", Setting(shuffled=False), "canonical order", Setting(), "shuffled"),
    (
        "minimum bin count",
        Setting({"minimum_bin_count": 5}),
        "5 rows, the least allowed",
        Setting(),
        "20 rows",
    ),
    ("few trees", Setting({"trees": 60}), "60 trees", Setting(), "20 trees"),
)


def run(plan: Plan) -> Iterator[Result]:
    """Measure both attackers against every protection, on both tables."""
    for data in DATA:
        count = plan.customers(data, few=400, many=1500)
        small: list[dict[str, float]] = []
        roots: list[dict[str, float]] = []
        for seed in plan.each_seed(f"sums of {data}"):
            customers = draw(data, count, seed)
            small.append({"chance": 0.0})
            for setting in _settings(SMALL_NODE_PROTECTIONS):
                small[-1][str(setting)] = certainty(customers, tree_options(**setting.options))
            order = stream_of(seed, "random order").permutation(count)
            roots.append({})
            for setting in _settings(ROOT_PROTECTIONS):
                estimates = root_estimates(customers, setting, seed)
                roots[-1][str(setting)] = best_correlation(estimates, customers.tables[PASSIVE])
                if setting == Setting():
                    shuffled = [each[order] for each in estimates]
                    roots[-1]["chance"] = best_correlation(shuffled, customers.tables[PASSIVE])
        for attack, each, protections in (
            (SMALL_NODES, small, SMALL_NODE_PROTECTIONS),
            (ROOTS, roots, ROOT_PROTECTIONS),
        ):
            for protection, without, without_is, protected, with_is in protections:
                yield compare(
                    attack,
                    protection=protection,
                    without_is=without_is,
                    with_is=with_is,
                    data=describe(data, count),
                    baseline=[found["chance"] for found in each],
                    without=[found[str(without)] for found in each],
                    protected=[found[str(protected)] for found in each],
                )


def certainty(customers: SharedCustomers, options: TreeOptions) -> float:
    """Return the share of (row, candidate) pairs whose side the sums leave no doubt about.

    Over the smallest searched nodes of the training; pairs the attacker gets wrong do not count.
    """
    model = trained(customers, options)
    paths = node_paths(model, customers, options.depth)
    binned = binned_passive(customers, options)
    searched = []
    for start in tree_starts(model, customers, options):
        if options.is_active_only(start.tree):
            continue
        first, second = start.gradients.first[:, 0], start.gradients.second[:, 0]
        for number in np.unique(paths[start.tree][:, : options.depth]):
            depth = int(number + 1).bit_length() - 1
            rows = np.flatnonzero(paths[start.tree][:, depth] == number)
            if depth < options.depth and len(rows) >= 2 * options.minimum_bin_count:
                searched.append((rows, first[rows], second[rows]))
    right = pairs = 0
    minimum = options.minimum_bin_count
    for rows, first, second in sorted(searched, key=lambda each: len(each[0]))[:NODES]:
        node = kinds(first, second)
        for _, left in left_sets(binned, rows, minimum)[:CANDIDATES]:
            pairs += len(rows)
            if node is None:
                continue
            sums = int(first[left].sum()), int(second[left].sum())
            inside, outside = certain_rows(node, *sums, minimum)
            right += int((inside & left).sum() + (outside & ~left).sum())
    return right / pairs if pairs else 0.0


def root_estimates(customers: SharedCustomers, setting: Setting, seed: int) -> list[Floats]:
    """Return, for each candidate of the root, how likely each customer is to be left of it."""
    options = tree_options(**setting.options)
    model = trained(customers, options)
    rows = np.arange(customers.count)
    sets = left_sets(binned_passive(customers, options), rows, options.minimum_bin_count)
    order = stream_of(seed, "shuffle")
    tracked: _Tracked | None = None
    for start in tree_starts(model, customers, options):
        if options.is_active_only(start.tree):
            continue
        known = np.hstack([start.gradients.first, start.gradients.second]).T.astype(np.float64)
        sums = np.array([known[:, left].sum(axis=1) for _, left in sets]).reshape(-1, 2)
        if setting.shuffled:
            sums = sums[order.permutation(len(sums))]
        tracked = _Tracked(known, sums) if tracked is None else tracked
        tracked.add(known, sums, in_order=not setting.shuffled)
    return tracked.estimates() if tracked is not None else []


class _Tracked:
    """Candidates followed from tree to tree, with every equation seen about each."""

    def __init__(self, known: Floats, sums: Floats) -> None:
        # What share of the second derivatives is left says how many rows are.
        self._share = sums[:, 1] / known[1].sum()
        self._weights = np.zeros((0, known.shape[1]))
        self._residuals = np.zeros((0, len(sums)))

    def add(self, known: Floats, sums: Floats, *, in_order: bool) -> None:
        """Take one tree's sums; without an order they go to the candidates they fit best.

        ``known``: both gradients of every row, shape (2, rows).
        """
        scale = np.sqrt(np.square(known).sum(axis=1))
        equations = known / scale[:, None]
        expected = self._solved() @ equations.T  # what is predicted, shape (candidates, 2)
        found = sums / scale
        if not in_order:
            found = found[_assigned(expected, found)]
        self._weights = np.concatenate([self._weights, equations])
        prior = np.outer(equations.sum(axis=1), self._share)
        self._residuals = np.concatenate([self._residuals, found.T - prior])

    def _solved(self) -> Floats:
        start = np.repeat(self._share[:, None], self._weights.shape[1], axis=1)
        if not len(self._weights):
            return start
        gram = self._weights @ self._weights.T
        multipliers = np.linalg.solve(gram + RIDGE * np.eye(len(gram)), self._residuals)
        return np.asarray(start + multipliers.T @ self._weights)

    def estimates(self) -> list[Floats]:
        """Return the least-squares estimate of each candidate's left set."""
        return list(self._solved())


def _assigned(expected: Floats, found: Floats) -> list[int]:
    """Return for each expected pair of sums the one found nearest to it, each taken once."""
    distance = np.square(expected[:, None, :] - found[None, :, :]).sum(axis=2)
    taken = [-1] * len(expected)
    for flat in np.argsort(distance, axis=None, kind="stable"):
        candidate, at = divmod(int(flat), len(found))
        if taken[candidate] < 0 and np.isfinite(distance[0, at]):
            taken[candidate] = at
            distance[:, at] = np.inf
    return taken


def _settings(
    protections: Sequence[tuple[str, Setting, str, Setting, str]],
) -> list[Setting]:
    return list({str(s): s for _, a, _, b, _ in protections for s in (a, b)}.values())
