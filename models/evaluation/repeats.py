"""What several splits of the same customers say together: the corrected resampled t interval.

Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52 (2003) 239-281,
§3 (the corrected resampled t-test), turned into an interval. Training sets of repeated random
splits overlap, so the results are correlated and the plain variance of their mean is far too
small. The correction replaces 1/J by 1/J + n2/n1, for J splits that train on n1 customers and
measure on n2: it stands for a correlation of n2 / (n1 + n2), which is an approximation, not a
proof.

The interval speaks of models trained on n1 customers of this population. More splits make it
narrower only down to the n2/n1 term: they are no new customers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from models.evaluation.delong import Interval


def resampled_interval(
    values: Sequence[float], *, trained_on: Sequence[int], measured_on: Sequence[int]
) -> Interval:
    """Return the mean of one measure over J >= 2 splits, and its corrected 95 % interval.

    ``values[j]``, a measure or a difference of two on the same split, was measured on
    ``measured_on[j]`` customers with a model trained on ``trained_on[j]``. Splits by a hash differ
    a little in size: n2/n1 is taken over their sums. The interval is not cut to any scale; equal
    values give a point. Raises ``ValueError`` for fewer than two splits, lengths that differ,
    values that are not finite, and empty parts.
    """
    splits = len(values)
    if splits < 2:
        raise ValueError("one split shows no variation: at least two are needed")
    if not len(trained_on) == len(measured_on) == splits:
        raise ValueError("every split needs its value and both its sizes")
    if min(*trained_on, *measured_on) < 1:
        raise ValueError("every split must train and measure on somebody")
    found = np.asarray(values, dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError("values must be finite numbers")
    correction = 1 / splits + sum(measured_on) / sum(trained_on)
    error = math.sqrt(correction * float(found.var(ddof=1)))
    margin = error * student_t_975(splits - 1)
    mean = float(found.mean())
    return Interval(estimate=mean, standard_error=error, low=mean - margin, high=mean + margin)


def student_t_975(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution with whole ``degrees`` of freedom.

    Found by bisection on its distribution function, which is a finite sum for whole degrees:
    Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964), 26.7.3 and 26.7.4. Raises
    ``ValueError`` for no degree of freedom.
    """
    if degrees < 1:
        raise ValueError("at least one degree of freedom is needed")
    low, high = 0.0, 16.0  # at one degree the quantile is 12.71, and it falls from there
    for _ in range(64):
        middle = (low + high) / 2
        if _within(middle, degrees) < 0.95:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _within(t: float, degrees: int) -> float:
    """Return A(t | degrees), the chance that Student's t lies within [-t, t]."""
    theta = math.atan(t / math.sqrt(degrees))
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for power in range(2 + odd, degrees - 1, 2):
        term *= cosine * cosine * (power - 1) / power
        total += term
    return 2 / math.pi * (theta + sine * total) if odd else sine * total
