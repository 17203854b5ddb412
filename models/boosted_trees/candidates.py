"""Which splits of a column a node offers: the same lists in the clear and under encryption."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.binning import MISSING, Codes, ColumnBins
from models.boosted_trees.gradients import Integers
from models.table import ColumnKind, Mask


class Candidate(NamedTuple):
    """A test of one column; tuples sort in canonical order.

    Numeric: a row goes left if its code is at most ``bin``. Categorical: if its code is ``bin``.
    Rows with a missing value go where ``missing_left`` says.
    """

    bin: int
    missing_left: bool


def goes_left(codes: Codes, kind: ColumnKind, candidate: Candidate) -> Mask:
    """Return, for each row, whether the test sends it to the left child."""
    missing = codes == MISSING
    passes = codes <= candidate.bin if kind == "numeric" else codes == candidate.bin
    return np.where(missing, candidate.missing_left, passes)


def node_candidates(
    bins: ColumnBins, counts: Integers, minimum: int, *, protected: bool
) -> list[Candidate]:
    """Return a node's candidates for one column, in canonical order.

    ``counts`` has the node's rows per bin: position 0 counts the missing, position b + 1 bin b.
    Both children of every candidate hold at least ``minimum`` rows. With ``protected`` (columns
    whose sums another party will see) any two candidates, and any one and the whole node, differ
    by at least ``minimum`` rows, so that no difference of two sums speaks for fewer (SPEC.md §5).
    """
    missing, present = int(counts[0]), counts[1:]
    if bins.kind == "numeric":
        candidates = _thresholds(present, missing, minimum, protected)
    else:
        candidates = _levels(present, missing, minimum, protected)
    return sorted(candidates)


def _thresholds(present: Integers, missing: int, minimum: int, protected: bool) -> list[Candidate]:
    below = np.cumsum(present).tolist()
    total = below[-1]
    step = minimum if protected else 1
    candidates = []
    last = 0
    for bin_, left in enumerate(below):
        if left - last < step or (protected and 0 < total - left < minimum):
            continue
        last = left
        for missing_left in _directions(missing, 2 * left >= total, minimum, protected):
            rows_left = left + missing * missing_left
            if minimum <= rows_left <= total + missing - minimum:
                candidates.append(Candidate(bin_, missing_left))
    return candidates


def _levels(present: Integers, missing: int, minimum: int, protected: bool) -> list[Candidate]:
    total = int(present.sum())
    kept = [level for level, rows in enumerate(present.tolist()) if rows]
    if protected:
        kept = [k for k in kept if minimum <= present[k] <= total - minimum]
        # The levels left out must not be what remains when the others' sums are subtracted.
        rest = total + (missing if missing < minimum else 0) - int(present[kept].sum())
        if 0 < rest < minimum and kept:
            kept.remove(min(kept, key=lambda k: (present[k], -k)))
    candidates = []
    for level in kept:
        for missing_left in _directions(missing, False, minimum, protected):
            rows_left = int(present[level]) + missing * missing_left
            if minimum <= rows_left <= total + missing - minimum:
                candidates.append(Candidate(level, missing_left))
    if minimum <= missing <= total + missing - minimum:
        candidates.append(Candidate(MISSING, True))
    return candidates


def _directions(
    missing: int, default_left: bool, minimum: int, protected: bool
) -> tuple[bool, ...]:
    """Return where missing rows may go: learned if the node has (enough of) them."""
    learned = missing >= minimum if protected else missing > 0
    return (False, True) if learned else (default_left,)
