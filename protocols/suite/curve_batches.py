"""Batches of points as arrays of bytes, computed by plain integers or by the vector kernels.

:class:`CurveBatches` is what the groups of this package stand on; its two implementations give the
same bytes. Coordinates are rows of 32 bytes, big endian and below the field's prime; scalars are
rows of 32 bytes, big endian, in [1, n - 1]. The kernels are imported when first used, so that a
process that only verifies never loads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from gmpy2 import mpz

from protocols.suite import short_weierstrass
from protocols.suite.interface import Octets
from protocols.suite.short_weierstrass import COORDINATE_BYTES, P256, SM2, Curve, Points

Flags: TypeAlias = npt.NDArray[np.bool_]
PointArrays: TypeAlias = tuple[Octets, Octets]
"""The points' x and their y coordinates."""

BATCH = 1024  # bounds the table of odd multiples to a few megabytes


class CurveBatches(Protocol):
    """Affine points of one curve, none of them infinity, in batches."""

    def lift(self, x: Octets, odd: Flags) -> tuple[Octets, int]:
        """Return a y for each x, odd where the flag says so, and the first row without, or -1.

        A row is without a y if x is not below the prime or belongs to no point. One flag may stand
        for all rows.
        """

    def multiply(self, scalars: Octets, points: PointArrays) -> PointArrays:
        """Return the one scalar, or each its own, times the points, which are on the curve."""

    def multiply_base(self, scalars: Octets) -> PointArrays:
        """Return each scalar times the generator."""

    def add(self, points: PointArrays, others: PointArrays) -> tuple[PointArrays, Flags]:
        """Return P + Q for each pair, and where it is infinity; there the point means nothing."""


def curve_batches(curve: Curve, kernels: str) -> CurveBatches:
    """Return the arithmetic of SM2 or P-256 by ``kernels``: ``avx512`` or ``portable``."""
    if kernels not in ("avx512", "portable"):
        raise ValueError(f"unknown kernels {kernels!r}; there are: avx512, portable")
    return _VectorBatches(curve) if kernels == "avx512" else _PortableBatches(curve)


def scalar_rows(scalars: Sequence[int], order: int) -> Octets:
    """Return the scalars as rows; raises ``ValueError`` unless each is in [1, order - 1]."""
    if not all(1 <= scalar < order for scalar in scalars):
        raise ValueError("scalar must be in [1, n - 1]")
    return integer_rows(scalars)


class _VectorBatches:
    """By :mod:`protocols.kernels.weierstrass`."""

    def __init__(self, curve: Curve) -> None:
        from protocols.kernels import weierstrass  # noqa: PLC0415

        self._kernels = weierstrass
        self._curve = {SM2: weierstrass.SM2, P256: weierstrass.P256}[curve]

    def lift(self, x: Octets, odd: Flags) -> tuple[Octets, int]:
        return self._kernels.lift(self._curve, x, odd)

    def multiply(self, scalars: Octets, points: PointArrays) -> PointArrays:
        return self._kernels.multiply(self._curve, scalars, *points)

    def multiply_base(self, scalars: Octets) -> PointArrays:
        return self._kernels.multiply_base(self._curve, scalars)

    def add(self, points: PointArrays, others: PointArrays) -> tuple[PointArrays, Flags]:
        x, y, infinite = self._kernels.add(self._curve, *points, *others)
        return (x, y), infinite


class _PortableBatches:
    """By :mod:`protocols.suite.short_weierstrass`."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve

    def lift(self, x: Octets, odd: Flags) -> tuple[Octets, int]:
        p, ys = self._curve.p, []
        for index, (value, wanted) in enumerate(
            zip(_integers(x), np.broadcast_to(odd, len(x)), strict=True)
        ):
            y = short_weierstrass.lift(self._curve, value) if value < p else None
            if y is None:
                return x, index
            ys.append(y if y & 1 == wanted else p - y)
        return integer_rows(ys), -1

    def multiply(self, scalars: Octets, points: PointArrays) -> PointArrays:
        xs, ys = _integers(points[0]), _integers(points[1])
        integers = _integers(scalars) if len(scalars) != 1 else _integers(scalars) * len(xs)
        product: Points = [], []
        for start in range(0, len(xs), BATCH):
            batch = slice(start, start + BATCH)
            part = short_weierstrass.multiply_each(
                self._curve, integers[batch], (xs[batch], ys[batch])
            )
            product[0].extend(part[0])
            product[1].extend(part[1])
        return integer_rows(product[0]), integer_rows(product[1])

    def multiply_base(self, scalars: Octets) -> PointArrays:
        xs, ys = short_weierstrass.multiply_base(self._curve, _integers(scalars))
        return integer_rows(xs), integer_rows(ys)

    def add(self, points: PointArrays, others: PointArrays) -> tuple[PointArrays, Flags]:
        same_x = (points[0] == others[0]).all(axis=1)
        infinite = same_x & (points[1] != others[1]).any(axis=1)
        kept = ~infinite
        xs, ys = short_weierstrass.add(
            self._curve,
            (_integers(points[0][kept]), _integers(points[1][kept])),
            (_integers(others[0][kept]), _integers(others[1][kept])),
        )
        x, y = np.zeros_like(points[0]), np.zeros_like(points[1])
        x[kept], y[kept] = integer_rows(xs), integer_rows(ys)
        return (x, y), infinite


def _integers(rows: Octets) -> list[mpz]:
    return [mpz(int.from_bytes(row.tobytes(), "big")) for row in rows]


def integer_rows(values: Sequence[int | mpz]) -> Octets:
    """Return integers below 2^256 as rows of 32 bytes, big endian."""
    octets = b"".join(int(value).to_bytes(COORDINATE_BYTES, "big") for value in values)
    return np.frombuffer(octets, np.uint8).reshape(-1, COORDINATE_BYTES)
