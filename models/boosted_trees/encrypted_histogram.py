"""Histograms over encrypted gradients, held by a passive party.

Because k rows share a ciphertext, a node has k histograms: adding row r to its bin's cell adds
ciphertext r // k to the cell of histogram r % k, as many additions as without packing. In
histogram j slot j of a cell holds the wanted sum. The k histograms are one batch, k parts of all
columns' cells (``BinnedTable.cells``), so everything linear is done to all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.binning import BinnedTable
from models.boosted_trees.gradients import Integers
from models.boosted_trees.growth import OpenNode
from models.boosted_trees.split_search import Offer
from models.table import Rows
from protocols.paillier import Ciphertexts, Summands
from protocols.roles import Progress, Role

MOST_POSITIONS = 1 << 21  # bounds the memory of one call, and how long it goes without a yield
SUBTRACTION_COST = 5  # one subtraction of ciphertexts takes as long as this many additions


def subtracts(ciphertexts: int, additions: int) -> bool:
    """Whether so many subtractions are less work than so many additions."""
    return SUBTRACTION_COST * ciphertexts < additions


class Histograms:
    """The histograms of one tree's nodes; ``packed`` rows share a ciphertext."""

    def __init__(self, binned: BinnedTable, summands: Summands, packed: int) -> None:
        self._binned, self._summands, self._packed = binned, summands, packed
        self._cells = binned.cells()
        self._starts = np.cumsum([0, *(bins.size + 1 for bins in binned.binning.columns)])
        self._nodes: dict[int, Ciphertexts] = {}

    def counts(self, rows: Rows) -> Integers:
        """Return how many of ``rows`` are in each cell."""
        counts = [
            np.bincount(codes[rows].astype(np.int64) + 1, minlength=bins.size + 1)
            for bins, codes in zip(self._binned.binning.columns, self._binned.codes, strict=True)
        ]
        return np.concatenate(counts) if counts else np.zeros(0, np.int64)

    def extend(self, frame: Ciphertexts, rows: Rows) -> Role[None]:
        """Take the ciphertexts of the next ``rows``, and add these into the root's histogram."""
        self._summands.extend(frame)
        progress = Progress("sum gradients", 0, len(self._binned.codes) * len(rows))
        sums = yield from self._sum(rows, progress)
        so_far = self._nodes.get(0)
        self._nodes[0] = sums if so_far is None else self._summands.public_key.add(so_far, sums)

    def sum_level(self, nodes: Sequence[OpenNode]) -> Role[None]:
        """Make the histograms of a level's open nodes, and drop those of the level above.

        Of two open siblings the smaller is summed; the larger is the parent's histogram minus the
        smaller's, which is exact, where that is less work. The root's is there already.
        """
        parents, self._nodes = self._nodes, {}
        columns, public_key = len(self._binned.codes), self._summands.public_key
        total = columns * sum(len(node.rows) for node in nodes)
        progress = Progress("sum gradients", 0, total)
        for node in sorted(nodes, key=lambda node: len(node.rows)):
            smaller = self._nodes.get(node.sibling)
            work = columns * len(node.rows)
            if node.number == 0:
                self._nodes[0] = parents[0]
            elif smaller is not None and subtracts(self._packed * self._cells, work):
                self._nodes[node.number] = public_key.subtract(parents[node.parent], smaller)
            else:
                self._nodes[node.number] = yield from self._sum(node.rows, progress)
            progress = replace(progress, done=progress.done + work)
            yield progress

    def left_sums(self, node: OpenNode, offer: Offer) -> Ciphertexts:
        """Return the sum over the left rows of each candidate, k parts of ``offer`` each.

        The clear counterpart is ``split_search.PlainSearch``.
        """
        histogram, public_key = self._nodes[node.number], self._summands.public_key
        left = self._reached(histogram).take(self._in_every_part(offer.cells))
        more = np.flatnonzero(np.tile(offer.with_missing, self._packed) >= 0)
        if not len(more):
            return left
        missing = histogram.take(self._in_every_part(offer.with_missing[offer.with_missing >= 0]))
        both = Ciphertexts.join([left, public_key.add(left.take(more), missing)])
        at = np.arange(len(left))
        at[more] = len(left) + np.arange(len(more))
        return both.take(at)

    def _reached(self, histogram: Ciphertexts) -> Ciphertexts:
        """Return the histogram with every numeric bin replaced by the sum of all bins up to it."""
        public_key = self._summands.public_key
        numeric = [
            (int(start), bins.size)
            for start, bins in zip(self._starts, self._binned.binning.columns, strict=False)
            if bins.kind == "numeric"
        ]
        at = np.arange(len(histogram))
        parts, length = [histogram], len(histogram)
        total: Ciphertexts | None = None
        before = np.zeros(0, np.int64)
        for bin_ in range(max((size for _, size in numeric), default=0)):
            # Columns with fewer bins drop out; all columns and parts go together.
            numeric = [(start, size) for start, size in numeric if size > bin_]
            cells = self._in_every_part(np.array([start + 1 + bin_ for start, _ in numeric]))
            here = histogram.take(cells)
            if total is not None:
                still = np.flatnonzero(np.isin(before + 1, cells))
                here = public_key.add(total.take(still), here)
                at[cells] = length + np.arange(len(cells))
                parts.append(here)
                length += len(here)
            total, before = here, cells
        return Ciphertexts.join(parts).take(at)

    def _in_every_part(self, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        parts = np.arange(self._packed)[:, None] * self._cells
        positions: npt.NDArray[np.int64] = (parts + cells[None, :]).ravel()
        return positions

    def _sum(self, rows: Rows, progress: Progress) -> Role[Ciphertexts]:
        """Return the k histograms over ``rows``."""
        parts, order = [], []
        for first, last, positions, offsets in self._segments(rows):
            yield progress
            progress = replace(progress, done=progress.done + len(positions))
            parts.append(self._summands.sums(positions, offsets))
            for column in range(first, last):
                width = int(self._starts[column + 1] - self._starts[column])
                cells = self._starts[column] + np.arange(width)
                order.append((np.arange(self._packed)[:, None] * self._cells + cells).ravel())
        if not parts:
            return self._summands.public_key.zeros(0)
        at = np.empty(self._packed * self._cells, np.int64)
        at[np.concatenate(order)] = np.arange(len(at))
        return Ciphertexts.join(parts).take(at)

    def _segments(
        self, rows: Rows
    ) -> Iterator[tuple[int, int, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Yield (first column, last, positions, offsets), one segment per column, part and bin."""
        packed, columns = self._packed, len(self._binned.codes)
        at_once = max(1, MOST_POSITIONS // max(1, len(rows)))
        ciphertext, part = rows // packed, rows % packed
        for first in range(0, columns, at_once):
            last = min(first + at_once, columns)
            positions, counts = [], [np.zeros(1, np.int64)]
            for column in range(first, last):
                width = int(self._starts[column + 1] - self._starts[column])
                codes = self._binned.codes[column][rows]
                # Sixteen bits: numpy sorts them by radix.
                key = (part * width + codes + 1).astype(np.uint16)
                positions.append(ciphertext[np.argsort(key, kind="stable")])
                counts.append(np.bincount(key, minlength=packed * width))
            yield first, last, np.concatenate(positions), np.cumsum(np.concatenate(counts))
