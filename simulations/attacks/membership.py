"""Whoever gets scores asks whether a customer was among those the model learned from.

Threshold attacks without shadow models: Yeom, Giacomelli, Fredrikson and Jha, "Privacy Risk in
Machine Learning", CSF 2018 (arXiv 1709.01604). With the customer's label the attacker
compares the score's loss, without it how decided the score is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from models.evaluation import ks
from models.table import Floats
from simulations.attacks.customers import DATA, SharedCustomers, describe, draw, stream_of
from simulations.attacks.outcome import Attack, Result, compare
from simulations.attacks.plan import Plan
from simulations.attacks.tree_views import trained, tree_options

_MEASURE = "advantage: largest TPR - FPR over thresholds (0: none, 1: certain)"
_BASELINE = "the same measure for scores in a random order: what chance gives at this size"

WITH_LABEL = Attack(
    name="membership",
    model="boosted trees",
    attacker="who gets scores and knows the labels",
    target="who was in the training set",
    method="loss of the released score",
    measure=_MEASURE,
    baseline=_BASELINE,
)
WITHOUT_LABEL = Attack(
    name="membership",
    model="boosted trees",
    attacker="who gets scores",
    target="who was in the training set",
    method="how far the released score is from one half",
    measure=_MEASURE,
    baseline=_BASELINE,
)

BANDS = (0.1, 0.2, 0.3, 0.5)
THRESHOLD = 0.5


@dataclass(frozen=True)
class Release:
    """A training and the form its scores are released in."""

    options: Mapping[str, Any] = field(default_factory=dict)
    form: Literal["score", "band", "label"] = "score"

    def of(self, scores: Floats) -> Floats:
        """Return what the recipient sees of the probabilities ``scores``: a stand-in for each."""
        if self.form == "band":
            edges = np.array([0.0, *BANDS, 1.0])
            band = np.searchsorted(BANDS, scores, side="right")
            return np.asarray((edges[band] + edges[band + 1]) / 2)
        if self.form == "label":
            return np.where(scores >= THRESHOLD, 0.9, 0.1)
        return scores


USUAL = Release()
PROTECTIONS: tuple[tuple[str, Release, str, Release, str], ...] = (
    ("minimum bin count", Release({"minimum_bin_count": 5}), "5 rows", USUAL, "20 rows"),
    ("larger bins", USUAL, "20 rows", Release({"minimum_bin_count": 100}), "100 rows"),
    ("shallow trees", Release({"depth": 6}), "depth 6", USUAL, "depth 3"),
    ("few trees", Release({"trees": 100}), "100 trees", USUAL, "20 trees"),
    ("bands instead of scores", USUAL, "scores", Release(form="band"), "five bands"),
    ("labels instead of scores", USUAL, "scores", Release(form="label"), "yes or no"),
    (
        "all of these",
        Release({"minimum_bin_count": 5, "depth": 6, "trees": 100}),
        "5 rows, depth 6, 100 trees, scores",
        Release({"minimum_bin_count": 100}, form="band"),
        "100 rows, depth 3, 20 trees, five bands",
    ),
)


def run(plan: Plan) -> Iterator[Result]:
    """Measure both attackers against every protection, on both tables."""
    for data in DATA:
        count = plan.customers(data, few=800, many=3000)
        found: dict[Attack, list[dict[str, float]]] = {WITH_LABEL: [], WITHOUT_LABEL: []}
        baselines: list[float] = []
        for seed in plan.each_seed(f"membership on {data}"):
            customers = draw(data, count, seed)
            for attack, successes in advantages(customers).items():
                found[attack].append(successes)
            baselines.append(by_chance(count, seed))
        for attack, each in found.items():
            for protection, without, without_is, protected, with_is in PROTECTIONS:
                yield compare(
                    attack,
                    protection=protection,
                    without_is=without_is,
                    with_is=with_is,
                    data=describe(data, count) + ", half of them trained on",
                    baseline=baselines,
                    without=[successes[str(without)] for successes in each],
                    protected=[successes[str(protected)] for successes in each],
                )


def advantages(customers: SharedCustomers) -> dict[Attack, dict[str, float]]:
    """Return each attacker's advantage by release; half of the customers are trained on."""
    members = np.arange(customers.count) < customers.count // 2
    training = customers.take(np.flatnonzero(members))
    found: dict[Attack, dict[str, float]] = {WITH_LABEL: {}, WITHOUT_LABEL: {}}
    scores: dict[str, Floats] = {}
    for _, without, _, protected, _ in PROTECTIONS:
        for release in (without, protected):
            if str(release.options) not in scores:
                model = trained(training, tree_options(**release.options))
                scores[str(release.options)] = model.predict(customers.tables).probabilities
            seen = release.of(scores[str(release.options)])
            of_label = np.where(customers.labels == 1, seen, 1.0 - seen)
            found[WITH_LABEL][str(release)] = _advantage(members, of_label)
            found[WITHOUT_LABEL][str(release)] = _advantage(members, np.abs(seen - 0.5))
    return found


def by_chance(count: int, seed: int) -> float:
    """Return the advantage of scores that say nothing."""
    order = stream_of(seed, "chance").permutation(count)
    return ks(np.arange(count) < count // 2, order.astype(np.float64))


def _advantage(members: Any, confidence: Floats) -> float:
    """Return max over thresholds of |P(confident | member) - P(confident | not)|."""
    return ks(members, confidence)
