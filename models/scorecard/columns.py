"""A party's columns as bins, at first fine and then joined, and what their values become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.binning import MISSING, ColumnBins, learn_binning
from models.scorecard.evidence import (
    EVIDENCE_BOUND,
    Counts,
    choose_columns,
    in_units,
    information_value,
    join_monotone,
    join_withheld,
    sum_counts,
    weights_of_evidence,
)
from models.scorecard.options import ScorecardOptions
from models.scoring.differences import take_columns
from models.table import Column, ColumnTable
from protocols.errors import LocalProtocolError
from protocols.wire import Message, decode, encode

Codes = npt.NDArray[np.int64]
Units = npt.NDArray[np.int64]

UNSEEN = -1
"""Bin of a value that no training row had: it says nothing, and counts as zero."""
MAX_COLUMNS = 1000


@dataclass(frozen=True, eq=False)
class JoinedColumn:
    """One column's fine bins and how they are joined; ``codes`` has each row's joined bin."""

    bins: ColumnBins
    fine: tuple[int, ...]
    """Fine bins that have rows, ascending, the missing values' last."""
    joined: tuple[tuple[int, ...], ...]
    """Joined bins as positions in ``fine``."""
    rows: tuple[int, ...]
    """Training rows of each joined bin."""
    codes: Codes = field(repr=False)

    @property
    def ordered(self) -> int:
        """How many of the joined bins, the first ones, are neighbours in an order."""
        if self.bins.kind == "categorical":
            return 0
        missing_alone = self.fine[-1] == MISSING and self.joined[-1] == (len(self.fine) - 1,)
        return len(self.joined) - missing_alone

    def join(self, positions: Sequence[tuple[int, ...]]) -> JoinedColumn:
        """Return the column with joined bins joined further; ``positions`` are of those."""
        new_bin = np.empty(len(self.joined), np.int64)
        for number, group in enumerate(positions):
            new_bin[list(group)] = number
        return JoinedColumn(
            self.bins,
            self.fine,
            tuple(tuple(sorted(p for at in group for p in self.joined[at])) for group in positions),
            tuple(sum(self.rows[at] for at in group) for group in positions),
            new_bin[self.codes],
        )


def fine_columns(table: ColumnTable, bins: int) -> list[JoinedColumn]:
    """Return every column of ``table`` in at most ``bins`` bins, and one more for the missing.

    Numeric columns are cut near their quantiles; of more than ``bins`` levels the rare ones share
    a bin (``models/binning.py``).
    """
    columns = []
    binned = learn_binning(table, bins).apply(table)
    for learned, codes in zip(binned.binning.columns, binned.codes, strict=True):
        size = learned.size
        counts = np.bincount(np.where(codes == MISSING, size, codes), minlength=size + 1)
        present = np.flatnonzero(counts)
        position = np.full(size + 1, UNSEEN, np.int64)
        position[present] = np.arange(len(present))
        columns.append(
            JoinedColumn(
                learned,
                tuple(MISSING if code == size else code for code in present.tolist()),
                tuple((at,) for at in range(len(present))),
                tuple(counts[present].tolist()),
                position[codes],  # MISSING is -1: the last
            )
        )
    return columns


class EvidenceColumn(Message, frozen=True):
    """A column with final bins, and the weight of evidence of each."""

    bins: ColumnBins
    groups: tuple[int, ...]
    """Final bin of each fine bin, then of a level never listed, then of missing; or UNSEEN."""
    rows: tuple[int, ...]
    """Training rows of each final bin."""
    evidence: tuple[int, ...]
    """Weight of evidence of each final bin, in units of 2^-8."""
    information_value: float

    def __post_init__(self) -> None:
        """Refuse bins that do not fit together."""
        final = len(self.rows)
        if not final or len(self.evidence) != final:
            raise ValueError("every bin needs its rows and its weight of evidence")
        if len(self.groups) != self.bins.size + 2 or self.groups[-2] != UNSEEN:
            raise ValueError("every fine bin needs a final one")
        if set(self.groups) - {UNSEEN} != set(range(final)):
            raise ValueError("a final bin there is not, or one without values")
        if min(self.rows) < 1 or max(map(abs, self.evidence)) > EVIDENCE_BOUND:
            raise ValueError("a bin without rows, or too large a weight of evidence")
        if not (0 <= self.information_value < float("inf")):
            raise ValueError("the information value must be a number from 0")

    @property
    def name(self) -> str:
        """The column's name."""
        return self.bins.name

    def codes(self, column: Column) -> Codes:
        """Return the final bin of every value, or UNSEEN."""
        fine = self.bins.codes(column).astype(np.int64)
        return np.array(self.groups, np.int64)[fine]  # MISSING is -1: the last

    def describe(self, bin_: int) -> str:
        """Return what the values of a final bin are, for the column's owner to read."""
        fine = [code for code in range(self.bins.size) if self.groups[code] == bin_]
        parts = []
        if self.bins.kind == "numeric":
            if fine:
                parts.append(self._interval(fine[0], fine[-1]))
        else:
            listed = len(self.bins.levels)
            parts += [self.bins.levels[code] for code in fine if code < listed]
            parts += ["any other"] if listed in fine else []
        if self.groups[MISSING] == bin_:
            parts.append("missing")
        return " or ".join(parts)

    def _interval(self, first: int, last: int) -> str:
        edges = self.bins.edges
        low = f"> {edges[first - 1]:.6g}" if first else ""
        high = f"<= {edges[last]:.6g}" if last < len(edges) else ""
        return " and ".join(part for part in (low, high) if part) or "any value"


class LeftOut(Message, frozen=True):
    """A column that is not in the model, and why."""

    name: str
    reason: str
    information_value: float


@dataclass(frozen=True, eq=False)
class Design:
    """Weights of evidence row by row, as bins of few distinct values: what training reads."""

    codes: Codes = field(repr=False)
    """Shape (columns, rows)."""
    values: tuple[Units, ...] = field(repr=False)
    """For each column its bins' weights of evidence, in units of 2^-8."""

    @property
    def rows(self) -> int:
        """How many rows."""
        return int(self.codes.shape[1])

    @property
    def columns(self) -> int:
        """How many columns."""
        return len(self.values)

    def take(self, rows: npt.NDArray[np.int64]) -> Design:
        """Return the design of the given rows, in their order."""
        return Design(np.ascontiguousarray(self.codes[:, rows]), self.values)

    def matrix(self) -> Units:
        """Return the weights of evidence, shape (columns, rows)."""
        matrix = np.empty((self.columns, self.rows), np.int64)
        for column, (codes, values) in enumerate(zip(self.codes, self.values, strict=True)):
            matrix[column] = values[codes]
        return matrix


class WeighedColumns(Message, frozen=True):
    """What a party knows after the binning step: its own columns, and how many the peer has."""

    columns: tuple[EvidenceColumn, ...]
    left_out: tuple[LeftOut, ...]
    peer_columns: int

    def __post_init__(self) -> None:
        """Refuse a number of columns there cannot be."""
        if not 0 <= self.peer_columns <= MAX_COLUMNS or len(self.columns) > MAX_COLUMNS:
            raise ValueError("too many columns")

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        return encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> WeighedColumns:
        """Return what :meth:`to_bytes` wrote; raises ``DecodeError``."""
        return decode(data, cls)

    def design(self, table: ColumnTable, *, intercept: bool) -> Design:
        """Return the chosen columns' weights of evidence; with ``intercept``, a column of ones.

        ``table`` is the training table the columns were weighed on; for another that can be told
        apart :class:`LocalProtocolError` says so.
        """
        needed = [(column.name, column.bins.kind) for column in self.columns]
        taken = take_columns(needed, table).columns
        codes = [own.codes(column) for own, column in zip(self.columns, taken, strict=True)]
        if any((each == UNSEEN).any() for each in codes):
            raise LocalProtocolError("these are not the rows the columns were weighed on")
        values = [np.array(column.evidence, np.int64) for column in self.columns]
        if intercept:
            codes.append(np.zeros(table.rows, np.int64))
            values.append(np.array([ONE], np.int64))
        shape = (len(codes), table.rows)
        return Design(np.array(codes, np.int64).reshape(shape), tuple(values))


ONE = 1 << 8
"""The value of the intercept's column, in units of 2^-8."""


def after_floors(
    columns: Sequence[JoinedColumn], above: Sequence[Sequence[bool]]
) -> list[JoinedColumn]:
    """Return the columns after every bin below the floor joined one above it."""
    return [
        column.join(join_withheld(column.rows, enough, ordered=column.ordered))
        for column, enough in zip(columns, above, strict=True)
    ]


def weigh(
    columns: Sequence[JoinedColumn],
    counts: Sequence[Sequence[Counts]],
    options: ScorecardOptions,
) -> tuple[tuple[EvidenceColumn, ...], tuple[LeftOut, ...]]:
    """Return the chosen columns with their final bins, and those left out.

    ``counts`` are of the joined bins, all above the floor where a column has two or more.
    """
    weighed = []
    codes = []
    for column, known in zip(columns, counts, strict=True):
        if options.monotone and column.ordered > 1:
            runs = join_monotone(known[: column.ordered])
            rest = [(at,) for at in range(column.ordered, len(known))]
            joined, final = column.join([*runs, *rest]), [sum_counts(known, g) for g in runs]
            final += known[column.ordered :]
        else:
            joined, final = column, list(known)
        weighed.append(_evidence_column(joined, final))
        codes.append(np.array(weighed[-1].evidence, np.int64)[joined.codes])
    reasons = choose_columns(
        [column.information_value for column in weighed],
        np.array(codes, np.int64),
        minimum_information_value=options.minimum_information_value,
        maximum_correlation=options.maximum_correlation,
    )
    chosen = tuple(c for c, reason in zip(weighed, reasons, strict=True) if not reason)
    left_out = tuple(
        LeftOut(column.name, reason, column.information_value)
        for column, reason in zip(weighed, reasons, strict=True)
        if reason
    )
    return chosen, left_out


def _evidence_column(column: JoinedColumn, counts: Sequence[Counts]) -> EvidenceColumn:
    groups = [UNSEEN] * (column.bins.size + 2)
    for number, positions in enumerate(column.joined):
        for at in positions:
            groups[column.fine[at]] = number  # MISSING is -1: the last
    several = len(counts) > 1
    evidence = [in_units(w) for w in weights_of_evidence(counts)] if several else [0]
    value = max(0.0, information_value(counts)) if several else 0.0
    return EvidenceColumn(column.bins, tuple(groups), column.rows, tuple(evidence), value)
