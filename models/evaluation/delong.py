"""How sure one can be of an AUC, and of the difference of two AUCs on the same customers.

DeLong, DeLong and Clarke-Pearson, "Comparing the Areas under Two or More Correlated Receiver
Operating Characteristic Curves", Biometrics 44 (1988) 837-845, computed in O(n log n) from
midranks as in Sun and Xu, "Fast Implementation of DeLong's Algorithm", IEEE Signal Processing
Letters 21 (2014) 1389-1393.

Intervals are the normal approximation, cut at the ends of the scale. They are too narrow for few
examples of a class and for an AUC near 0 or 1; at exactly 0 or 1 the estimated variance is zero
and the interval is a point, which says that the sample cannot tell, not that the AUC is certain.
They say nothing about other customers than those the sample was drawn from, nor about the
variation between models trained on other samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.inputs import BoolArray, FloatArray, checked

Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, its standard error, and its 95 % confidence interval."""

    estimate: float
    standard_error: float
    low: float
    high: float


def auc_interval(labels: ArrayLike, scores: ArrayLike) -> Interval:
    """Return the AUC of ``scores`` (n,) with DeLong's variance and 95 % interval within [0, 1].

    ``labels`` (n,) in {0, 1}. Raises ``ValueError`` as :func:`models.evaluation.auc` does, and for
    fewer than two examples of a class, where there is no variance to estimate.
    """
    positive, score = checked(labels, scores)
    components = _structural_components(positive, score)
    variance = float(_covariance([components])[0, 0])
    return _interval(components.auc, variance, 0.0)


def auc_difference_interval(
    labels: ArrayLike, scores_a: ArrayLike, scores_b: ArrayLike
) -> Interval:
    """Return AUC(b) - AUC(a) on the same customers, with its 95 % interval within [-1, 1].

    The scores are paired: row i of ``scores_a`` (n,), ``scores_b`` (n,) and ``labels`` (n,) is one
    customer, and the covariance of the two AUCs is accounted for. Positive means that b ranks
    better. Errors as :func:`auc_interval`.
    """
    positive, a = checked(labels, scores_a)
    _, b = checked(labels, scores_b)
    components = [_structural_components(positive, score) for score in (a, b)]
    covariance = _covariance(components)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return _interval(components[1].auc - components[0].auc, variance, -1.0)


@dataclass(frozen=True, slots=True)
class _Components:
    """DeLong's structural components of one AUC: V10 per positive, V01 per negative."""

    auc: float
    positives: FloatArray
    negatives: FloatArray


def _structural_components(positive: BoolArray, score: FloatArray) -> _Components:
    """V10_i is the share of negatives below positive i, V01_j of positives above negative j.

    With T_Z, T_X, T_Y the midranks among all rows, positives and negatives (Sun and Xu):
    V10 = (T_Z(X) - T_X(X)) / n and V01 = 1 - (T_Z(Y) - T_Y(Y)) / m, for m positives, n negatives.
    """
    m = int(positive.sum())
    n = positive.size - m
    if min(m, n) < 2:
        raise ValueError(
            f"DeLong's variance needs two examples of each class; here are {m} positive and "
            f"{n} negative"
        )
    rank = _midranks(score)
    v10 = (rank[positive] - _midranks(score[positive])) / n
    v01 = 1 - (rank[~positive] - _midranks(score[~positive])) / m
    return _Components(auc=float(v10.mean()), positives=v10, negatives=v01)


def _covariance(components: list[_Components]) -> FloatArray:
    """Return the covariance of the AUCs (DeLong et al.): S10 / m + S01 / n, of shape (k, k)."""
    by_positive = np.vstack([c.positives for c in components])
    by_negative = np.vstack([c.negatives for c in components])
    s10 = np.atleast_2d(np.cov(by_positive))
    s01 = np.atleast_2d(np.cov(by_negative))
    covariance: FloatArray = s10 / by_positive.shape[1] + s01 / by_negative.shape[1]
    return covariance


def _interval(estimate: float, variance: float, lowest: float) -> Interval:
    # Rounding can leave a variance of a difference just below zero.
    error = float(np.sqrt(max(variance, 0.0)))
    return Interval(
        estimate=estimate,
        standard_error=error,
        low=max(lowest, estimate - Z_95 * error),
        high=min(1.0, estimate + Z_95 * error),
    )


def _midranks(values: NDArray[np.float64]) -> FloatArray:
    """Return the rank of each value from 1, equal values sharing the mean of their ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    midrank: FloatArray = (last - (counts - 1) / 2)[group]
    return midrank
