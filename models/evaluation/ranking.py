"""Measures of order: AUC, Kolmogorov-Smirnov, and what the best-scored customers contain.

They depend on scores only through their order, and treat equal scores alike whatever order the
rows come in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.inputs import BoolArray, FloatArray, checked


@dataclass(frozen=True, slots=True)
class TopFraction:
    """What the ``customers`` with the highest scores contain.

    Where equal scores straddle the cut, ``positives`` is its expectation over all orders of the
    tied rows, and so not always a whole number.
    """

    customers: int
    positives: float
    precision: float
    """Share of positives among the customers taken."""
    gain: float
    """Share of all positives that are among the customers taken."""
    lift: float
    """Precision divided by the share of positives among everybody."""


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve: P(positive scores higher) + P(they tie) / 2.

    This is the Mann-Whitney U statistic over the number of pairs (Hanley and McNeil 1982), counted
    in integers; ties count one half. ``labels`` (n,) in {0, 1}, ``scores`` (n,) finite; raises
    ``ValueError`` otherwise and where one class is absent.
    """
    positive, score = checked(labels, scores)
    positives, negatives = _counts_by_score(positive, score)
    negatives_below = np.cumsum(negatives) - negatives
    wins_doubled = int((positives * (2 * negatives_below + negatives)).sum())
    return wins_doubled / (2 * int(positives.sum()) * int(negatives.sum()))


def ks(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the two-sample Kolmogorov-Smirnov distance between the classes' score distributions.

    The largest gap between the two cumulative distributions, taken after whole groups of equal
    scores; 0 is no separation, 1 is perfect. Arguments and errors as :func:`auc`.
    """
    positive, score = checked(labels, scores)
    positives, negatives = _counts_by_score(positive, score)
    share_of_positives = np.cumsum(positives) / positives.sum()
    share_of_negatives = np.cumsum(negatives) / negatives.sum()
    return float(np.abs(share_of_positives - share_of_negatives).max())


def top_fraction(labels: ArrayLike, scores: ArrayLike, fraction: float) -> TopFraction:
    """Return what the best-scored ``fraction`` of customers contains: precision, gain and lift.

    ``fraction`` in (0, 1] is rounded to the nearest whole number of customers, at least one.
    Arguments and errors otherwise as :func:`auc`.
    """
    positive, score = checked(labels, scores)
    if not 0 < fraction <= 1:
        raise ValueError("fraction must be above 0 and at most 1")
    customers = max(1, int(np.floor(fraction * positive.size + 0.5)))
    positives, negatives = (counts[::-1] for counts in _counts_by_score(positive, score))
    group = positives + negatives
    taken_before = np.cumsum(group) - group
    taken = np.clip(customers - taken_before, 0, group)
    found = float((positives * (taken / group)).sum())
    precision = found / customers
    total = int(positives.sum())
    return TopFraction(
        customers=customers,
        positives=found,
        precision=precision,
        gain=found / total,
        lift=precision / (total / positive.size),
    )


def _counts_by_score(
    positive: BoolArray, score: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return positives and negatives at each distinct score, from the lowest score up."""
    distinct, group = np.unique(score, return_inverse=True)
    positives = np.bincount(group[positive], minlength=distinct.size)
    negatives = np.bincount(group[~positive], minlength=distinct.size)
    return positives.astype(np.int64), negatives.astype(np.int64)
