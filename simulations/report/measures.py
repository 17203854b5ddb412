"""Metrics, differences and charts' points of a report, from labels and scores of held-out rows.

The measures are ``models/evaluation``'s; here they take the report's shape. Labels are 0 and 1,
scores probabilities, both of shape (n,); errors are those of ``models.evaluation``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation import (
    auc_difference_interval,
    auc_interval,
    calibration_table,
    ks,
    top_fraction,
)
from simulations.report.model import Curve, Difference, Metrics

MOST_POINTS = 201
_FIFTH = 0.2


def metrics(labels: ArrayLike, scores: ArrayLike) -> Metrics:
    """Return AUC with its 95 % interval (DeLong), and KS."""
    area = auc_interval(labels, scores)
    return Metrics(auc=area.estimate, auc_low=area.low, auc_high=area.high, ks=ks(labels, scores))


def difference(labels: ArrayLike, scores: ArrayLike, reference: ArrayLike) -> Difference:
    """Return AUC of ``scores`` minus AUC of ``reference`` on the same customers."""
    gap = auc_difference_interval(labels, reference, scores)
    return Difference(value=gap.estimate, low=gap.low, high=gap.high)


def curve(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """Return ROC, gain, calibration and what the best-scored fifth contains.

    Customers with equal scores move together, so no order among them is invented.
    """
    tenths = calibration_table(labels, scores)
    best = top_fraction(labels, scores, _FIFTH)

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
        best_fifth=best.gain,
    )


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """Keep at most ``MOST_POINTS`` of the points, both ends among them."""
    keep = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(np.int64))
    return tuple((round(float(x[i]), 4), round(float(y[i]), 4)) for i in keep)
