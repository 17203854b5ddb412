"""Parameters of silent VOLE, calculated (SPEC.md §4)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from protocols.arguments import MAX_CONTEXT_BYTES, check_seed
from protocols.errors import LocalProtocolError

KAPPA = 128
"""Computational security in bits, of the assumption as it is stated and of the base keys."""

ASSUMED_DISTANCE = Fraction(15, 100)
"""Least share of nonzero entries that any sum of the code's rows is assumed to have."""

EXPANDER_WEIGHT = 7
CONVOLUTION_TAPS = 24
CONVOLUTION_PASSES = 2

BATCH = 8
"""Trees grown side by side; the number of trees and the length of the code are multiples of it."""

MIN_OUTPUTS = 1 << 11
"""The smallest code: asked for less, the parties make this much and drop the rest."""

MAX_SIZE = 1 << 25
WORD_BYTES = 8


@cache
def noise_weight() -> int:
    """Return how many trees there are, that is how many places of the noise are not zero.

    A linear test sees nothing of the noise unless it meets none of the noisy places, each
    uniform in its tree: probability (1 - distance)^trees at most. The fewest trees that bring it
    to 2^-KAPPA, rounded up to whole batches.
    """
    missed = 1 - ASSUMED_DISTANCE
    weight = next(
        t for t in itertools.count(1) if missed.numerator**t << KAPPA <= missed.denominator**t
    )
    return _round_up(weight, BATCH)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What both parties compute from the size alone; see :func:`parameters_for`."""

    size: int
    outputs: int
    """Rows of the code: ``size`` rounded up, and at least ``MIN_OUTPUTS``."""
    trees: int
    leaves: int
    """Leaves of a tree."""
    depth: int
    """Levels below the root; the last one is cut after ``leaves`` nodes."""

    @property
    def length(self) -> int:
        """Length of the code, at least twice its rows: all trees' leaves."""
        return self.trees * self.leaves

    @property
    def parity(self) -> int:
        """Columns of the code after the identity; a multiple of eight, as ``outputs`` is."""
        return self.length - self.outputs

    @property
    def transfers(self) -> int:
        """Oblivious transfers of the extension: one per level and tree."""
        return self.depth * self.trees

    @property
    def extension_bytes(self) -> int:
        """Bytes of :class:`Corrections.extension`."""
        return KAPPA * self.transfers // 8

    @property
    def base_vole_bytes(self) -> int:
        """Bytes of :class:`Corrections.base_vole`."""
        return KAPPA * self.trees * WORD_BYTES

    @property
    def levels_bytes(self) -> int:
        """Bytes of :class:`MaskedSums.levels`."""
        return self.transfers * 2 * 2 * WORD_BYTES

    @property
    def totals_bytes(self) -> int:
        """Bytes of :class:`MaskedSums.totals`."""
        return self.trees * 2 * WORD_BYTES


def parameters_for(size: int) -> Parameters:
    """Return the parameters for vectors of ``size`` entries.

    Raises :class:`LocalProtocolError` unless 1 <= size <= 2^25.
    """
    if not 1 <= size <= MAX_SIZE:
        raise LocalProtocolError(f"silent VOLE of {size} entries; 1 to {MAX_SIZE}")
    trees = noise_weight()
    outputs = _round_up(max(size, MIN_OUTPUTS), BATCH)
    leaves = -(-2 * outputs // trees)
    return Parameters(size, outputs, trees, leaves, depth=(leaves - 1).bit_length())


def check_arguments(context: bytes, seed: bytes) -> None:
    """Check what the caller passes beside the size; raises :class:`LocalProtocolError`."""
    if not 1 <= len(context) <= MAX_CONTEXT_BYTES:
        raise LocalProtocolError(f"context must be 1 to {MAX_CONTEXT_BYTES} bytes")
    check_seed(seed)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
