"""Small discrete logarithms: the number m, below a bound, of a point m G.

Baby-step giant-step (D. Shanks, "Class number, a theory of factorization, and genera", Proc. Symp.
Pure Math. 20 (1971)) with x-coordinates, which a point shares with its opposite: an index of i G
for 1 <= i <= t finds m = c + i and m = c - i at once in m G - c G. Small numbers are tried first,
with a small index, and larger ones with one four times as large: time and memory grow with the
square root of m, up to ``LARGEST_INDEX``. So the time tells the size of m to whoever watches it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from gmpy2 import mpz

from protocols.suite import PointGroup, Words, short_weierstrass
from protocols.suite.short_weierstrass import COORDINATE_BYTES, Curve, Points

CURVES = {"SM2": short_weierstrass.SM2, "P-256": short_weierstrass.P256}

TABLE_POINTS = 1024
"""Points on either side of a centre: they share its inversion."""
BLOCK_POINTS = 2 * TABLE_POINTS + 1
FIRST_INDEX = 1 << 16
LARGEST_INDEX = 1 << 22
GROWTH = 4
BLOCKS_AT_A_TIME = 1 << 16
MAX_BOUND = 1 << 48
MONTGOMERY_BITS = 256


def small_logarithm(group: PointGroup, point: bytes, bound: int) -> int | None:
    """Return the m in [0, bound) with ``point`` = m G, G the generator, or None if there is none.

    ``bound`` is at most 2^48; infinity, of m = 0, has no encoding, so that m is not 0. Raises
    ``InvalidElement`` if ``point`` is not of the group.
    """
    if not 1 <= bound <= MAX_BOUND:
        raise ValueError("bound must be between 1 and 2^48")
    if len(point) != group.point_bytes:
        raise ValueError("one point has one logarithm")
    group.check(point)
    curve = CURVES[group.name]
    target = _decompressed(curve, point)
    tried, length = 0, FIRST_INDEX
    while tried < bound:
        walk = _first_walk(curve) if length == FIRST_INDEX else _Walk(curve, length)
        # About 4 length steps, each 2 length + 1 wide: a step takes less time than an entry of the
        # index. The largest index serves for all that is left.
        last = length == LARGEST_INDEX
        end = bound if last else min(bound, tried + 8 * length * length)
        for candidate in walk.candidates(target, tried, end):
            if 0 < candidate < bound and _times(curve, candidate) == target:
                return candidate
        tried, length = end, min(GROWTH * length, LARGEST_INDEX)
    return None


class _Walk:
    """An index of i G for all i up to ``reach``, and how to look points up in it."""

    def __init__(self, curve: Curve, length: int) -> None:
        from protocols.kernels import point_walk  # noqa: PLC0415 - loads numba

        self._kernel = point_walk
        self._curve = curve
        blocks = -(-(length - TABLE_POINTS) // BLOCK_POINTS)
        first_centre = 2 * TABLE_POINTS
        self.reach = first_centre + BLOCK_POINTS * (blocks - 1) + TABLE_POINTS
        # A power of two, so that it is at most two thirds full.
        self._index = np.zeros(1 << (self.reach * 3 // 2).bit_length(), np.uint64)
        memory = self._memory(1, _times(curve, first_centre))
        point_walk.fill_index(memory, memory.ctypes.data, TABLE_POINTS, blocks, self._index)

    def candidates(self, target: Points, start: int, end: int) -> Iterator[int]:
        """Yield the number of ``target`` if it is in [start, end), and others by chance."""
        width = 2 * self.reach + 1
        stride = width * BLOCK_POINTS
        # The first block begins at ``start``.
        middle = start + stride // 2
        opposite = _times(self._curve, -middle)
        if opposite[0] == target[0]:
            yield middle  # or it is -middle, which is not in the range
            return
        memory = self._memory(-width, short_weierstrass.add(self._curve, target, opposite))
        hits = np.empty((BLOCK_POINTS, 2), np.int64)
        blocks = -(-(end - start) // stride)
        while blocks > 0:
            done, found = self._kernel.search(
                memory,
                memory.ctypes.data,
                TABLE_POINTS,
                min(blocks, BLOCKS_AT_A_TIME),
                self._index,
                hits,
            )
            middle += (done - 1) * stride
            for k, number in hits[:found].tolist():
                # The table's last entry is the stride.
                step = stride if k > TABLE_POINTS else width * k
                if number == 0:
                    yield middle + step
                    yield middle - step
                    return
                yield middle + step + number
                yield middle + step - number
            middle += stride
            blocks -= done

    def _memory(self, scalar: int, centre: Points) -> Words:
        """Return memory for a walk from ``centre`` with a table of multiples of scalar G."""
        kernel = self._kernel
        memory = np.zeros((kernel.memory_rows(TABLE_POINTS), kernel.WORDS), np.uint64)
        memory[kernel.PRIME] = _words([self._curve.p])
        memory[kernel.CENTRE : kernel.INVERSE] = self._elements(centre)
        entries = slice(kernel.TABLE, kernel.TABLE + 2 * (TABLE_POINTS + 1))
        memory[entries] = self._elements(self._multiples(scalar))
        return memory

    def _multiples(self, scalar: int) -> Points:
        """Return scalar G, 2 scalar G, ... for the table, and the stride."""
        xs, ys = _times(self._curve, scalar)
        while len(xs) < TABLE_POINTS:
            last = [xs[-1]] * len(xs), [ys[-1]] * len(ys)
            more = short_weierstrass.add(self._curve, (xs, ys), last)
            xs, ys = xs + more[0], ys + more[1]
        stride = _times(self._curve, scalar * BLOCK_POINTS)
        return xs + stride[0], ys + stride[1]

    def _elements(self, points: Points) -> Words:
        """Return x and y of each point in turn, as a walk's memory holds them."""
        coordinates = [value for point in zip(*points, strict=True) for value in point]
        return _words([(value << MONTGOMERY_BITS) % self._curve.p for value in coordinates])


@cache
def _first_walk(curve: Curve) -> _Walk:
    """Return the smallest index, which every logarithm begins with: a megabyte, kept."""
    return _Walk(curve, FIRST_INDEX)


def _words(values: list[mpz]) -> Words:
    octets = b"".join(int(value).to_bytes(COORDINATE_BYTES, "little") for value in values)
    return np.frombuffer(octets, "<u8").reshape(len(values), -1)


def _times(curve: Curve, scalar: int) -> Points:
    """Return scalar G, for a scalar that the order does not divide."""
    return short_weierstrass.multiply_base(curve, [int(scalar % curve.n)])


def _decompressed(curve: Curve, point: bytes) -> Points:
    x = mpz(int.from_bytes(point[1:], "big"))
    y = short_weierstrass.lift(curve, x)
    if y is None:
        raise ValueError("not a point of the group")
    return [x], [y if y & 1 == point[0] & 1 else curve.p - y]
