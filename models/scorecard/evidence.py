"""From class counts to bins with a weight of evidence: joining, weighing and choosing columns.

Pure functions of counts, the same for the active party's columns and a passive party's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from protocols.errors import RemoteProtocolError

EVIDENCE_FRACTION = 8
"""Weights of evidence are whole numbers of 2^-8 (SPEC.md §4)."""
EVIDENCE_BOUND = (1 << 11) - 1
"""Largest magnitude of one, in those units: just below 8."""
COUNT_TOLERANCE = 0.05  # counts are computed back from float64 logarithms to about 10^-6


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of one bin, and how many of them have label 1."""

    rows: int
    positives: int

    @property
    def negatives(self) -> int:
        """Rows with label 0."""
        return self.rows - self.positives

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both bins together."""
        return Counts(self.rows + other.rows, self.positives + other.positives)

    def above(self, floor: int) -> bool:
        """Whether the bin holds at least ``floor`` rows of either class."""
        return self.positives >= floor and self.negatives >= floor


def join_withheld(
    rows: Sequence[int], above: Sequence[bool], *, ordered: int
) -> list[tuple[int, ...]]:
    """Return the bins, each a tuple of positions, after the withheld ones joined another.

    ``rows`` and ``above`` have an entry for each bin; the first ``ordered`` are neighbours in
    their order, the others (levels, missing) are not. A withheld bin between neighbours joins the
    nearest bin above the floor on the side that has fewer rows; any other joins the bin above the
    floor with the most rows, which it changes least. The result has one bin only if no two are
    above the floor.
    """
    kept = [at for at, enough in enumerate(above) if enough]
    if not kept:
        return [tuple(range(len(rows)))]
    most = max(kept, key=lambda at: (rows[at], -at))
    members: dict[int, list[int]] = {at: [] for at in kept}
    for at, enough in enumerate(above):
        home = at
        if not enough:
            sides = (
                [k for k in kept if k < at][-1:] + [k for k in kept if at < k < ordered][:1]
                if at < ordered
                else []
            )
            home = min(sides, key=lambda k: rows[k], default=most)
        members[home].append(at)
    return [tuple(members[at]) for at in kept]


def join_monotone(counts: Sequence[Counts]) -> list[tuple[int, ...]]:
    """Return runs of neighbours whose share of label 1 strictly rises, or strictly falls.

    Whichever keeps more information value; rising if it is the same. Neighbours that break the
    order are pooled until none does (pool adjacent violators, Ayer et al. 1955), which is the
    monotone fit nearest to the shares.
    """
    runs = [_pool_rising(counts, sign) for sign in (1, -1)]
    values = [information_value([sum_counts(counts, run) for run in each]) for each in runs]
    return runs[0] if values[0] >= values[1] else runs[1]


def _pool_rising(counts: Sequence[Counts], sign: int) -> list[tuple[int, ...]]:
    pooled: list[tuple[tuple[int, ...], Counts]] = []
    for at, here in enumerate(counts):
        run: tuple[int, ...] = (at,)
        total = here
        while pooled:
            before = pooled[-1][1]
            # Shares compared as fractions: exact.
            if sign * (before.positives * total.rows - total.positives * before.rows) < 0:
                break
            run, total = pooled[-1][0] + run, before + total
            pooled.pop()
        pooled.append((run, total))
    return [run for run, _ in pooled]


def sum_counts(counts: Sequence[Counts], positions: Sequence[int]) -> Counts:
    """Return the counts of several bins together."""
    return sum((counts[at] for at in positions), Counts(0, 0))


def weights_of_evidence(counts: Sequence[Counts]) -> list[float]:
    """Return ln((positives / all positives) / (negatives / all negatives)) of each bin.

    Above zero where label 1 is more frequent than among all rows. Both classes must occur in
    every bin.
    """
    total = sum_counts(counts, range(len(counts)))
    return [weight_of_evidence(each, total) for each in counts]


def weight_of_evidence(part: Counts, total: Counts) -> float:
    """Return the weight of evidence of one bin of all rows."""
    expected = part.negatives * total.positives
    # Of the exact difference: near zero a quotient of logarithms would lose what implies counts.
    return math.log1p((part.positives * total.negatives - expected) / expected)


def information_value(counts: Sequence[Counts]) -> float:
    """Return the sum over bins of (share of label 1 - share of label 0) x weight of evidence."""
    if len(counts) < 2 or not all(each.above(1) for each in counts):
        return 0.0
    total = sum_counts(counts, range(len(counts)))
    shares = [
        each.positives / total.positives - each.negatives / total.negatives for each in counts
    ]
    weights = weights_of_evidence(counts)
    return math.fsum(share * weight for share, weight in zip(shares, weights, strict=True))


def in_units(weight: float) -> int:
    """Return a weight of evidence as the model has it: whole units of 2^-8, below 8."""
    units = round(math.ldexp(weight, EVIDENCE_FRACTION))
    return max(-EVIDENCE_BOUND, min(EVIDENCE_BOUND, units))


def implied_counts(
    rows: Sequence[Sequence[int]], weights: Sequence[Sequence[float]]
) -> list[list[Counts]]:
    """Return the class counts that weights of evidence, not all zero, and the bins' sizes imply.

    For each column the rows of its bins, which together are all rows, and their weights. The log
    odds t of all rows are the one number missing; each column's counts must add up to the same
    totals, which fixes t: sum_b n_b (e^(w_b) - 1) (1 + e^t) / (1 + e^(w_b + t)) falls with t and
    is zero at the right one. Raises :class:`RemoteProtocolError` for weights that no counts have.
    """
    if not weights:
        return []
    n = np.array([each for column in rows for each in column], np.float64)
    w = np.array([each for column in weights for each in column], np.float64)
    if np.abs(w).max() > 64 or not np.isfinite(w).all():
        raise RemoteProtocolError("a weight of evidence that no class counts have")
    t = _root(n, np.expm1(w), w)
    found = []
    for sizes, column in zip(rows, weights, strict=True):
        shares = 1 / (1 + np.exp(-(np.array(column) + t)))
        exact = np.array(sizes) * shares
        whole = np.rint(exact)
        if np.abs(exact - whole).max() > COUNT_TOLERANCE:
            raise RemoteProtocolError("weights of evidence that no class counts have")
        found.append(
            [Counts(*pair) for pair in zip(sizes, whole.astype(int).tolist(), strict=True)]
        )
    totals = {sum_counts(column, range(len(column))).positives for column in found}
    if len(totals) != 1 or not all(each.above(1) for column in found for each in column):
        raise RemoteProtocolError("weights of evidence that no class counts have")
    return found


def _root(
    n: npt.NDArray[np.float64], excess: npt.NDArray[np.float64], w: npt.NDArray[np.float64]
) -> float:
    low, high = -64.0, 64.0
    for _ in range(100):  # halving 128 beyond the last bit of a float64
        t = (low + high) / 2
        above = math.fsum((n * excess * (1 + math.exp(t)) / (1 + np.exp(w + t))).tolist()) > 0
        low, high = (t, high) if above else (low, t)
    return (low + high) / 2


def choose_columns(
    information_values: Sequence[float],
    units: npt.NDArray[np.int64],
    *,
    minimum_information_value: float,
    maximum_correlation: float,
) -> list[str]:
    """Return for each column why it is left out, or the empty string if it is chosen.

    ``units`` holds the weight of evidence of each row, shape (columns, rows). Columns are taken by
    falling information value, the earlier of equal ones first; one whose weights correlate with a
    chosen column's above the limit, in magnitude, is left out.
    """
    reasons = [""] * len(information_values)
    chosen: list[int] = []
    order = sorted(range(len(reasons)), key=lambda at: (-information_values[at], at))
    for at in order:
        if information_values[at] <= 0 or not np.ptp(units[at]):
            reasons[at] = "no two bins differ"
        elif information_values[at] < minimum_information_value:
            reasons[at] = "information value below the minimum"
        elif any(abs(correlation(units[at], units[k])) > maximum_correlation for k in chosen):
            reasons[at] = "correlated with a column of more information value"
        else:
            chosen.append(at)
    return reasons


def correlation(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> float:
    """Return Pearson's correlation of two integer columns, sums taken exactly."""
    n = len(left)
    sums = [int(left.sum()), int(right.sum())]
    products = [int((a * b).sum()) for a, b in ((left, left), (right, right), (left, right))]
    variances = n * products[0] - sums[0] ** 2, n * products[1] - sums[1] ** 2
    if min(variances) <= 0:
        return 0.0
    return (n * products[2] - sums[0] * sums[1]) / math.sqrt(variances[0]) / math.sqrt(variances[1])
