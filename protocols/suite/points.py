"""Groups whose elements are full points: SM2 in ``gm``, NIST P-256 in ``intl``.

SM2 is GB/T 32918.5-2017, P-256 NIST SP 800-186 (February 2023) §3.2.1.3. Both have prime order and
cofactor 1, so that a point on the curve is in the group. A point travels compressed, 33 bytes:
02 or 03 for an even or odd y, then x, big endian (SEC 1 version 2.0 §2.3.3; GB/T 32918.1-2016
§4.2.9). Infinity has no encoding, an x at or above the prime is refused, and so is one that
belongs to no point: a point has one encoding, and what is decoded is a point.

Scalars are secret, and every one takes the same sequence of doublings and additions; how far each
twin hides the rest is said in :mod:`protocols.suite.short_weierstrass` and
:mod:`protocols.kernels.weierstrass`. Points are treated as public.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.suite import short_weierstrass
from protocols.suite.curve_batches import CurveBatches, PointArrays, curve_batches, scalar_rows
from protocols.suite.interface import InvalidElement, Octets, RandomStream
from protocols.suite.short_weierstrass import COORDINATE_BYTES, Curve

POINT_BYTES = 1 + COORDINATE_BYTES
EVEN, ODD = 2, 3


class WeierstrassPoints:
    """:class:`~protocols.suite.interface.PointGroup` of one curve."""

    point_bytes = POINT_BYTES

    def __init__(self, name: str, curve: Curve, kernels: str) -> None:
        self.name = name
        self.order = int(curve.n)
        self.generator = bytes([EVEN + int(curve.g_y & 1)]) + int(curve.g_x).to_bytes(32, "big")
        self._batches: CurveBatches = curve_batches(curve, kernels)

    def random_scalars(self, stream: RandomStream, count: int) -> list[int]:
        """Return ``count`` uniform secret scalars in [1, order - 1]."""
        return [1 + stream.below(self.order - 1) for _ in range(count)]

    def check(self, points: bytes) -> None:
        """Return if each is a point of the group.

        Raises :class:`InvalidElement` for the first that is not, ``ValueError`` for a cut-off one.
        """
        self._decompressed(points)

    def multiply_base(self, scalars: Sequence[int]) -> bytes:
        """Return scalar_i G for each scalar; ``ValueError`` if one is not in [1, order - 1]."""
        return _compressed(self._batches.multiply_base(scalar_rows(scalars, self.order)))

    def multiply_each(self, scalars: Sequence[int], points: bytes) -> bytes:
        """Return scalar_i P_i for each pair. Raises as :meth:`check` and :meth:`multiply_base`."""
        rows, arrays = scalar_rows(scalars, self.order), self._decompressed(points)
        if len(rows) != len(arrays[0]):
            raise ValueError("there must be one scalar for each point")
        return _compressed(self._batches.multiply(rows, arrays))

    def multiply(self, scalar: int, points: bytes) -> bytes:
        """Return scalar P_i for each point. Raises as :meth:`check` and :meth:`multiply_base`."""
        rows = scalar_rows([scalar], self.order)
        return _compressed(self._batches.multiply(rows, self._decompressed(points)))

    def add(self, points: bytes, others: bytes) -> bytes:
        """Return P_i + Q_i for each pair.

        Raises as :meth:`check` does, and ``ValueError`` for opposites or lists of two lengths.
        """
        arrays, other_arrays = self._decompressed(points), self._decompressed(others)
        if len(arrays[0]) != len(other_arrays[0]):
            raise ValueError("there must be one other point for each point")
        sums, infinite = self._batches.add(arrays, other_arrays)
        if infinite.any():
            raise ValueError("the sum of a point and its opposite is infinity")
        return _compressed(sums)

    def negate(self, points: bytes) -> bytes:
        """Return -P_i for each point. Raises as :meth:`check` does."""
        self.check(points)
        rows = _point_rows(points).copy()
        rows[:, 0] ^= EVEN ^ ODD  # no y is 0, so that the other root has the other parity
        return rows.tobytes()

    def sum(self, points: bytes) -> bytes:
        """Return the sum of all points, at least one.

        Raises as :meth:`check` does, and ``ValueError`` for no points or a sum of infinity; what
        sums of some of the points are does not matter.
        """
        x, y = self._decompressed(points)
        while len(x) > 1:
            half = len(x) // 2
            first, second = slice(0, half), slice(half, 2 * half)
            sums, infinite = self._batches.add((x[first], y[first]), (x[second], y[second]))
            x, y = (
                np.concatenate([added[~infinite], rest[2 * half :]])
                for added, rest in zip(sums, (x, y), strict=True)
            )
        if not len(x):
            raise ValueError("a sum needs a point, and must not be infinity")
        return _compressed((x, y))

    def _decompressed(self, points: bytes) -> PointArrays:
        rows = _point_rows(points)
        x = np.ascontiguousarray(rows[:, 1:])
        y, invalid = self._batches.lift(x, rows[:, 0] == ODD)
        misfits = np.flatnonzero((rows[:, 0] != EVEN) & (rows[:, 0] != ODD))
        if len(misfits) and not 0 <= invalid < misfits[0]:
            invalid = int(misfits[0])
        if invalid >= 0:
            raise InvalidElement(invalid)
        return x, y


class Sm2Points(WeierstrassPoints):
    """The points of the SM2 curve."""

    def __init__(self, kernels: str = "portable") -> None:
        super().__init__("SM2", short_weierstrass.SM2, kernels)


class P256Points(WeierstrassPoints):
    """The points of NIST P-256."""

    def __init__(self, kernels: str = "portable") -> None:
        super().__init__("P-256", short_weierstrass.P256, kernels)


def _point_rows(points: bytes) -> Octets:
    if len(points) % POINT_BYTES:
        raise ValueError(f"points must be a multiple of {POINT_BYTES} bytes long")
    return np.frombuffer(points, np.uint8).reshape(-1, POINT_BYTES)


def _compressed(points: PointArrays) -> bytes:
    x, y = points
    rows = np.empty((len(x), POINT_BYTES), np.uint8)
    rows[:, 0] = EVEN + (y[:, -1] & 1)
    rows[:, 1:] = x
    return rows.tobytes()
