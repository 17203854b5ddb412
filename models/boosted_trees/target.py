"""The label as an objective sees it: starting margins, gradients, loss. Private to its owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models.boosted_trees.gradients import MAX_ROWS, Fixed, Gradients
from models.boosted_trees.options import TreeOptions
from models.table import Floats, Mask, Rows
from protocols.errors import LocalProtocolError
from protocols.session.model_terms import Objective


@dataclass(frozen=True, eq=False)
class Target:
    """One label per row, and what follows from those of the training rows.

    Margins have shape (rows, outputs): log odds, scores before the softmax, or, for a regression,
    the distance from ``center`` in units of ``scale``.
    """

    objective: Objective
    values: npt.NDArray[Any] = field(repr=False)
    """0 and 1, classes 0, 1, ..., or the scaled number; shape (rows,)."""
    base: tuple[float, ...] = field(repr=False)
    """Every row's margins before the first tree."""
    center: float = field(repr=False)
    scale: float = field(repr=False)
    weights: Floats = field(repr=False)
    """Each row's weight by its class, the largest class weight being 1."""
    largest_weight: float = field(repr=False)
    """What the class weight 1 stands for: they average 1 over the training rows."""

    @classmethod
    def of(cls, labels: npt.NDArray[Any], training: Mask, options: TreeOptions) -> Target:
        """Return the target of ``labels``, one per row; ``training`` marks the rows to learn from.

        Labels are 0 and 1, or classes from 0 up, every one of them among the training rows; for a
        regression finite numbers that are not all equal. Raises :class:`LocalProtocolError`.
        """
        if labels.shape != training.shape or not len(labels) <= MAX_ROWS:
            raise LocalProtocolError("there must be one label per row")
        if options.early_stopping_rounds and training.all():
            raise LocalProtocolError("early stopping needs validation rows; none are set aside")
        if options.objective == "regression":
            return cls._of_numbers(labels, training)
        return cls._of_classes(labels, training, options)

    @classmethod
    def _of_numbers(cls, labels: npt.NDArray[Any], training: Mask) -> Target:
        numbers = labels.astype(np.float64)
        if not np.isfinite(numbers).all() or len(np.unique(numbers[training])) < 2:
            raise LocalProtocolError(
                "training labels must be finite numbers, not all equal; there is nothing to learn"
            )
        center = float(numbers[training].mean())
        # Scaled labels are in [-1/2, 1/2], so that a gradient of 1 is rarely reached.
        scale = 2.0 * float(np.abs(numbers[training] - center).max())
        values = (numbers - center) / scale
        if not (np.isfinite(scale) and np.isfinite(values).all()):
            raise LocalProtocolError("labels are too large or too close together")
        return cls("regression", values, (0.0,), center, scale, np.ones(len(labels)), 1.0)

    @classmethod
    def _of_classes(cls, labels: npt.NDArray[Any], training: Mask, options: TreeOptions) -> Target:
        classes = max(options.classes, 2)
        known = np.arange(classes)
        if not np.isin(labels, known).all() or len(np.unique(labels[training])) != classes:
            listed = "0 and 1" if classes == 2 else f"0 to {classes - 1}"
            raise LocalProtocolError(
                f"training labels must be {listed} and contain every one of them; otherwise "
                "there is nothing to learn"
            )
        values = labels.astype(np.int64)
        counts = np.bincount(values[training], minlength=classes)
        by_class = np.ones(classes)
        if options.class_weights == "balanced":
            by_class = counts.sum() / (classes * counts)
        weighted = by_class * counts
        if options.objective == "binary":
            base: tuple[float, ...] = (float(np.log(weighted[1] / weighted[0])),)
        else:
            base = tuple(np.log(weighted / weighted.sum()).tolist())
        largest = float(by_class.max())
        weights = (by_class / largest)[values]
        return cls(options.objective, values, base, 0.0, 1.0, weights, largest)

    def initial_margins(self) -> Floats:
        """Return the margins before the first tree, shape (rows, outputs)."""
        return np.tile(np.array(self.base), (len(self.values), 1))

    def gradients(
        self, margins: Floats, rows: Rows, weights: Floats, amplification: float, fixed: Fixed
    ) -> Gradients:
        """Return the gradients of ``rows`` at ``margins``, rounded to the nearest unit.

        ``weights`` are the rows' weights by sampling, the largest being 1, which stands for
        ``amplification``. A second derivative is at least one unit, so that no node with rows has
        a sum of zero.
        """
        values, at = self.values[rows], margins[rows]
        if self.objective == "regression":
            first = np.clip(at - values[:, None], -1.0, 1.0)
            second = np.ones_like(first)
        elif self.objective == "binary":
            probability = sigmoid(at)
            first, second = probability - values[:, None], probability * (1.0 - probability)
        else:
            probability = softmax(at)
            first, second = probability.copy(), probability * (1.0 - probability)
            first[np.arange(len(rows)), values] -= 1.0
        share = (self.weights[rows] * weights)[:, None]
        whole = self.largest_weight * amplification
        return Gradients(
            np.rint(first * share * fixed.first_bound).astype(np.int64),
            np.maximum(np.rint(second * share * fixed.second_one).astype(np.int64), 1),
            whole / fixed.first_bound,
            whole / fixed.second_one,
        )

    def loss(self, margins: Floats, rows: Rows) -> float:
        """Return the mean loss of ``rows``, weighted by class."""
        values, at = self.values[rows], margins[rows]
        if self.objective == "regression":
            losses = np.square(at[:, 0] - values)
        elif self.objective == "binary":
            losses = np.logaddexp(0.0, at[:, 0]) - values * at[:, 0]
        else:
            top = at.max(axis=1)
            total = top + np.log(np.exp(at - top[:, None]).sum(axis=1))
            losses = total - at[np.arange(len(rows)), values]
        return float(np.average(losses, weights=self.weights[rows]))


def sigmoid(margins: Floats) -> Floats:
    """Return the probability of each margin; no margin overflows."""
    return 0.5 * (1.0 + np.tanh(0.5 * margins))


def softmax(margins: Floats) -> Floats:
    """Return each row's probabilities of the classes; no margin overflows."""
    shifted = np.exp(margins - margins.max(axis=1, keepdims=True))
    probabilities: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities
