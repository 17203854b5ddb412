"""The split network: labels from gradients, columns from what the cut lets through.

The real roles run, in memory, and both parties keep what they receive. The passive party gets a
gradient for every customer in every epoch: length and direction tell the label (Li et al., "Label
Leakage and Protection in Two-party Split Learning", ICLR 2022, arXiv 2102.08504). The active party
gets the cut's outputs for every customer, and knows the passive columns of a few.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from models.evaluation import auc
from models.split_network.leakage import leakage
from models.split_network.messages import Singles
from models.table import Floats
from simulations.attacks.customers import (
    ACTIVE,
    DATA,
    PASSIVE,
    SharedCustomers,
    describe,
    draw,
    stream_of,
)
from simulations.attacks.label_inference import KNOWN_LABELS
from simulations.attacks.learners import (
    logistic_scores,
    plain_features,
    ridge_estimates,
    scaled,
)
from simulations.attacks.outcome import Attack, Result, Side, compare
from simulations.attacks.plan import Plan
from simulations.attacks.r_squared import KNOWN_ROWS, columns_r2
from simulations.attacks.split_training import (
    HELD_OUT,
    Training,
    network_options,
    train,
    training_customers,
)
from simulations.attacks.tree_views import WORTH

EPSILONS = (4.0, 2.0, 1.0)
CUTS = (8, 2, 1)

_LABELS = {"model": "split network", "attacker": "passive party", "target": "labels"}
_AUC = "AUC of the guessed label over training customers (0.5: guessing)"
NORM = Attack(
    name="split-labels",
    method="length of the gradient (Li et al.)",
    measure=_AUC + ", mean over batches",
    baseline="guessing",
    **_LABELS,
)
DIRECTION = Attack(
    name="split-labels",
    method="direction of the gradient, one positive known (Li et al.)",
    measure=_AUC + ", mean over batches",
    baseline="guessing",
    **_LABELS,
)
ALL_EPOCHS = Attack(
    name="split-labels",
    method=f"logistic regression on all epochs' gradients, {KNOWN_LABELS} known labels",
    measure=_AUC + " whose label is not known",
    baseline="the same attacker with its own columns only",
    **_LABELS,
)
COLUMNS = Attack(
    name="split-columns",
    model="split network",
    attacker="active party",
    target="columns of the passive party",
    method=f"ridge regression on the cut's outputs, {KNOWN_ROWS} customers' columns known",
    measure="R^2 over the other customers, mean over numeric columns (at least 0)",
    baseline="the same regression on the active party's own columns and the label",
)


def run(plan: Plan) -> Iterator[Result]:
    """Measure all attackers against every label epsilon and width of the cut, on both tables."""
    for data in DATA:
        count = plan.customers(data, few=700, many=2500)
        labels: dict[Attack, list[dict[float | None, float]]] = {NORM: [], DIRECTION: []}
        labels[ALL_EPOCHS] = []
        worth: list[dict[float | None, float]] = []
        columns: list[dict[int, float]] = []
        own: list[dict[str, float]] = []
        for seed in plan.each_seed(f"split network on {data}"):
            customers = draw(data, count, seed)
            trainings = {
                epsilon: train(
                    customers,
                    network_options(label_epsilon=epsilon, cut_units=CUTS[0], quick=plan.quick),
                    seed,
                )
                for epsilon in (None, *EPSILONS)
            }
            for attack, success in label_attacks(customers, seed, trainings).items():
                labels[attack].append(success)
            worth.append({e: each.held_out_auc for e, each in trainings.items()})
            cuts = {CUTS[0]: trainings[EPSILONS[0]].outputs}
            for cut in CUTS[1:]:
                options = network_options(
                    label_epsilon=EPSILONS[0], cut_units=cut, quick=plan.quick
                )
                cuts[cut] = train(customers, options, seed).outputs
            columns.append({c: column_r2(customers, seed, cuts[c]) for c in CUTS})
            own.append(_without_messages(customers, seed))
        what = describe(data, count) + f", {1 - HELD_OUT:.0%} of them trained on"
        for attack, found in labels.items():
            for epsilon in EPSILONS:
                yield compare(
                    attack,
                    protection="label differential privacy",
                    without_is="true labels",
                    with_is=f"epsilon {epsilon:g}",
                    data=what,
                    baseline=[each["labels"] if attack is ALL_EPOCHS else 0.5 for each in own],
                    without=[each[None] for each in found],
                    protected=[each[epsilon] for each in found],
                    side=Side.of(
                        WORTH,
                        [each[None] for each in worth],
                        [each[epsilon] for each in worth],
                    ),
                )
        for cut in CUTS[1:]:
            yield compare(
                COLUMNS,
                protection="narrow cut",
                without_is=f"{_numbers(CUTS[0])} a customer",
                with_is=_numbers(cut),
                data=what,
                baseline=[each["columns"] for each in own],
                without=[each[CUTS[0]] for each in columns],
                protected=[each[cut] for each in columns],
            )


def label_attacks(
    customers: SharedCustomers, seed: int, trainings: dict[float | None, Training]
) -> dict[Attack, dict[float | None, float]]:
    """Return each attacker's AUC by label epsilon."""
    labels = training_customers(customers).labels
    found: dict[Attack, dict[float | None, float]] = {NORM: {}, DIRECTION: {}, ALL_EPOCHS: {}}
    for epsilon, training in trainings.items():
        by_batch = leakage(training.gradients, [labels[rows] for rows in training.rows])
        found[NORM][epsilon] = by_batch.norm
        found[DIRECTION][epsilon] = by_batch.direction
        features = _gradients_by_customer(training, len(labels))
        found[ALL_EPOCHS][epsilon] = _few_labels(customers, seed, features)
    return found


def _gradients_by_customer(training: Training, customers: int) -> Floats:
    """Return every epoch's gradient of each customer, each batch on its own scale."""
    epochs = sum(len(rows) for rows in training.rows) // customers
    units = training.gradients[0].shape[1]
    features = np.zeros((customers, epochs, units))
    seen = np.zeros(customers, np.int64)
    for rows, values in zip(training.rows, training.gradients, strict=True):
        scale = np.sqrt(np.square(values, dtype=np.float64).mean()) + 1e-30
        features[rows, seen[rows]] = values / scale
        seen[rows] += 1
    return features.reshape(customers, -1)


def _few_labels(customers: SharedCustomers, seed: int, gradients: Floats | None) -> float:
    trained = training_customers(customers)
    own = plain_features(trained.tables[PASSIVE])
    features = own if gradients is None else np.concatenate([own, scaled(gradients)], axis=1)
    order = stream_of(seed, "known labels").permutation(trained.count)
    known, unknown = order[:KNOWN_LABELS], order[KNOWN_LABELS:]
    scores = logistic_scores(
        features, known, trained.labels[known].astype(np.float64), l2=features.shape[1] / 10
    )
    return auc(trained.labels[unknown], scores[unknown])


def column_r2(customers: SharedCustomers, seed: int, outputs: Singles) -> float:
    """Return how well the cut's outputs for the training customers tell the passive columns."""
    inputs = _with_squares(outputs.astype(np.float64))
    table = training_customers(customers).tables[PASSIVE]
    return columns_r2(table, seed, partial(ridge_estimates, inputs))


def _with_squares(features: Floats) -> Floats:
    return scaled(np.concatenate([features, np.square(features)], axis=1))


def _without_messages(customers: SharedCustomers, seed: int) -> dict[str, float]:
    """Return what the attackers reach without the messages they attack."""
    trained = training_customers(customers)
    active = np.column_stack([plain_features(trained.tables[ACTIVE]), trained.labels])
    return {
        "labels": _few_labels(customers, seed, None),
        "columns": columns_r2(
            trained.tables[PASSIVE], seed, partial(ridge_estimates, _with_squares(active))
        ),
    }


def _numbers(cut: int) -> str:
    return "1 number" if cut == 1 else f"{cut} numbers"
