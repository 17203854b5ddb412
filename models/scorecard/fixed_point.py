"""Numbers as whole units, and their additive shares: what is lost, and when it could go wrong.

Every secret number x is two shares a + b = x modulo 2^ring, one at each party, each of them
uniform by itself. Adding, and multiplying by a public number, each party does on its own share.
SPEC.md §4 has the bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from models.scorecard.evidence import EVIDENCE_FRACTION
from models.scorecard.options import ScorecardOptions, Sigmoid
from models.table import Rows
from protocols.suite import Suite

Whole: TypeAlias = npt.NDArray[Any]
"""Python integers of any size, in an array."""

WEIGHT_FRACTION = 18
RESIDUAL_FRACTION = 16
CONDITIONER_FRACTION = 4
RATE_FRACTION = 8
CUBIC_FRACTION = 8
"""Bits to which a linear predictor is rounded before it is cubed."""
MOMENTUM = 77
"""Share of the last step that the next keeps, in units of 2^-8: 0.3."""
STEP_BITS = 6
"""A step of 2^6 in a coefficient is taken to be impossible; one is below 2 in practice."""
WRAP_BITS = 40
"""A shortened number is wrong with probability 2^-40 at most (SPEC.md §4)."""
HIDING_BITS = 64
"""What is masked over the integers is within 2^-64 of independent of what it hides."""

LINEAR_SLOPE_BITS = 2  # 1/2 + z/4
CUBIC_SLOPE = 49
"""1/2 + 49/256 z - z^3/256: off the logistic function by at most 0.0457 on [-5, 5]."""
CUBIC_COEFFICIENT_BITS = 8


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """Bits of every kind of number in one training, from what all parties know."""

    sigmoid: Sigmoid
    batch_bits: int
    """No batch has more than 2^batch_bits rows."""

    @classmethod
    def of(cls, rows: int, options: ScorecardOptions) -> FixedPoint:
        """Return the bits of a training on ``rows`` rows."""
        largest = -(-rows // batch_count(rows, options))
        return cls(options.sigmoid, max(1, (largest - 1).bit_length()))

    @property
    def step_fraction(self) -> int:
        """Fraction bits of a step as it comes out of the gradients."""
        return self.batch_bits + CONDITIONER_FRACTION + EVIDENCE_FRACTION + RESIDUAL_FRACTION

    @property
    def residual_ring(self) -> int:
        """Ring of residuals, gradients and steps before they are shortened."""
        return self.step_fraction + STEP_BITS + 1 + WRAP_BITS

    @property
    def predictor_fraction(self) -> int:
        """Fraction bits of a linear predictor."""
        return EVIDENCE_FRACTION + WEIGHT_FRACTION

    @property
    def cubic_ring(self) -> int:
        """Ring of the rounded linear predictors that are cubed."""
        return self.residual_ring + self.cubic_dropped

    @property
    def cubic_dropped(self) -> int:
        """Bits by which a residual of the cubic sigmoid is shortened."""
        return 3 * CUBIC_FRACTION + CUBIC_COEFFICIENT_BITS - RESIDUAL_FRACTION

    @property
    def predictor_ring(self) -> int:
        """Ring of weights and linear predictors."""
        if self.sigmoid == "linear":
            return self.residual_ring + self.linear_dropped
        return self.cubic_ring + self.predictor_fraction - CUBIC_FRACTION

    @property
    def linear_dropped(self) -> int:
        """Bits by which a residual of the linear sigmoid is shortened."""
        return self.predictor_fraction + LINEAR_SLOPE_BITS - RESIDUAL_FRACTION


def batch_count(rows: int, options: ScorecardOptions) -> int:
    """Return how many batches an epoch has."""
    return -(-rows // options.batch_rows)


def batches(
    rows: int, epoch: int, *, options: ScorecardOptions, suite: Suite, public_seed: bytes
) -> list[Rows]:
    """Return the rows of every batch of ``epoch`` (from 0), alike at all parties.

    All rows in an order drawn from ``public_seed``, which is public, in batches whose sizes differ
    by one at most.
    """
    order = suite.stream(public_seed, f"scorecard/1 order {epoch}".encode()).permutation(rows)
    return np.array_split(order, batch_count(rows, options))


def drop_bits(shares: Whole, bits: int, ring: int) -> Whole:
    """Return shares modulo 2^(ring - bits) of the numbers divided by 2^bits.

    Both parties round half up, so that the sum is off by a unit at most, and by none on average.
    """
    return ((shares + (1 << (bits - 1))) & ((1 << ring) - 1)) >> bits


def shorten(shares: Whole, bits: int, ring: int, *, first: bool) -> Whole:
    """Return integers whose sum is the shared numbers divided by 2^bits, give or take one unit.

    The truncation of SecureML (Mohassel and Zhang, IEEE S&P 2017, §4.1): unlike
    :func:`drop_bits` the result is shared in any ring. For a number x it fails, then by
    2^(ring - bits), with probability |x| / 2^(ring - 1).
    """
    if first:
        return (shares & ((1 << ring) - 1)) >> bits
    result: Whole = -((-shares & ((1 << ring) - 1)) >> bits)
    return result


def centred(numbers: Whole, ring: int) -> Whole:
    """Return the representatives in [-2^(ring - 1), 2^(ring - 1))."""
    half = 1 << (ring - 1)
    return ((numbers + half) & ((1 << ring) - 1)) - half


def whole(numbers: Sequence[int] | npt.NDArray[np.int64]) -> Whole:
    """Return an array of Python integers, which do not overflow."""
    array = np.empty(len(numbers), object)
    array[:] = numbers.tolist() if isinstance(numbers, np.ndarray) else list(numbers)
    return array
