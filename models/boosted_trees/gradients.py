"""The logistic loss's gradients as integers, the same in the clear and under encryption."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models.boosted_trees.table import Floats, Rows
from protocols.errors import LocalProtocolError

FRACTION_BITS = 16
"""Gradients are whole numbers of 2^-16 (SPEC.md §4)."""
FIRST_BOUND = 1 << FRACTION_BITS
"""Largest magnitude of a first derivative, p - y, in those units."""
SECOND_BOUND = 1 << (FRACTION_BITS - 2)
"""Largest second derivative, p (1 - p), in those units."""
MAX_ROWS = 1 << 32  # sums of gradients stay below 2^53, exact as float64 too

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Gradients:
    """First and second derivatives of the loss by each row's margin, in units of 2^-16."""

    first: Integers = field(repr=False)
    second: Integers = field(repr=False)

    def totals(self, rows: Rows) -> tuple[int, int]:
        """Return both sums over ``rows``."""
        return int(self.first[rows].sum()), int(self.second[rows].sum())


def sigmoid(margins: Floats) -> Floats:
    """Return the probability of each margin; no margin overflows."""
    return 0.5 * (1.0 + np.tanh(0.5 * margins))


def check_labels(labels: npt.NDArray[Any], rows: int) -> None:
    """Raise :class:`LocalProtocolError` unless ``labels`` are ``rows`` zeros and ones, both."""
    if labels.shape != (rows,) or not rows <= MAX_ROWS:
        raise LocalProtocolError("there must be one label per row")
    if not np.isin(labels, (0, 1)).all() or len(np.unique(labels)) != 2:
        raise LocalProtocolError(
            "training labels must be 0 and 1 and contain both; the model has nothing to learn"
        )


def base_score(labels: npt.NDArray[Any]) -> float:
    """Return the log odds of the label among the training rows, every margin's start."""
    positive = int(np.count_nonzero(labels))
    return float(np.log(positive / (len(labels) - positive)))


def initial_margins(labels: npt.NDArray[Any]) -> Floats:
    """Return the margins before the first tree."""
    check_labels(labels, len(labels))
    return np.full(len(labels), base_score(labels))


def logistic_gradients(labels: npt.NDArray[Any], margins: Floats) -> Gradients:
    """Return the gradients at ``margins``, rounded to the nearest unit.

    A second derivative is at least one unit, so that no node with rows has a sum of zero.
    """
    probability = sigmoid(margins)
    first = np.rint((probability - labels) * FIRST_BOUND).astype(np.int64)
    second = np.rint(probability * (1.0 - probability) * FIRST_BOUND).astype(np.int64)
    return Gradients(first, np.maximum(second, 1))


@dataclass(frozen=True, slots=True)
class RowEncoding:
    """Both gradients of a row in one integer, first * 2^second_bits + second.

    Sums of up to ``rows`` such integers split again into both sums: the second's stays below
    2^second_bits, and the first's is the rest, rounded down.
    """

    rows: int

    @property
    def second_bits(self) -> int:
        """Bits that hold any sum of second derivatives."""
        return (self.rows * SECOND_BOUND).bit_length()

    @property
    def largest_sum(self) -> int:
        """Magnitude no sum of encoded rows exceeds."""
        return (self.rows * FIRST_BOUND + 1) << self.second_bits

    def encode(self, gradients: Gradients) -> list[int]:
        """Return one integer per row."""
        shift = self.second_bits
        return [
            (first << shift) + second
            for first, second in zip(
                gradients.first.tolist(), gradients.second.tolist(), strict=True
            )
        ]

    def decode(self, total: int) -> tuple[int, int]:
        """Return the sums of the first and of the second derivatives."""
        return total >> self.second_bits, total & ((1 << self.second_bits) - 1)
