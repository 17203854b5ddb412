"""Metrics, differences and charts' points of a report, from labels and scores of held-out rows.

The measures are ``models/evaluation``'s; here they take the report's shape. Labels are 0 and 1,
scores probabilities, both of shape (n,); errors are those of ``models.evaluation``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation import (
    auc_difference_interval,
    auc_interval,
    calibration_table,
    confusion,
    top_fraction,
)
from models.evaluation.bootstrap import ks_interval
from models.evaluation.delong import Interval
from models.evaluation.repeats import resampled_interval
from simulations.report.model import (
    Curve,
    Decisions,
    Difference,
    Mean,
    Metrics,
    OverRepeats,
    Reach,
    Repeat,
)

MOST_POINTS = 201
REACHED = (0.05, 0.1, 0.2)
"""The shares of best-scored customers that are looked at."""
_BOOTSTRAP_SEED = 2003
"""One number for every report, so that equal scores give equal intervals."""


def metrics(labels: ArrayLike, scores: ArrayLike) -> Metrics:
    """Return AUC and KS with 95 % intervals: DeLong's, and a stratified bootstrap's."""
    area = auc_interval(labels, scores)
    distance = ks_interval(labels, scores, seed=_BOOTSTRAP_SEED)
    return Metrics(
        auc=area.estimate,
        auc_low=area.low,
        auc_high=area.high,
        ks=distance.estimate,
        ks_low=distance.low,
        ks_high=distance.high,
    )


def difference(labels: ArrayLike, scores: ArrayLike, reference: ArrayLike) -> Difference:
    """Return AUC of ``scores`` minus AUC of ``reference`` on the same customers."""
    gap = auc_difference_interval(labels, reference, scores)
    return Difference(value=gap.estimate, low=gap.low, high=gap.high)


def reach(labels: ArrayLike, scores: ArrayLike) -> tuple[Reach, ...]:
    """Return what the best-scored 5, 10 and 20 % of customers contain."""
    found = ((share, top_fraction(labels, scores, share)) for share in REACHED)
    return tuple(
        Reach(
            share=share,
            customers=best.customers,
            gain=best.gain,
            precision=best.precision,
            lift=best.lift,
        )
        for share, best in found
    )


def decisions(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Decisions:
    """Return the decisions "yes from ``threshold`` on", counted against the labels."""
    counts = confusion(labels, scores, threshold)
    right = counts.true_positives + counts.true_negatives
    return Decisions(
        true_positives=counts.true_positives,
        false_positives=counts.false_positives,
        true_negatives=counts.true_negatives,
        false_negatives=counts.false_negatives,
        precision=counts.precision,
        recall=counts.recall,
        accuracy=right / (right + counts.false_positives + counts.false_negatives),
    )


def over_repeats(repeats: Sequence[Repeat]) -> OverRepeats | None:
    """Return the means over repeated splits with corrected intervals; None for fewer than two."""
    if len(repeats) < 2:
        return None

    def over(values: Sequence[float]) -> Interval:
        return resampled_interval(
            values,
            trained_on=[repeat.trained_on for repeat in repeats],
            measured_on=[repeat.customers for repeat in repeats],
        )

    def mean(values: Sequence[float]) -> Mean:
        found = over(values)
        # Both measures live in [0, 1]; the interval itself is not cut to any scale.
        return Mean(mean=found.estimate, low=max(0.0, found.low), high=min(1.0, found.high))

    gain = over([repeat.joint.auc - repeat.alone.auc for repeat in repeats])
    return OverRepeats(
        alone_auc=mean([repeat.alone.auc for repeat in repeats]),
        joint_auc=mean([repeat.joint.auc for repeat in repeats]),
        alone_ks=mean([repeat.alone.ks for repeat in repeats]),
        joint_ks=mean([repeat.joint.ks for repeat in repeats]),
        joint_minus_alone=Difference(value=gain.estimate, low=gain.low, high=gain.high),
    )


def curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """Return the points of ROC, gain and calibration.

    Customers with equal scores move together, so no order among them is invented.
    """
    tenths = calibration_table(labels, scores)
    score = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-score, kind="stable")
    positive = np.asarray(labels, dtype=np.float64)[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    found = np.concatenate([[0.0], np.cumsum(positive)[last_of_tie]])
    taken = np.concatenate([[0.0], last_of_tie + 1.0])
    true_rate = found / found[-1]
    false_rate = (taken - found) / (taken[-1] - found[-1])
    return Curve(
        roc=_thinned(false_rate, true_rate),
        gain=_thinned(taken / taken[-1], true_rate),
        calibration=tuple(
            (tenth.mean_predicted, tenth.observed, tenth.customers) for tenth in tenths
        ),
    )


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """Keep at most ``MOST_POINTS`` of the points, both ends among them."""
    keep = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(np.int64))
    return tuple((round(float(x[i]), 4), round(float(y[i]), 4)) for i in keep)
