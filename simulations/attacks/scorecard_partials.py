"""The active party tells the passive party's columns from the points they add up to.

Scoring with a scorecard sends, for each customer, the points of all the passive party's columns
together; training ends with the same numbers in other units. Customers with the same points mostly
have the same bins. The attacker knows the columns of a few customers and takes, for every other,
the mean of those with the nearest points.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from models.evaluation import auc
from models.scorecard import clear
from models.scorecard.clear import ClearScorecard
from models.scorecard.options import ScorecardOptions
from models.table import Floats, Rows
from protocols.session.model_terms import ScorecardTerms
from simulations.attacks.customers import (
    ACTIVE,
    DATA,
    PASSIVE,
    SUITE,
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
from simulations.attacks.tree_views import WORTH

NEAREST = 5

PARTIALS = Attack(
    name="scorecard",
    model="scorecard",
    attacker="active party",
    target="columns of the passive party",
    method=f"the {NEAREST} known customers with the nearest points, of {KNOWN_ROWS} whose columns "
    "are known",
    measure="R^2 over the other customers, mean over numeric columns (at least 0)",
    baseline="ridge regression on the active party's own columns and the label",
)

USUAL: dict[str, Any] = {}
PROTECTIONS: tuple[tuple[str, dict[str, Any], str, dict[str, Any], str], ...] = (
    ("higher floor", USUAL, "20 rows", {"minimum_class_count": 40}, "40 rows of either class"),
    ("few bins", USUAL, "20 bins", {"bins": 5}, "5 bins"),
)
"""Name, terms without it and what they are, terms with it and what they are."""


def scorecard_options(**changes: Any) -> ScorecardOptions:
    """Return the options the attack starts from, with ``changes``."""
    terms: dict[str, Any] = {
        "bins": 20,
        "minimum_class_count": 20,
        "monotone": False,
        "minimum_information_value": "0.01",
        "maximum_correlation": "0.95",
        "epochs": 5,
        "batch_rows": 512,
        "learning_rate": "0.5",
        "l2": "1",
        "sigmoid": "linear",
        "base_points": 600,
        "base_odds": 20,
        "points_to_double": 20,
        "joint_table": False,
        "paillier_bits": 2048,
        "paillier_randomness": "exact",
    }
    return ScorecardOptions.from_terms(ScorecardTerms(**(terms | changes)))


def run(plan: Plan) -> Iterator[Result]:
    """Measure the attack against every protection, on both tables."""
    for data in DATA:
        count = plan.customers(data, few=600, many=2000)
        found: list[dict[str, float]] = []
        worth: list[dict[str, float]] = []
        chance: list[float] = []
        for seed in plan.each_seed(f"points of {data}"):
            customers, others = parted(draw(data, count + plan.held_out, seed), count)
            models = {
                str(changes): trained(customers, scorecard_options(**changes), seed)
                for _, a, _, b, _ in PROTECTIONS
                for changes in (a, b)
            }
            found.append({key: points_r2(model, customers, seed) for key, model in models.items()})
            worth.append(
                {
                    key: auc(others.labels, model.predict(others.tables).margins)
                    for key, model in models.items()
                }
            )
            chance.append(own_r2(customers, seed))
        for protection, without, without_is, protected, with_is in PROTECTIONS:
            yield compare(
                PARTIALS,
                protection=protection,
                without_is=without_is,
                with_is=with_is,
                data=describe(data, count),
                baseline=chance,
                without=[each[str(without)] for each in found],
                protected=[each[str(protected)] for each in found],
                side=Side.of(
                    WORTH,
                    [each[str(without)] for each in worth],
                    [each[str(protected)] for each in worth],
                ),
            )


def trained(customers: SharedCustomers, options: ScorecardOptions, seed: int) -> ClearScorecard:
    """Return the scorecard of both parties over ``customers``."""
    return clear.train(
        customers.tables,
        customers.labels,
        options,
        active=ACTIVE,
        passives=(PASSIVE,),
        suite=SUITE,
        public_seed=stream_of(seed, "scorecard batches").bytes(32),
    )


def points_r2(model: ClearScorecard, customers: SharedCustomers, seed: int) -> float:
    """Return how well the passive party's points tell its columns."""
    table = customers.tables[PASSIVE]
    points = sum(model.passive_half.points(table), np.zeros(table.rows, np.int64))
    return columns_r2(table, seed, partial(_nearest, np.asarray(points, np.float64)))


def own_r2(customers: SharedCustomers, seed: int) -> float:
    """Return how well the active party's own columns and the label tell the passive party's."""
    own = np.column_stack([plain_features(customers.tables[ACTIVE]), customers.labels])
    return columns_r2(customers.tables[PASSIVE], seed, partial(ridge_estimates, own))


def _nearest(points: Floats, known: Rows, values: Floats) -> Floats:
    """Return for each row the mean of the known rows with the nearest points, ties included."""
    distance = np.abs(points[:, None] - points[known][None, :])
    reach = np.sort(distance, axis=1)[:, min(NEAREST, len(known)) - 1]
    near = distance <= reach[:, None]
    return np.asarray((near @ values) / near.sum(axis=1))
