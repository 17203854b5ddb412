"""Gains of candidates, and the one rule that breaks ties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.binning import MISSING, BinnedTable
from models.boosted_trees.candidates import Candidate, node_candidates
from models.boosted_trees.gradients import Gradients, Integers
from models.table import Floats, Rows

MINIMUM_GAIN = 1e-6
"""A split must gain more than rounding of float64 could make up."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Left sums of one node's candidates, shape (candidates, outputs), and the node's totals."""

    first: Integers
    second: Integers
    node_first: Integers
    node_second: Integers

    def gains(self, gradients: Gradients, l2: float) -> Floats:
        """Return the sum over outputs of G_L^2/(H_L + l2) + G_R^2/(H_R + l2) - G^2/(H + l2).

        Chen and Guestrin 2016, equation 7, without its constant factor 1/2; summed over outputs as
        in GBDT-MO (Zhang and Jung, IEEE TNNLS 32(7), 2021). A candidate with no row on one side has
        a gain of minus infinity.
        """
        gains = np.full(len(self.first), -np.inf)
        splits = ((self.second > 0) & (self.second < self.node_second)).all(axis=1)
        left_first = self.first[splits] * gradients.first_unit
        left_second = self.second[splits] * gradients.second_unit
        first = self.node_first * gradients.first_unit
        second = self.node_second * gradients.second_unit
        right_first, right_second = first - left_first, second - left_second
        by_output = (
            left_first * left_first / (left_second + l2)
            + right_first * right_first / (right_second + l2)
            - first * first / (second + l2)
        )
        gains[splits] = by_output.sum(axis=1)
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
class Offer:
    """What one party's columns offer at a node; as :func:`offer_of` gives it in canonical order.

    Cells are counted through all columns (:meth:`BinnedTable.cells`): of each column the missing
    values' cell, then each bin's.
    """

    candidates: tuple[tuple[int, Candidate], ...]
    """Column index and test."""
    cells: npt.NDArray[np.int64]
    """The cell of each candidate's bin: of a numeric column all bins up to it go left."""
    with_missing: npt.NDArray[np.int64]
    """The cell of missing values that also go left, or -1."""

    def take(self, order: npt.NDArray[np.int64]) -> Offer:
        """Return the same candidates in another order."""
        candidates = tuple(self.candidates[at] for at in order.tolist())
        return Offer(candidates, self.cells[order], self.with_missing[order])


def offer_of(binned: BinnedTable, counts: Integers, minimum: int, *, protected: bool) -> Offer:
    """Return what ``binned`` offers at a node; ``counts`` has its rows in each cell."""
    candidates: list[tuple[int, Candidate]] = []
    cells: list[int] = []
    with_missing: list[int] = []
    start = 0
    for index, bins in enumerate(binned.binning.columns):
        stop = start + bins.size + 1
        for each in node_candidates(bins, counts[start:stop], minimum, protected=protected):
            candidates.append((index, each))
            cells.append(start + each.bin + 1)
            with_missing.append(start if each.missing_left and each.bin != MISSING else -1)
        start = stop
    return Offer(tuple(candidates), np.array(cells, np.int64), np.array(with_missing, np.int64))


class PlainSearch:
    """One party's candidates at every node of one tree, with sums known in the clear."""

    def __init__(
        self, binned: BinnedTable, gradients: Gradients, minimum: int, *, protected: bool
    ) -> None:
        self._binned, self._gradients = binned, gradients
        self._minimum, self._protected = minimum, protected
        # bincount adds in float64, exact here: every sum is a whole number below 2^53.
        self._weights = np.hstack([gradients.first, gradients.second]).T.astype(np.float64)

    def at(self, rows: Rows) -> tuple[Offer, Sums]:
        """Return what the columns offer at the node holding ``rows``, and the sums."""
        weights = self._weights[:, rows]
        cells = self._binned.cells()
        counts = np.empty(cells, np.int64)
        sums = np.empty((cells, len(weights)), np.int64)
        reached = np.empty_like(sums)
        start = 0
        for bins, codes in zip(self._binned.binning.columns, self._binned.codes, strict=True):
            stop = start + bins.size + 1
            here = codes[rows].astype(np.int64) + 1
            counts[start:stop] = np.bincount(here, minlength=bins.size + 1)
            for output, values in enumerate(weights):
                sums[start:stop, output] = np.bincount(here, values, bins.size + 1)
            reached[start:stop] = sums[start:stop]
            if bins.kind == "numeric":
                reached[start + 1 : stop] = np.cumsum(sums[start + 1 : stop], axis=0)
            start = stop
        offer = offer_of(self._binned, counts, self._minimum, protected=self._protected)
        # Position -1 of ``with_missing`` finds the zeros below the last cell.
        missing = np.vstack([sums, np.zeros((1, len(weights)), np.int64)])
        left: Integers = reached[offer.cells] + missing[offer.with_missing]
        outputs = len(weights) // 2
        totals = self._gradients.totals(rows)
        return offer, Sums(left[:, :outputs], left[:, outputs:], *totals)
