"""How good probabilities of several classes are: the class they name, their logarithm, their order.

Labels are classes 0 ... k - 1, probabilities (n, k). The class a model names is the likeliest one;
of equally likely ones the first.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from models.evaluation.delong import Z_95, Interval
from models.evaluation.inputs import BoolArray, checked_classes
from models.evaluation.ranking import auc

SAME = 1e-6
"""Probabilities that differ by less are one model's, written with other decimals."""
LEAST = 1e-9
"""Smaller probabilities count as this in the log loss: one customer's cannot be without bound, and
a file of scores with nine decimals gives the same loss."""


def class_measures(labels: ArrayLike, probabilities: ArrayLike) -> dict[str, float]:
    """Return ``accuracy``, ``log_loss`` (natural logarithm) and ``auc``.

    The AUC is the plain mean of each class's against all others (:func:`one_vs_rest_aucs`).
    ``labels`` (n,) whole numbers in [0, k), ``probabilities`` (n, k) in [0, 1], each row of sum 1;
    raises ``ValueError`` otherwise and where all labels are of one class.
    """
    label, probability = checked_classes(labels, probabilities)
    given = probability[np.arange(label.size), label]
    areas = [area for area in one_vs_rest_aucs(label, probability) if area is not None]
    return {
        "accuracy": float((probability.argmax(axis=1) == label).mean()),
        "log_loss": float(-np.log(np.clip(given, LEAST, 1.0)).mean()),
        "auc": sum(areas) / len(areas),
    }


def one_vs_rest_aucs(labels: ArrayLike, probabilities: ArrayLike) -> list[float | None]:
    """Return each class's AUC: customers of the class against all others, by its probability.

    None for a class that no customer has. Arguments and errors as :func:`class_measures`.
    """
    label, probability = checked_classes(labels, probabilities)
    return [
        auc(label == k, probability[:, k]) if (label == k).any() else None
        for k in range(probability.shape[1])
    ]


def accuracy_interval(labels: ArrayLike, probabilities: ArrayLike) -> Interval:
    """Return the share of customers whose class is named, with its 95 % interval in [0, 1].

    Wilson's score interval (JASA 22, 1927, 209-212), which holds its level near 0 and 1 too; the
    standard error is that of a share. Arguments and errors as :func:`class_measures`.
    """
    right = _right(labels, probabilities)
    n, share = right.size, float(right.mean())
    shrunk = (share + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    margin = Z_95 / (1 + Z_95**2 / n) * math.sqrt(share * (1 - share) / n + (Z_95 / (2 * n)) ** 2)
    return Interval(
        estimate=share,
        standard_error=math.sqrt(share * (1 - share) / n),
        low=max(0.0, shrunk - margin),
        high=min(1.0, shrunk + margin),
    )


def accuracy_difference_interval(
    labels: ArrayLike, probabilities_a: ArrayLike, probabilities_b: ArrayLike
) -> Interval:
    """Return accuracy(b) - accuracy(a) on the same customers, with its 95 % interval in [-1, 1].

    The interval of Agresti and Min, "Simple improved confidence intervals for comparing matched
    proportions" (Statistics in Medicine 24, 2005, 729-740): only customers whose class one model
    names and the other does not tell the two apart, and half a customer is added to each cell of
    that table. It holds the estimate, and is a point only where all probabilities are the same:
    two models may name the same class for everybody here and still differ on others. Arguments and
    errors as :func:`class_measures`.
    """
    if np.allclose(probabilities_a, probabilities_b, rtol=0, atol=SAME):
        checked_classes(labels, probabilities_a)
        return Interval(estimate=0.0, standard_error=0.0, low=0.0, high=0.0)
    right_a, right_b = _right(labels, probabilities_a), _right(labels, probabilities_b)
    n = right_a.size + 2.0
    won = int((right_b & ~right_a).sum()) + 0.5
    lost = int((right_a & ~right_b).sum()) + 0.5
    error = math.sqrt((won + lost) - (won - lost) ** 2 / n) / n
    return Interval(
        estimate=(won - lost) / right_a.size,
        standard_error=error,
        low=max(-1.0, (won - lost) / n - Z_95 * error),
        high=min(1.0, (won - lost) / n + Z_95 * error),
    )


def _right(labels: ArrayLike, probabilities: ArrayLike) -> BoolArray:
    """Return whose class the probabilities name, (n,)."""
    label, probability = checked_classes(labels, probabilities)
    right: BoolArray = probability.argmax(axis=1) == label
    return right
