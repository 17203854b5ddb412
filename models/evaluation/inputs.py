"""Checks labels and scores once, so that every measure fails the same clear way."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

BoolArray: TypeAlias = NDArray[np.bool_]
FloatArray: TypeAlias = NDArray[np.float64]


def checked(labels: ArrayLike, scores: ArrayLike) -> tuple[BoolArray, FloatArray]:
    """Return labels as booleans (True is the positive class) and scores as float64, both (n,).

    Raises ``ValueError`` for shapes that differ or are not one-dimensional, labels other than 0
    and 1, scores that are not finite, and samples in which one class is absent. No message quotes
    a value.
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
