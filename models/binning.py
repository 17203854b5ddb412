"""Values to bins: learned on a party's own training rows, kept in its half of the model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models.scoring.differences import take_columns
from models.table import Column, ColumnKind, ColumnTable, Floats, Rows
from protocols.errors import LocalProtocolError
from protocols.wire import Message

MISSING = -1
Codes = npt.NDArray[np.int16]


class ColumnBins(Message, frozen=True):
    """How one column's values become bin codes 0, 1, ..., and :data:`MISSING`.

    Numeric: code t holds the values v with ``edges[t - 1] < v <= edges[t]``. Categorical: code k
    is ``levels[k]``; with ``other``, code ``len(levels)`` is every level not listed.
    """

    name: str
    kind: ColumnKind
    edges: tuple[float, ...]
    levels: tuple[str, ...]
    other: bool

    def __post_init__(self) -> None:
        """Refuse edges or levels that are not strictly ascending, or belong to the other kind."""
        if self.kind == "numeric":
            increasing = all(a < b for a, b in zip(self.edges, self.edges[1:], strict=False))
            if self.levels or self.other or not increasing or not np.isfinite(self.edges).all():
                raise ValueError("numeric bins need ascending finite edges and nothing else")
        elif self.edges or list(self.levels) != sorted(set(self.levels)):
            raise ValueError("categorical bins need ascending distinct levels and nothing else")

    @property
    def size(self) -> int:
        """Number of bins, the missing values' not counted."""
        return len(self.edges) + 1 if self.kind == "numeric" else len(self.levels) + self.other

    def codes(self, column: Column) -> Codes:
        """Return the bin code of every value.

        A level never seen in training is among the ``other`` where there is such a bin, and
        else gets a code no split tests: it is not equal to any level.
        """
        if self.kind == "numeric":
            codes = np.searchsorted(np.array(self.edges), column.values, side="left")
            codes[np.isnan(column.values)] = MISSING
            return codes.astype(np.int16)
        known: dict[Any, int] = {level: code for code, level in enumerate(self.levels)}
        known[None] = MISSING
        unlisted = len(self.levels)
        return np.array([known.get(value, unlisted) for value in column.values], dtype=np.int16)

    def describe(self, bin_: int, missing_left: bool) -> str:
        """Return the test a row passes to go left, for the column's owner to read."""
        if bin_ == MISSING:
            return f"{self.name} is missing"
        if self.kind == "numeric":
            last = bin_ == len(self.edges)
            test = "is present" if last else f"<= {self.edges[bin_]:.6g}"
        elif bin_ == len(self.levels):
            test = "is none of the listed levels"
        else:
            test = f"== {self.levels[bin_]!r}"
        return f"{self.name} {test}{' or missing' if missing_left else ''}"


class Binning(Message, frozen=True):
    """The bins of all of one party's columns, in the order of its table."""

    columns: tuple[ColumnBins, ...]

    def apply(self, table: ColumnTable) -> BinnedTable:
        """Return the table's codes, in the order of these bins; other columns are left out.

        Raises :class:`LocalProtocolError` naming each column that is missing or of the other kind.
        """
        needed = take_columns([(bins.name, bins.kind) for bins in self.columns], table)
        codes = tuple(
            bins.codes(column) for bins, column in zip(self.columns, needed.columns, strict=True)
        )
        return BinnedTable(self, codes, table.rows)


@dataclass(frozen=True, eq=False)
class BinnedTable:
    """Bin codes of every column, with what they mean."""

    binning: Binning
    codes: tuple[Codes, ...] = field(repr=False)
    rows: int

    def bag(self, rows: Rows) -> BinnedTable:
        """Return the table of ``rows``, in their order: those a tree learns from.

        Raises :class:`LocalProtocolError` for a level there is no bin for.
        """
        codes = tuple(codes[rows] for codes in self.codes)
        for bins, column in zip(self.binning.columns, codes, strict=True):
            if len(rows) and column.max() >= bins.size:
                raise LocalProtocolError("the bins were not learned from the rows to train on")
        return BinnedTable(self.binning, codes, len(rows))

    def cells(self) -> int:
        """Return the number of bins of all columns, the missing values' among them."""
        return sum(bins.size + 1 for bins in self.binning.columns)


def learn_binning(table: ColumnTable, bins: int) -> Binning:
    """Return bins for ``table`` (the training rows), at most ``bins`` a column, from its values.

    The result depends on the multiset of each column's values, not on the order of rows.
    """
    learned = []
    for column in table.columns:
        if column.kind == "numeric":
            edges = _quantile_edges(column.values, bins)
            learned.append(ColumnBins(column.name, "numeric", edges, (), other=False))
        else:
            levels, other = _frequent_levels(column.values, bins)
            learned.append(ColumnBins(column.name, "categorical", (), levels, other=other))
    return Binning(tuple(learned))


def _quantile_edges(values: Floats, bins: int) -> tuple[float, ...]:
    """Return edges half way between neighbouring values, near the ``bins`` quantiles."""
    present = np.sort(values[~np.isnan(values)])
    steps = np.flatnonzero(present[1:] != present[:-1]) + 1  # where a new value begins
    if len(steps) >= bins:
        wanted = len(present) * np.arange(1, bins) // bins
        found = np.searchsorted(steps, wanted)  # equal values stay in one bin
        steps = steps[np.unique(found[found < len(steps)])]
    below, above = present[steps - 1], present[steps]
    middle = below / 2 + above / 2
    # Neighbouring floats can have no number between them: the lower one then is the edge.
    middle = np.where((below <= middle) & (middle < above), middle, below)
    return tuple(middle.tolist())


def _frequent_levels(values: npt.NDArray[Any], bins: int) -> tuple[tuple[str, ...], bool]:
    """Return the levels that get a bin each, and whether the others share one more."""
    counts = Counter(value for value in values if value is not None)
    if len(counts) <= bins:
        return tuple(sorted(counts)), False
    by_frequency = sorted(counts, key=lambda level: (-counts[level], level))
    return tuple(sorted(by_frequency[: bins - 1])), True
