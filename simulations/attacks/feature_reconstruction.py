"""The active party orders customers by the passive party's columns, from who goes left.

It sees, for each split of the passive party, which customers go left: in training those of the
node, in scoring all who are scored. Left sets of one numeric column are nested, so that sets of one
column can be told from others' by inclusion; how many sets of a chain a customer is in orders the
customers by that column. Which column it is stays unknown, the scale too. An attacker who knows the
columns of a few customers fits both, and reads off everybody else's values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from models.boosted_trees.clear import ClearModel
from models.table import Floats
from simulations.attacks.chains import best_correlation, orderings
from simulations.attacks.customers import (
    ACTIVE,
    DATA,
    PASSIVE,
    SharedCustomers,
    describe,
    draw,
    parted,
    stream_of,
)
from simulations.attacks.learners import plain_features, ridge_estimates
from simulations.attacks.outcome import Attack, Result, Side, compare
from simulations.attacks.plan import Plan
from simulations.attacks.r_squared import KNOWN_ROWS, columns_r2
from simulations.attacks.tree_views import (
    WORTH,
    held_out_auc,
    left_bits_in_scoring,
    left_bits_in_training,
    trained,
    tree_options,
)

CHANCE = "chance"

ORDERED = Attack(
    name="feature-reconstruction",
    model="boosted trees",
    attacker="active party",
    target="columns of the passive party",
    method="chains of nested left sets",
    measure="|rank correlation| of the best chain with the true column, mean over numeric columns",
    baseline="the same chains with the customers in a random order",
)
VALUES = Attack(
    name="feature-reconstruction",
    model="boosted trees",
    attacker="active party",
    target="columns of the passive party",
    method=f"ridge regression on the left sets, {KNOWN_ROWS} customers' columns known",
    measure="R^2 over the other customers, mean over numeric columns (at least 0)",
    baseline="the same regression on the active party's own columns and the label",
)


@dataclass(frozen=True)
class Setting:
    """A training, and which left bits reach the active party."""

    options: Mapping[str, Any] = field(default_factory=dict)
    bits: Literal["scoring", "training"] = "scoring"


USUAL = Setting()
PROTECTIONS: tuple[tuple[str, Setting, str, Setting, str], ...] = (
    ("minimum bin count", Setting({"minimum_bin_count": 5}), "5 rows", USUAL, "20 rows"),
    ("larger bins", USUAL, "20 rows", Setting({"minimum_bin_count": 200}), "200 rows"),
    ("coarse bins", USUAL, "32 bins", Setting({"bins": 8}), "8 bins"),
    ("few trees", Setting({"trees": 60}), "60 trees", USUAL, "20 trees"),
    ("shallow trees", Setting({"depth": 6}), "depth 6", USUAL, "depth 3"),
    (
        "bits of the customer's own path only",
        USUAL,
        "bits of all splits (scoring)",
        Setting(bits="training"),
        "bits on the path (training)",
    ),
    (
        "all rows in every tree",
        Setting({"row_sample": "0.5"}, bits="training"),
        "half of them (training)",
        Setting(bits="training"),
        "all (training)",
    ),
)


def run(plan: Plan) -> Iterator[Result]:
    """Measure the attack against every protection, on both tables."""
    for data in DATA:
        count = plan.customers(data, few=600, many=2000)
        found: dict[Attack, list[dict[str, float]]] = {ORDERED: [], VALUES: []}
        worth: list[dict[str, float]] = []
        for seed in plan.each_seed(f"feature reconstruction on {data}"):
            customers, others = parted(draw(data, count + plan.held_out, seed), count)
            models = trained_models(customers)
            for attack, successes in reconstructed(customers, models, seed).items():
                found[attack].append(successes)
            worth.append({key: held_out_auc(each, others) for key, each in models.items()})
        for attack, each in found.items():
            for protection, without, without_is, protected, with_is in PROTECTIONS:
                yield compare(
                    attack,
                    protection=protection,
                    without_is=without_is,
                    with_is=with_is,
                    data=describe(data, count),
                    baseline=[successes[CHANCE] for successes in each],
                    without=[successes[str(without)] for successes in each],
                    protected=[successes[str(protected)] for successes in each],
                    side=Side.of(
                        WORTH,
                        [models_worth[str(without.options)] for models_worth in worth],
                        [models_worth[str(protected.options)] for models_worth in worth],
                    ),
                )


def trained_models(customers: SharedCustomers) -> dict[str, ClearModel]:
    """Return the model of every setting, by its options."""
    options = {str(s.options): s.options for _, a, _, b, _ in PROTECTIONS for s in (a, b)}
    return {key: trained(customers, tree_options(**each)) for key, each in options.items()}


def reconstructed(
    customers: SharedCustomers, models: Mapping[str, ClearModel], seed: int
) -> dict[Attack, dict[str, float]]:
    """Return each attacker's success by setting, and that of its baseline."""
    table = customers.tables[PASSIVE]
    order = stream_of(seed, "random order").permutation(customers.count)
    own = np.column_stack([plain_features(customers.tables[ACTIVE]), customers.labels])
    found: dict[Attack, dict[str, float]] = {
        ORDERED: {},
        VALUES: {CHANCE: columns_r2(table, seed, partial(ridge_estimates, own))},
    }
    for _, without, _, protected, _ in PROTECTIONS:
        for setting in (without, protected):
            model = models[str(setting.options)]
            if setting.bits == "training":
                options = tree_options(**setting.options)
                bits = left_bits_in_training(model, customers, options)
            else:
                bits = left_bits_in_scoring(model, customers)
            estimates = orderings(bits)
            found[ORDERED][str(setting)] = best_correlation(estimates, table)
            if setting == USUAL:
                mixed = [estimate[order] for estimate in estimates]
                found[ORDERED][CHANCE] = best_correlation(mixed, table)
            found[VALUES][str(setting)] = columns_r2(
                table, seed, partial(ridge_estimates, _as_features(bits, customers.count))
            )
    return found


def _as_features(bits: Sequence[Floats], customers: int) -> Floats:
    """Return one column a split: left, right or not known; none where there is no split."""
    if not bits:
        return np.zeros((customers, 0))
    return np.nan_to_num(2.0 * np.column_stack(bits) - 1.0, nan=0.0)
