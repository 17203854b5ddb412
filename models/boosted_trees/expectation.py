"""What a tree is expected to look like, from what all parties know before it grows.

Nothing here decides a split. The rule that chooses how many rows share a ciphertext and the
prediction of a run's cost (``cost.py``) use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from models.boosted_trees.options import TreeOptions

SMALLER_SHARE = 4
"""A split's smaller child is expected to have one in so many of its rows.

On the table of SPEC.md §1 and on a made one its mean was 0.16 to 0.31, level by level.
"""


@dataclass(frozen=True, slots=True)
class ExpectedNodes:
    """Open nodes of one size on one level: ``count`` of them, ``rows`` each."""

    depth: int
    count: int
    rows: int


def expected_nodes(rows: int, options: TreeOptions) -> list[ExpectedNodes]:
    """Return the open nodes of a tree that learns from ``rows`` rows, the root's level first."""
    nodes = []
    for depth in range(options.depth):
        for smaller in range(depth + 1):
            larger = depth - smaller
            here = rows * (SMALLER_SHARE - 1) ** larger // SMALLER_SHARE**depth
            if here >= 2 * options.minimum_bin_count:
                nodes.append(ExpectedNodes(depth, comb(depth, smaller), here))
    return nodes


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """What a column is expected to offer: bins that hold equally many rows, and missing values."""

    bins: int
    missing: float = 0.0
    """Share of the rows whose value is missing."""

    def candidates(self, rows: int, minimum: int) -> int:
        """Return the candidates in a node of ``rows`` rows, as coarsening leaves them.

        Neighbouring bins are joined until ``minimum`` rows are reached; missing values go both
        ways where there are as many of them.
        """
        missing = int(self.missing * rows)
        present = max(1, rows - missing)
        joined = max(1, -(-minimum * self.bins // present))
        thresholds = max(0, self.bins // joined - 1)
        return 2 * thresholds + 1 if missing >= minimum else thresholds


def expected_results(rows: int, columns: Sequence[ColumnShape], options: TreeOptions) -> int:
    """Return the candidates one tree answers for, of a party with these columns."""
    return sum(
        nodes.count * column.candidates(nodes.rows, options.minimum_bin_count)
        for nodes in expected_nodes(rows, options)
        for column in columns
    )
