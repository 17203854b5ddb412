"""Which rows have a given sum of gradients: every solution, by meeting in the middle.

Horowitz and Sahni, "Computing partitions with applications to the knapsack problem", J. ACM 21(2),
1974: all sums of one half of the rows are matched against all of the other. Rows with the same
gradients cannot be told apart by any sum, so that what is enumerated is how many of each kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.table import Mask

Integers = npt.NDArray[np.int64]
MOST_SUMS = 1 << 18
"""Sums of one half that the attacker is willing to hold; a node with more is left alone."""
MOST_SOLUTIONS = 1 << 16
"""Matches after which the attacker calls a sum ambiguous without listing them all."""
_SECOND_BITS = 32


@dataclass(frozen=True, eq=False)
class Kinds:
    """A node's rows by their gradients, and all sums of two halves of these kinds."""

    of_row: Integers = field(repr=False)
    sizes: Integers = field(repr=False)
    halves: tuple[tuple[Integers, Integers], ...] = field(repr=False)
    """For each half: its kinds, and the counts of each combination, shape (combinations, kinds)."""
    sums: tuple[Integers, ...] = field(repr=False)


def kinds(first: Integers, second: Integers) -> Kinds | None:
    """Return the rows' kinds with all sums of both halves, or None if there are too many.

    ``first`` and ``second`` are the rows' gradients in whole units.
    """
    value, of_row, sizes = np.unique(joined(first, second), return_inverse=True, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    halves: list[list[int]] = [[], []]
    totals = [1, 1]
    for kind in order.tolist():
        half = 0 if totals[0] <= totals[1] else 1
        halves[half].append(kind)
        totals[half] *= int(sizes[kind]) + 1
        if totals[half] > MOST_SUMS:
            return None
    parts, sums = [], []
    for half_kinds in halves:
        chosen = np.array(half_kinds, np.int64)
        counts = np.zeros((1, 0), np.int64)
        for kind in half_kinds:
            more = np.arange(sizes[kind] + 1)
            counts = np.column_stack(
                [np.repeat(counts, len(more), axis=0), np.tile(more, len(counts))]
            )
        parts.append((chosen, counts))
        sums.append(counts @ value[chosen])
    return Kinds(of_row.astype(np.int64), sizes.astype(np.int64), tuple(parts), tuple(sums))


def joined(first: Integers | int, second: Integers | int) -> Integers:
    """Return one number for both gradients, additive as they are."""
    return np.asarray(first, np.int64) * (1 << _SECOND_BITS) + np.asarray(second, np.int64)


def certain_rows(node: Kinds, first: int, second: int, smallest: int) -> tuple[Mask, Mask]:
    """Return which rows are in every subset with these sums, and which are in none.

    Subsets and their complements have at least ``smallest`` rows. Nobody is certain where the
    attacker gave up.
    """
    (left_kinds, left), (right_kinds, right) = node.halves
    order = np.argsort(node.sums[1], kind="stable")
    ordered = node.sums[1][order]
    wanted = int(joined(first, second)) - node.sums[0]
    low = np.searchsorted(ordered, wanted, side="left")
    found = np.searchsorted(ordered, wanted, side="right") - low
    rows, nobody = len(node.of_row), np.zeros(len(node.of_row), np.bool_)
    if not 0 < found.sum() <= MOST_SOLUTIONS:
        return nobody, nobody
    at = np.repeat(np.arange(len(found)), found)
    offset = np.arange(len(at)) - np.repeat(np.cumsum(found) - found, found)
    other = order[low[at] + offset]
    counts = np.zeros((len(at), len(node.sizes)), np.int64)
    counts[:, left_kinds], counts[:, right_kinds] = left[at], right[other]
    total = counts.sum(axis=1)
    counts = counts[(total >= smallest) & (total <= rows - smallest)]
    if not len(counts):
        return nobody, nobody
    inside = counts.min(axis=0) == node.sizes
    outside = counts.max(axis=0) == 0
    return inside[node.of_row], outside[node.of_row]
