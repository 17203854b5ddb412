"""Columns to numbers: learned on a party's own training rows, kept in its half of the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.split_network.messages import Singles
from models.table import Column, ColumnKind, ColumnTable
from protocols.errors import LocalProtocolError

MOST_LEVELS = 32
LARGEST_INPUT = 5.0
"""Standard deviations; what lies further out counts as this far, in training and ever after."""


@dataclass(frozen=True, slots=True)
class ColumnEncoding:
    """How one column's values become ``width`` numbers.

    Numeric: (value - mean) / scale, cut at :data:`LARGEST_INPUT`, 0 where it is missing.
    Categorical: a one for each of ``levels`` and, with ``other``, for all levels not listed; a
    level there is no place for is all zeros. ``missing`` adds a one where the value is missing;
    without it, as training had no such row, a missing value is the mean, or no level.
    """

    name: str
    kind: ColumnKind
    mean: float
    scale: float
    levels: tuple[str, ...]
    other: bool
    missing: bool

    @property
    def width(self) -> int:
        """Number of inputs the column becomes."""
        values = 1 if self.kind == "numeric" else len(self.levels) + self.other
        return values + self.missing

    def apply(self, column: Column) -> Singles:
        """Return the inputs of every row, shape (rows, width)."""
        inputs = np.zeros((len(column.values), self.width), np.float32)
        if self.kind == "numeric":
            absent = np.isnan(column.values)
            with np.errstate(over="ignore"):  # beyond float64 is beyond the cut
                standard = column.values / self.scale - self.mean / self.scale
            inputs[:, 0] = np.where(absent, 0, np.clip(standard, -LARGEST_INPUT, LARGEST_INPUT))
        else:
            absent = np.array([value is None for value in column.values], np.bool_)
            places = {level: place for place, level in enumerate(self.levels)}
            other = len(self.levels) if self.other else -1
            at = np.array([places.get(value, other) for value in column.values], np.int64)
            known = ~absent & (at >= 0)
            inputs[known, at[known]] = 1
        if self.missing:
            inputs[absent, -1] = 1
        return inputs


@dataclass(frozen=True, eq=False)
class TableEncoding:
    """The encoding of all of one party's columns, and what each input is on average."""

    columns: tuple[ColumnEncoding, ...]
    means: Singles = field(repr=False)
    """Training mean of every input, shape (width,): what stands for a column left out."""

    @property
    def width(self) -> int:
        """Number of inputs of the party's network."""
        return sum(column.width for column in self.columns)

    def places(self) -> dict[str, slice]:
        """Return where each column's inputs are."""
        places, start = {}, 0
        for column in self.columns:
            places[column.name] = slice(start, start + column.width)
            start += column.width
        return places

    def apply(self, table: ColumnTable) -> Singles:
        """Return the inputs of every row, shape (rows, width); columns are found by name.

        Raises :class:`LocalProtocolError` naming the columns that are missing, not known, or of
        another kind than in training.
        """
        given = {column.name: column for column in table.columns}
        _check_columns(self.columns, given)
        parts = [column.apply(given[column.name]) for column in self.columns]
        return np.concatenate([np.zeros((table.rows, 0), np.float32), *parts], axis=1)


def learn_encoding(table: ColumnTable) -> TableEncoding:
    """Return the encoding of ``table``'s columns, from its values alone.

    Raises :class:`LocalProtocolError` for a table without rows.
    """
    if table.rows == 0:
        raise LocalProtocolError("there is no row to train on")
    columns = tuple(_learn(column) for column in table.columns)
    encoding = TableEncoding(columns, np.zeros(0, np.float32))
    means = encoding.apply(table).mean(axis=0, dtype=np.float64).astype(np.float32)
    return TableEncoding(columns, means)


def _learn(column: Column) -> ColumnEncoding:
    if column.kind == "numeric":
        present = column.values[~np.isnan(column.values)]
        missing = len(present) < len(column.values)
        # Scaled by the largest before squaring, which could overflow.
        largest = float(np.abs(present).max(initial=0)) or 1.0
        mean = largest * float((present / largest).mean()) if len(present) else 0.0
        scale = largest * float((present / largest).std()) if len(present) else 0.0
        # A constant column can have a tiny deviation by rounding alone.
        scale = scale if scale > 1e-9 * largest else largest
        return ColumnEncoding(column.name, "numeric", mean, scale, (), False, missing)
    counts = Counter(value for value in column.values if value is not None)
    missing = counts.total() < len(column.values)
    levels = sorted(counts)
    other = len(levels) > MOST_LEVELS
    if other:
        by_frequency = sorted(counts, key=lambda level: (-counts[level], level))
        levels = sorted(by_frequency[: MOST_LEVELS - 1])
    return ColumnEncoding(column.name, "categorical", 0.0, 1.0, tuple(levels), other, missing)


def _check_columns(learned: Sequence[ColumnEncoding], given: dict[str, Column]) -> None:
    kinds = {column.name: column.kind for column in learned}
    missing = [name for name in kinds if name not in given]
    unknown = [name for name in given if name not in kinds]
    changed = [name for name in kinds if name in given and given[name].kind != kinds[name]]
    differences = [
        f"{what} {', '.join(names)}"
        for what, names in (
            ("missing:", missing),
            ("not known to the model:", unknown),
            ("of another kind than in training:", changed),
        )
        if names
    ]
    if differences:
        raise LocalProtocolError(f"the table's columns do not fit: {'; '.join(differences)}")
