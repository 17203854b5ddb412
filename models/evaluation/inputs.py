"""Checks labels and scores once, so that every measure fails the same clear way.

No message quotes a value.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

BoolArray: TypeAlias = NDArray[np.bool_]
FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

_SUM_TOLERANCE = 1e-6
"""How far a row of probabilities may be from 1: they may have been written with few decimals."""


def checked(labels: ArrayLike, scores: ArrayLike) -> tuple[BoolArray, FloatArray]:
    """Return labels as booleans (True is the positive class) and scores as float64, both (n,).

    Raises ``ValueError`` for shapes that differ or are not one-dimensional, labels other than 0
    and 1, scores that are not finite, and samples in which one class is absent.
    """
    label: NDArray[Any] = np.asarray(labels)
    score = np.asarray(scores, dtype=np.float64)
    if label.ndim != 1 or score.shape != label.shape:
        raise ValueError(
            "labels and scores must be one-dimensional and equally long, "
            f"not of shapes {label.shape} and {score.shape}"
        )
    if label.dtype.kind not in "biuf" or not np.isin(label, (0, 1)).all():
        raise ValueError("labels must be 0 and 1")
    if not np.isfinite(score).all():
        raise ValueError("scores must be finite numbers")
    positive = label.astype(np.bool_)
    if not positive.any() or positive.all():
        absent = "negative" if positive.any() else "positive"
        raise ValueError(
            f"no {absent} example among {positive.size} labels: both classes are needed"
        )
    return positive, score


def checked_numbers(labels: ArrayLike, predictions: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return labels and predictions as float64, both (n,).

    Raises ``ValueError`` for shapes that differ or are not one-dimensional, numbers that are not
    finite, and labels that are all equal: then there is no variation to explain.
    """
    label = np.asarray(labels, dtype=np.float64)
    prediction = np.asarray(predictions, dtype=np.float64)
    if label.ndim != 1 or prediction.shape != label.shape:
        raise ValueError(
            "labels and predictions must be one-dimensional and equally long, "
            f"not of shapes {label.shape} and {prediction.shape}"
        )
    if not (np.isfinite(label).all() and np.isfinite(prediction).all()):
        raise ValueError("labels and predictions must be finite numbers")
    if label.size < 2 or (label == label[0]).all():
        raise ValueError(f"all {label.size} labels are equal: at least two different are needed")
    return label, prediction


def checked_classes(labels: ArrayLike, probabilities: ArrayLike) -> tuple[IntArray, FloatArray]:
    """Return labels as int64 (n,), and probabilities as float64 (n, k).

    Raises ``ValueError`` for shapes that do not fit, labels that are no whole number in [0, k),
    labels all of one class, and probabilities outside [0, 1] or rows whose sum is not 1.
    """
    label: NDArray[Any] = np.asarray(labels)
    probability = np.asarray(probabilities, dtype=np.float64)
    if label.ndim != 1 or probability.ndim != 2 or len(probability) != label.size:
        raise ValueError(
            "there must be one label and one row of probabilities per customer, "
            f"not shapes {label.shape} and {probability.shape}"
        )
    if label.dtype.kind not in "biuf" or not np.isin(label, np.arange(probability.shape[1])).all():
        raise ValueError("labels must be classes: whole numbers from 0 below the number of classes")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("probabilities must be between 0 and 1")
    if (np.abs(probability.sum(axis=1) - 1) > _SUM_TOLERANCE).any():
        raise ValueError("the probabilities of a customer's classes must add up to 1")
    if label.size < 2 or (label == label[0]).all():
        raise ValueError(f"all {label.size} labels are of one class: at least two are needed")
    return label.astype(np.int64), probability
