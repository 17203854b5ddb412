"""Measures of the scores themselves: decisions at a threshold, and calibration of probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from models.evaluation.inputs import checked


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of decisions at one threshold; a rate without a denominator is None."""

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def precision(self) -> float | None:
        """Share of the flagged that are positive; None where nobody is flagged."""
        flagged = self.true_positives + self.false_positives
        return self.true_positives / flagged if flagged else None

    @property
    def recall(self) -> float:
        """Share of the positives that are flagged."""
        return self.true_positives / (self.true_positives + self.false_negatives)

    @property
    def false_positive_rate(self) -> float:
        """Share of the negatives that are flagged."""
        return self.false_positives / (self.false_positives + self.true_negatives)


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Customers of similar predicted probability, and how many of them were positive."""

    lowest: float
    highest: float
    customers: int
    mean_predicted: float
    observed: float
    """Share of positives in the bin."""


def confusion(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Confusion:
    """Return the decisions "positive where the score is at least ``threshold``", counted.

    ``labels`` (n,) in {0, 1}, ``scores`` (n,) finite; raises ``ValueError`` otherwise and where
    one class is absent.
    """
    positive, score = checked(labels, scores)
    if np.isnan(threshold):
        raise ValueError("threshold must be a number")
    flagged = score >= threshold
    return Confusion(
        true_positives=int((flagged & positive).sum()),
        false_positives=int((flagged & ~positive).sum()),
        true_negatives=int((~flagged & ~positive).sum()),
        false_negatives=int((~flagged & positive).sum()),
    )


def calibration_table(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 10
) -> tuple[CalibrationBin, ...]:
    """Return at most ``bins`` bins of about equal size, from the lowest probability up.

    Equal probabilities always share a bin, whatever order the rows come in, so bins can be fewer
    and of unequal size. ``probabilities`` (n,) in [0, 1]; errors otherwise as :func:`confusion`.
    """
    positive, probability = checked(labels, probabilities)
    if probability.min() < 0 or probability.max() > 1:
        raise ValueError("probabilities must be between 0 and 1")
    if bins < 1:
        raise ValueError("bins must be at least 1")
    distinct, group, counts = np.unique(probability, return_inverse=True, return_counts=True)
    # Twice the number of customers below the middle of each group of equals: an integer, so that
    # a group's bin does not depend on rounding.
    middle_doubled = 2 * np.cumsum(counts) - counts
    bin_of_group = (middle_doubled * bins) // (2 * positive.size)
    bin_of_row = bin_of_group[group]
    table = []
    for number in np.unique(bin_of_group):
        inside = bin_of_row == number
        table.append(
            CalibrationBin(
                lowest=float(distinct[bin_of_group == number].min()),
                highest=float(distinct[bin_of_group == number].max()),
                customers=int(inside.sum()),
                mean_predicted=float(probability[inside].mean()),
                observed=float(positive[inside].mean()),
            )
        )
    return tuple(table)
