"""Every column's mean and deviation over all parties' training rows, from exact integer sums.

A party's statistics are integers, so that their sum over the parties does not depend on an order,
an encoding or a machine: values count in units of 2^-30, and the sums, squares included, are exact
in these units. They add up to those of all rows in one place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from models.horizontal.table import TrainingTable
from models.table import Floats, Mask
from protocols.errors import LocalProtocolError
from protocols.stored import Stored

FRACTION_BITS = 30
LARGEST_VALUE = 2.0**32
"""Statistics are of columns whose values lie within +- this; larger amounts need a logarithm."""
LARGEST_ROWS = 1 << 31
STATISTICS_BITS = 2 * (32 + FRACTION_BITS) + 31 + 7 + 2
"""Two's complement bits that hold any statistic's sum: squares, 2^31 rows, 128 parties, a sign."""
LARGEST_INPUT = 5.0
"""Deviations; what lies further out counts as this far, in training and ever after."""

Limbs = npt.NDArray[np.int64]
_LIMB_BITS = 21


class Scaling(Stored, frozen=True):
    """How columns become inputs, for each repeat, and how many rows all parties train on.

    ``mean_bytes`` and ``deviation_bytes`` are (repeats, d) float64, little endian, row after row.
    """

    columns: int
    mean_bytes: bytes
    deviation_bytes: bytes
    rows: tuple[int, ...]
    """Training rows of all parties, for each repeat."""
    positives: tuple[int, ...]
    """Those of them with label 1."""

    @property
    def repeats(self) -> int:
        """Number of repeats."""
        return len(self.rows)

    @property
    def mean(self) -> Floats:
        """The columns' means, shape (repeats, d); read only."""
        return self._array(self.mean_bytes)

    @property
    def deviation(self) -> Floats:
        """Their standard deviations, (repeats, d); 1 for a column that is constant; read only."""
        return self._array(self.deviation_bytes)

    def _array(self, data: bytes) -> Floats:
        array = np.frombuffer(data, "<f8").astype(np.float64, copy=False)
        return array.reshape(self.repeats, self.columns)

    def _is_consistent(self) -> bool:
        if self.columns < 1 or not self.rows or len(self.positives) != self.repeats:
            return False
        length = 8 * self.repeats * self.columns
        if {len(self.mean_bytes), len(self.deviation_bytes)} != {length}:
            return False
        finite = np.isfinite(self.mean).all() and np.isfinite(self.deviation).all()
        return bool(finite and (self.deviation > 0).all() and min(self.rows) > 0)


def statistics_length(columns: int, repeats: int) -> int:
    """Return how many integers :func:`statistics` gives."""
    return repeats * (2 + 2 * columns)


def statistics(table: TrainingTable, held_out: Mask) -> list[int]:
    """Return a party's sums over its training rows, exact integers below 2^STATISTICS_BITS.

    For each repeat: rows, rows with label 1, then the sum of each column's values in units of
    2^-30, then the sum of their squares in units of 2^-60. ``held_out`` is (repeats, n). Raises
    :class:`LocalProtocolError` naming a column with a value beyond +-2^32.
    """
    check_split(table, held_out)
    for column in np.flatnonzero((np.abs(table.values) > LARGEST_VALUE).any(axis=0)):
        raise LocalProtocolError(
            f"column {table.columns[column]!r} holds a value beyond 2^32; use a smaller unit or "
            "its logarithm"
        )
    training = (~held_out).astype(np.int64)
    # Three limbs of 21 bits, the highest signed: no product or sum of them leaves 64 bits.
    units = np.rint(table.values * 2.0**FRACTION_BITS).astype(np.int64)
    low = units & ((1 << _LIMB_BITS) - 1)
    middle = (units >> _LIMB_BITS) & ((1 << _LIMB_BITS) - 1)
    high = units >> (2 * _LIMB_BITS)
    sums = _weighted((low, middle, high), training)
    squares = _weighted(
        (
            low * low,
            2 * (low * middle),
            2 * (low * high) + middle * middle,
            2 * (middle * high),
            high * high,
        ),
        training,
    )
    rows = training.sum(axis=1).tolist()
    positives = (training @ table.labels.astype(np.int64)).tolist()
    return [
        number
        for repeat in range(len(held_out))
        for number in (rows[repeat], positives[repeat], *sums[repeat], *squares[repeat])
    ]


def scaling_from(statistics_sum: Sequence[int], columns: int, repeats: int) -> Scaling:
    """Return the scaling of all parties' rows from the sum of their :func:`statistics`.

    The mean is the nearest float64 to the exact quotient; the deviation (of the population:
    divisor n) the square root of the nearest float64 to the exact variance. A column that is
    constant to 2^-30 has deviation 1. Raises :class:`LocalProtocolError` for sums that cannot be
    those of any rows, and where a repeat has no row.
    """
    if len(statistics_sum) != statistics_length(columns, repeats):
        raise LocalProtocolError("the sum of the statistics has another length")
    width = 2 + 2 * columns
    mean, deviation = np.zeros((repeats, columns)), np.ones((repeats, columns))
    rows, positives = [], []
    for repeat in range(repeats):
        count, ones, *moments = statistics_sum[repeat * width : (repeat + 1) * width]
        if not 1 <= count <= LARGEST_ROWS * 128 or not 0 <= ones <= count:
            raise LocalProtocolError(
                f"repeat {repeat}: the parties have no training rows, or their counts contradict "
                "each other"
            )
        rows.append(count)
        positives.append(ones)
        for column in range(columns):
            total, squares = moments[column], moments[columns + column]
            scatter = count * squares - total * total
            if scatter < 0:
                raise LocalProtocolError(
                    f"column {column}: the parties' sums contradict each other; a party sent "
                    "statistics that are not of its rows"
                )
            mean[repeat, column] = _nearest(total, count << FRACTION_BITS)
            if scatter:
                variance = _nearest(scatter, (count * count) << (2 * FRACTION_BITS))
                deviation[repeat, column] = math.sqrt(variance)
    return Scaling(columns, _bytes(mean), _bytes(deviation), tuple(rows), tuple(positives))


def check_split(table: TrainingTable, held_out: Mask) -> None:
    """Refuse a split that is not (repeats, n) truth values; raises ``LocalProtocolError``."""
    if held_out.dtype != np.bool_ or held_out.ndim != 2 or held_out.shape[1] != table.rows:
        raise LocalProtocolError("held_out must be truth values of shape (repeats, rows)")
    if not len(held_out):
        raise LocalProtocolError("there must be at least one repeat")


def _weighted(limbs: Sequence[Limbs], training: Limbs) -> list[list[int]]:
    """Return sum over i of limb i * 2^(21 i), summed over each repeat's training rows.

    Limbs (n, d), training (repeats, n) of 0 and 1; exact Python integers, (repeats, d).
    """
    # A limb is below 2^44 (2 * 2^42 + 2^42 at most), so 2^18 rows of them stay below 2^63.
    block = 1 << 18
    total = np.zeros((len(training), limbs[0].shape[1]), object)
    for place, limb in enumerate(limbs):
        for start in range(0, len(limb), block):
            part = training[:, start : start + block] @ limb[start : start + block]
            total += part.astype(object) << (_LIMB_BITS * place)
    found: list[list[int]] = total.tolist()
    return found


def _nearest(numerator: int, denominator: int) -> float:
    return float(Fraction(numerator, denominator))


def _bytes(array: Floats) -> bytes:
    return array.astype("<f8", copy=False).tobytes()
