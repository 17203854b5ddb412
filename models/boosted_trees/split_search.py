"""Gains of candidates, and the one rule that breaks ties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.boosted_trees.binning import BinnedTable, Codes, ColumnBins
from models.boosted_trees.candidates import Candidate, bin_counts, node_candidates
from models.boosted_trees.gradients import FIRST_BOUND, Gradients, Integers
from models.boosted_trees.table import Floats, Rows

MINIMUM_GAIN = 1e-6
"""A split must gain more than rounding of float64 could make up."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Left sums of one node's candidates, by position, and the node's own totals."""

    first: Integers
    second: Integers
    node_first: int
    node_second: int

    def gains(self, l2: float) -> Floats:
        """Return G_L^2 / (H_L + l2) + G_R^2 / (H_R + l2) - G^2 / (H + l2) for each position.

        Chen and Guestrin 2016, equation 7, without its constant factor 1/2. A candidate with no
        row on one side has a gain of minus infinity.
        """
        gains = np.full(len(self.first), -np.inf)
        splits = (self.second > 0) & (self.second < self.node_second)
        left_first = self.first[splits] / FIRST_BOUND
        left_second = self.second[splits] / FIRST_BOUND
        first, second = self.node_first / FIRST_BOUND, self.node_second / FIRST_BOUND
        right_first, right_second = first - left_first, second - left_second
        gains[splits] = (
            left_first * left_first / (left_second + l2)
            + right_first * right_first / (right_second + l2)
            - first * first / (second + l2)
        )
        return gains


@dataclass(frozen=True, slots=True)
class Best:
    """Where the largest gain stands: in which list, at which positions of it."""

    source: int
    positions: tuple[int, ...]
    gain: float


def best_of(gains: Sequence[Floats]) -> Best | None:
    """Return the best candidate of several parties' lists, or None if none gains enough.

    Of equal gains the earliest list's win; all its tied positions are returned.
    """
    tops = [float(values.max()) if len(values) else -np.inf for values in gains]
    top = max(tops, default=-np.inf)
    if top <= MINIMUM_GAIN:
        return None
    source = tops.index(top)
    return Best(source, tuple(np.flatnonzero(gains[source] == top).tolist()), top)


@dataclass(frozen=True, eq=False)
class PlainCandidates:
    """A node's candidates of one party in canonical order, with sums known in the clear."""

    splits: tuple[tuple[int, Candidate], ...]
    """Column index and test."""
    sums: Sums


def plain_candidates(
    binned: BinnedTable, rows: Rows, gradients: Gradients, minimum: int, *, protected: bool
) -> PlainCandidates:
    """Return what ``binned`` offers at the node holding ``rows``."""
    splits: list[tuple[int, Candidate]] = []
    first: list[int] = []
    second: list[int] = []
    for index, (bins, codes) in enumerate(zip(binned.binning.columns, binned.codes, strict=True)):
        counts = bin_counts(codes, rows, bins)
        candidates = node_candidates(bins, counts, minimum, protected=protected)
        splits += [(index, candidate) for candidate in candidates]
        first += _left_sums(_histogram(codes[rows], gradients.first[rows], bins), bins, candidates)
        second += _left_sums(
            _histogram(codes[rows], gradients.second[rows], bins), bins, candidates
        )
    totals = gradients.totals(rows)
    sums = Sums(np.array(first, np.int64), np.array(second, np.int64), *totals)
    return PlainCandidates(tuple(splits), sums)


def _histogram(codes: Codes, values: Integers, bins: ColumnBins) -> Integers:
    # bincount adds in float64, exact here: every sum is a whole number below 2^53.
    return np.bincount(codes + 1, values, bins.size + 1).astype(np.int64)


def _left_sums(histogram: Integers, bins: ColumnBins, candidates: Sequence[Candidate]) -> list[int]:
    """Return the sum over the left rows of each candidate; histogram[0] is the missing rows'."""
    missing = int(histogram[0])
    reached = np.cumsum(histogram[1:]) if bins.kind == "numeric" else histogram[1:]
    by_bin = [*reached.tolist(), 0]  # bin MISSING, that is -1, holds no value
    return [by_bin[c.bin] + missing * c.missing_left for c in candidates]
