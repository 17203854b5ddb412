"""The small learners attackers use, deterministic in their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.table import ColumnTable, Floats, Mask
from protocols.suite import RandomStream

Groups = npt.NDArray[np.int64]
_MOST_LEVELS = 32


def plain_features(table: ColumnTable) -> Floats:
    """Return a party's own columns as numbers, shape (rows, features).

    Numeric: centred and scaled, missing at the mean, and one more for missing. Categorical: one
    per level, for the most frequent 32.
    """
    features: list[Floats] = [np.zeros((table.rows, 0))]
    for column in table.columns:
        if column.kind == "numeric":
            missing = np.isnan(column.values)
            mean = column.values[~missing].mean() if not missing.all() else 0.0
            filled = np.where(missing, mean, column.values)
            features.append(np.column_stack([filled, missing.astype(np.float64)]))
        else:
            names = np.array(["" if v is None else f"={v}" for v in column.values])
            levels, counts = np.unique(names, return_counts=True)
            kept = levels[np.argsort(-counts, kind="stable")[:_MOST_LEVELS]]
            features.append((names[:, None] == kept[None, :]).astype(np.float64))
    return scaled(np.concatenate(features, axis=1))


def one_hot(groupings: Sequence[npt.NDArray[Any]]) -> Floats:
    """Return one column per group of each grouping of the rows; a negative group has none."""
    rows = len(groupings[0])
    parts: list[Floats] = []
    for grouping in groupings:
        groups = np.unique(grouping[grouping >= 0])
        parts.append((grouping[:, None] == groups[None, :]).astype(np.float64))
    return np.concatenate(parts, axis=1) if parts else np.zeros((rows, 0))


def scaled(features: Floats) -> Floats:
    """Return ``features`` with mean 0 and deviation 1, without those that are constant."""
    deviation = features.std(axis=0)
    varies = deviation > 1e-12
    kept = features[:, varies]
    return np.asarray((kept - kept.mean(axis=0)) / deviation[varies])


def logistic_scores(
    features: Floats, known: npt.NDArray[np.int64], labels: npt.NDArray[Any], *, l2: float = 1.0
) -> Floats:
    """Return the log odds a logistic regression gives every row, fitted to the ``known`` rows.

    ``labels`` are those of the known rows. Newton's method on the loss plus ``l2`` / 2 times the
    squared weights, over the known rows' span: with n known rows only n numbers are unknown.
    """
    inner = features[known] @ features[known].T
    gram = np.column_stack([inner, np.ones(len(known))])
    penalty = np.zeros((len(known) + 1, len(known) + 1))
    penalty[:-1, :-1] = l2 * inner
    ridge = 1e-9 * max(1.0, float(np.trace(inner)) / len(known))
    weights = np.zeros(len(known) + 1)
    for _ in range(50):
        probability = 0.5 * (1.0 + np.tanh(0.5 * (gram @ weights)))
        curvature = np.maximum(probability * (1.0 - probability), 1e-6)
        gradient = gram.T @ (probability - labels) + penalty @ weights
        hessian = gram.T @ (curvature[:, None] * gram) + penalty
        step = np.linalg.solve(hessian + ridge * np.eye(len(weights)), gradient)
        weights -= step
        if np.abs(gram @ step).max() < 1e-8:
            break
    return np.asarray(features @ (features[known].T @ weights[:-1]) + weights[-1])


def ridge_estimates(
    features: Floats, known: npt.NDArray[np.int64], values: Floats, *, l2: float = 1.0
) -> Floats:
    """Return every row's estimate by ridge regression on the ``known`` rows' ``values``."""
    inputs = features[known]
    centre, middle = inputs.mean(axis=0), float(values.mean())
    centred = inputs - centre
    gram = centred.T @ centred + l2 * np.eye(centred.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (values - middle))
    return np.asarray(middle + (features - centre) @ weights)


def two_means(features: Floats, stream: RandomStream, *, starts: int = 8) -> Mask:
    """Return a split of the rows in two by Lloyd's algorithm, the best of several starts."""
    squares = np.einsum("ij,ij->i", features, features)
    best, best_cost = np.zeros(len(features), np.bool_), np.inf
    for _ in range(starts):
        centres = features[[stream.below(len(features)), stream.below(len(features))]]
        assigned = np.zeros(len(features), np.bool_)
        for _ in range(50):
            offsets = np.einsum("ij,ij->i", centres, centres) - 2.0 * features @ centres.T
            nearer = offsets[:, 1] < offsets[:, 0]
            if nearer.all() or not nearer.any():
                break
            cost = float((squares + offsets.min(axis=1)).sum())
            if np.array_equal(nearer, assigned):
                if cost < best_cost - 1e-9:
                    best, best_cost = nearer, cost
                break
            assigned = nearer
            centres = np.stack([features[~nearer].mean(axis=0), features[nearer].mean(axis=0)])
    return best


def rank_correlation(first: Floats, second: Floats) -> float:
    """Return Spearman's rank correlation, ties at their middle rank; 0 if one is constant."""
    a, b = _ranks(first), _ranks(second)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def _ranks(values: Floats) -> Floats:
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    return np.asarray((upper - (counts - 1) / 2.0)[group], dtype=np.float64)
