"""Gradients as integers: the same sums in the clear and under encryption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.boosted_trees.options import TreeOptions
from models.table import Rows
from protocols.errors import LocalProtocolError

MAX_ROWS = 1 << 28
"""Sums of gradients stay below 2^53 for so many rows: exact as float64 too."""

Integers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Gradients:
    """First and second derivatives of the loss by each row's margins, in whole units.

    Shape (rows, outputs). A tree's gains and leaves are computed from sums times the units; the
    units can depend on the label, so they stay with the active party.
    """

    first: Integers = field(repr=False)
    second: Integers = field(repr=False)
    first_unit: float = field(repr=False)
    second_unit: float = field(repr=False)

    def totals(self, rows: Rows) -> tuple[Integers, Integers]:
        """Return both sums over ``rows``, one of each for every output."""
        return self.first[rows].sum(axis=0), self.second[rows].sum(axis=0)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Fixed-point bounds of one row's gradients (SPEC.md §4), public: slots are cut by them."""

    first_bound: int
    """Largest magnitude of a first derivative, in units; also the units in 1."""
    second_bound: int
    """Largest second derivative, in units, at least 1 each."""
    second_one: int
    """Units of a second derivative in 1."""

    @classmethod
    def of(cls, options: TreeOptions) -> Fixed:
        """Return the bounds for an objective and its sampling."""
        if options.objective != "regression":
            return cls(1 << 16, 1 << 14, 1 << 16)  # p (1 - p) is at most a quarter
        if options.one_side_sampling is None:
            return cls(1 << 24, 1, 1)  # every row's second derivative is 1
        return cls(1 << 24, 1 << 16, 1 << 16)  # rows differ by their weights


@dataclass(frozen=True, slots=True)
class RowEncoding:
    """All gradients of a row in one integer; sums of such integers split again into the sums.

    One output is first * 2^second_bits + second; outputs stand ``output_bits`` apart. The sum of
    second derivatives stays below 2^second_bits, and an output's magnitude below
    2^(output_bits - 1).
    """

    rows: int
    outputs: int
    fixed: Fixed

    @classmethod
    def of(cls, rows: int, options: TreeOptions) -> RowEncoding:
        """Return the encoding of a tree that learns from ``rows`` rows."""
        if not rows <= MAX_ROWS:
            raise LocalProtocolError(f"at most {MAX_ROWS} rows")
        return cls(rows, options.outputs, Fixed.of(options))

    @property
    def second_bits(self) -> int:
        """Bits that hold any sum of second derivatives."""
        return (self.rows * self.fixed.second_bound).bit_length()

    @property
    def output_largest(self) -> int:
        """Magnitude that no sum of one output exceeds."""
        return (self.rows * self.fixed.first_bound + 1) << self.second_bits

    @property
    def output_bits(self) -> int:
        """Distance of two outputs: any sum of one, and its sign."""
        return self.output_largest.bit_length() + 1

    @property
    def largest_sum(self) -> int:
        """Magnitude that no sum of encoded rows exceeds."""
        return sum(self.output_largest << self.output_bits * c for c in range(self.outputs))

    def encode(self, gradients: Gradients) -> list[int]:
        """Return one integer per row."""
        total = [0] * len(gradients.first)
        for output in reversed(range(self.outputs)):
            first, second = gradients.first[:, output], gradients.second[:, output]
            if self.second_bits + int(self.fixed.first_bound).bit_length() < 63:
                values = ((first << self.second_bits) + second).tolist()
            else:
                shift = self.second_bits
                pairs = zip(first.tolist(), second.tolist(), strict=True)
                values = [(a << shift) + b for a, b in pairs]
            above = self.output_bits
            total = [(t << above) + v for t, v in zip(total, values, strict=True)]
        return total

    def decode(self, totals: Sequence[int]) -> tuple[Integers, Integers]:
        """Return the sums of the first and of the second derivatives, shape (totals, outputs).

        Any integer below 2^(outputs * output_bits - 1) in magnitude decodes; what no rows can
        have is the caller's to refuse.
        """
        bits, below = self.output_bits, self.second_bits
        half, mask, second_mask = 1 << (bits - 1), (1 << bits) - 1, (1 << below) - 1
        # Adding half to every output makes none borrow from the next.
        halves = sum(half << bits * c for c in range(self.outputs))
        first, second = [], []
        for total in totals:
            rest = total + halves
            for output in range(self.outputs):
                value = (rest >> bits * output & mask) - half
                first.append(value >> below)
                second.append(value & second_mask)
        shape = (len(totals), self.outputs)
        return np.array(first, np.int64).reshape(shape), np.array(second, np.int64).reshape(shape)
