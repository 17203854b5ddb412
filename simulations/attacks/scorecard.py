"""The passive party turns the weights of evidence of its own bins into its customers' labels.

It knows how many rows each bin has; with the weights of all bins that fixes the class counts
exactly (``models.scorecard.evidence.implied_counts``). It adds up, for each customer, the weights
of the bins it is in, which ranks the customers by the label; and where a bin has one class only it
knows the label of everybody in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluation import auc
from models.scorecard.columns import JoinedColumn, fine_columns
from models.scorecard.evidence import Counts, join_monotone, join_withheld, sum_counts
from models.table import Floats, Mask
from simulations.attacks.customers import DATA, PASSIVE, SharedCustomers, describe, draw
from simulations.attacks.outcome import Attack, Result, compare
from simulations.attacks.plan import Plan

_WHO = {"model": "scorecard", "attacker": "passive party", "target": "labels"}
RANKED = Attack(
    name="scorecard",
    method="sum of the weights of evidence of the customer's bins",
    measure="AUC of the guessed label over all training customers (0.5: guessing)",
    baseline="guessing: without weights its bins say nothing of the label",
    **_WHO,
)
CERTAIN = Attack(
    name="scorecard",
    method="bins with one class only",
    measure="share of training customers whose label is known for certain",
    baseline="without weights nothing is certain",
    **_WHO,
)


@dataclass(frozen=True)
class Setting:
    """How many bins a column has at first, and what keeps small ones from being weighed."""

    bins: int = 20
    floor: int = 20
    monotone: bool = False


USUAL = Setting()
PROTECTIONS: tuple[tuple[str, Setting, str, Setting, str], ...] = (
    ("floor on both classes", Setting(floor=0), "no floor", USUAL, "20 rows of either class"),
    (
        "floor on both classes, 50 bins",
        Setting(bins=50, floor=0),
        "no floor",
        Setting(bins=50),
        "20 rows of either class",
    ),
    ("higher floor", USUAL, "20 rows", Setting(floor=40), "40 rows of either class"),
    ("monotone bins", USUAL, "any order", Setting(monotone=True), "monotone"),
    ("few bins", USUAL, "20 bins", Setting(bins=5), "5 bins"),
)


def run(plan: Plan) -> Iterator[Result]:
    """Measure both attackers against every protection, on both tables."""
    for data in DATA:
        count = plan.customers(data, few=600, many=2000)
        found: dict[Attack, list[dict[Setting, float]]] = {RANKED: [], CERTAIN: []}
        for seed in plan.each_seed(f"scorecard on {data}"):
            for attack, successes in attacks(draw(data, count, seed)).items():
                found[attack].append(successes)
        for attack, each in found.items():
            for protection, without, without_is, protected, with_is in PROTECTIONS:
                yield compare(
                    attack,
                    protection=protection,
                    without_is=without_is,
                    with_is=with_is,
                    data=describe(data, count),
                    baseline=[0.5 if attack is RANKED else 0.0 for _ in each],
                    without=[successes[without] for successes in each],
                    protected=[successes[protected] for successes in each],
                )


def attacks(customers: SharedCustomers) -> dict[Attack, dict[Setting, float]]:
    """Return each attacker's success by setting."""
    found: dict[Attack, dict[Setting, float]] = {RANKED: {}, CERTAIN: {}}
    for _, without, _, protected, _ in PROTECTIONS:
        for setting in (without, protected):
            scores, certain = weighed(customers, setting)
            found[RANKED][setting] = auc(customers.labels, scores)
            found[CERTAIN][setting] = float(certain.mean())
    return found


def weighed(customers: SharedCustomers, setting: Setting) -> tuple[Floats, Mask]:
    """Return each customer's summed weights of evidence, and whose label is certain."""
    scores: Floats = np.zeros(customers.count)
    certain = np.zeros(customers.count, np.bool_)
    for column, counts in weighed_columns(customers, setting):
        total = sum_counts(counts, range(len(counts)))
        base = math.log(total.positives / total.negatives)
        # A bin of one class has no finite weight; half a row of each stands for it.
        weights = [math.log((c.positives + 0.5) / (c.negatives + 0.5)) - base for c in counts]
        scores = scores + np.array(weights)[column.codes]
        certain |= np.array([not each.above(1) for each in counts])[column.codes]
    return scores, certain


def weighed_columns(
    customers: SharedCustomers, setting: Setting
) -> list[tuple[JoinedColumn, list[Counts]]]:
    """Return the passive party's columns of two bins or more, with the bins' class counts.

    Those the weights of evidence that it gets imply.
    """
    found = []
    for fine in fine_columns(customers.tables[PASSIVE], setting.bins):
        column = _joined(fine, customers.labels, setting)
        if len(column.joined) > 1:
            found.append((column, _counts(column, customers.labels)))
    return found


def _joined(column: JoinedColumn, labels: npt.NDArray[Any], setting: Setting) -> JoinedColumn:
    if setting.floor:
        above = [each.above(setting.floor) for each in _counts(column, labels)]
        column = column.join(join_withheld(column.rows, above, ordered=column.ordered))
    if setting.monotone and column.ordered > 1:
        runs = join_monotone(_counts(column, labels)[: column.ordered])
        others = [(at,) for at in range(column.ordered, len(column.joined))]
        column = column.join([*runs, *others])
    return column


def _counts(column: JoinedColumn, labels: npt.NDArray[Any]) -> list[Counts]:
    positives = np.bincount(column.codes, labels, len(column.rows)).astype(np.int64).tolist()
    return [Counts(*pair) for pair in zip(column.rows, positives, strict=True)]
