"""A node's histogram over encrypted gradients, held by a passive party."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from gmpy2 import mpz

from models.boosted_trees.binning import BinnedTable, ColumnBins
from models.boosted_trees.candidates import Candidate, bin_counts
from models.boosted_trees.growth import OpenNode
from models.boosted_trees.table import Rows
from protocols.paillier import PublicKey, Summands
from protocols.roles import Progress, Role

Histogram = list[list[mpz]]
"""For each column, ciphertexts of the gradient sums: of the missing rows, then of each bin."""

BLOCK_ROWS = 1 << 16
SUBTRACTION_COST = 12  # one subtraction of ciphertexts takes as long as this many additions


def level_histograms(
    nodes: Sequence[OpenNode],
    parents: dict[int, Histogram],
    binned: BinnedTable,
    summands: Summands,
) -> Role[dict[int, Histogram]]:
    """Return the histogram of each open node, by number; ``parents`` is the level above's.

    Of two open siblings the smaller is summed; the larger is the parent's histogram minus the
    smaller's, which is exact, where that is less work.
    """
    columns = len(binned.codes)
    bins = sum(column.size + 1 for column in binned.binning.columns)
    progress = Progress("sum gradients", 0, columns * sum(len(node.rows) for node in nodes))
    histograms: dict[int, Histogram] = {}
    for node in sorted(nodes, key=lambda node: len(node.rows)):
        smaller = histograms.get(node.sibling)
        if smaller and SUBTRACTION_COST * bins < columns * len(node.rows):
            histograms[node.number] = _subtract(parents[node.parent], smaller, summands.public_key)
            progress = replace(progress, done=progress.done + columns * len(node.rows))
            yield progress
        else:
            histogram = []
            for index in range(columns):
                sums = yield from _sum(node.rows, index, binned, summands, progress)
                histogram.append(sums)
                progress = replace(progress, done=progress.done + len(node.rows))
            yield progress
            histograms[node.number] = histogram
    return histograms


def _sum(
    rows: Rows,
    column: int,
    binned: BinnedTable,
    summands: Summands,
    progress: Progress,
) -> Role[list[mpz]]:
    """Return the sums of one column's bins, the missing rows' first."""
    bins, codes = binned.binning.columns[column], binned.codes[column]
    sums = [mpz(1)] * (bins.size + 1)
    for start in range(0, len(rows), BLOCK_ROWS):
        yield replace(progress, done=progress.done + start)
        block = rows[start : start + BLOCK_ROWS]
        by_bin = block[np.argsort(codes[block], kind="stable")]
        counts = bin_counts(codes, block, bins)
        segments = np.split(by_bin, np.cumsum(counts)[:-1])
        partial = summands.sums(segment.tolist() for segment in segments)
        sums = [summands.public_key.add(a, b) for a, b in zip(sums, partial, strict=True)]
    return sums


def _subtract(parent: Histogram, child: Histogram, public_key: PublicKey) -> Histogram:
    return [
        [public_key.subtract(whole, part) for whole, part in zip(above, below, strict=True)]
        for above, below in zip(parent, child, strict=True)
    ]


def left_sums(
    sums: Sequence[mpz],
    bins: ColumnBins,
    candidates: Sequence[Candidate],
    public_key: PublicKey,
) -> list[mpz]:
    """Return a ciphertext of the sum over the left rows of each candidate of one column.

    ``sums`` is the column's part of a histogram. The clear counterpart is in ``split_search``.
    """
    missing, by_bin = sums[0], list(sums[1:])
    if bins.kind == "numeric":
        for bin_ in range(1, len(by_bin)):
            by_bin[bin_] = public_key.add(by_bin[bin_ - 1], by_bin[bin_])
    by_bin.append(mpz(1))  # bin MISSING, that is -1, holds no value
    return [
        public_key.add(by_bin[c.bin], missing) if c.missing_left else by_bin[c.bin]
        for c in candidates
    ]
