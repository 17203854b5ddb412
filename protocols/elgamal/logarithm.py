"""Small discrete logarithms: the number m, below a bound, of a point m G.

Baby-step giant-step (D. Shanks, "Class number, a theory of factorization, and genera", Proc. Symp.
Pure Math. 20 (1971)) with x-coordinates, which a point shares with its opposite: an index of i G
for 1 <= i <= t finds m = c + i and m = c - i at once in m G - c G. Small numbers are tried first,
with a small index, and larger ones with one four times as large: time and memory grow with the
square root of m, up to ``LARGEST_INDEX``. So the time tells the size of m to whoever watches it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from protocols.suite import PointGroup, Words

TABLE_POINTS = 512
"""Points on either side of a centre: they share its inversion."""
BLOCK_POINTS = 2 * TABLE_POINTS + 1
FIRST_INDEX = 1 << 14
LARGEST_INDEX = 1 << 22
GROWTH = 4
BLOCKS_AT_A_TIME = 1 << 16
MAX_BOUND = 1 << 48


@dataclass(frozen=True, slots=True)
class Equation:
    """y^2 = x^3 - 3x + b modulo p, which is 3 modulo 4 and -1 modulo 2^64."""

    p: int
    b: int

    def coordinates(self, point: bytes) -> tuple[int, int]:
        """Return x and y of a compressed point of the group."""
        x = int.from_bytes(point[1:], "big")
        y = pow(x**3 - 3 * x + self.b, (self.p + 1) // 4, self.p)
        return x, y if y & 1 == point[0] & 1 else self.p - y


EQUATIONS = {
    "SM2": Equation(
        p=0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF,
        b=0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
    ),
    "P-256": Equation(
        p=0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
}
"""Of the groups by name: GB/T 32918.5-2017, and NIST SP 800-186 §3.2.1.3."""


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
    tried, length = 0, FIRST_INDEX
    while tried < bound:
        walk = _Walk(group, length)
        # About 4 length steps, each 2 length + 1 wide: a step takes less time than an entry of the
        # index. The largest index serves for all that is left.
        last = length == LARGEST_INDEX
        end = bound if last else min(bound, tried + 8 * length * length)
        for candidate in walk.candidates(point, tried, end):
            if 0 < candidate < bound and _times(group, candidate) == point:
                return candidate
        tried, length = end, min(GROWTH * length, LARGEST_INDEX)
    return None


class _Walk:
    """An index of i G for all i up to ``reach``, and how to look points up in it."""

    def __init__(self, group: PointGroup, length: int) -> None:
        from protocols.kernels import point_walk  # noqa: PLC0415 - loads numba

        self._kernel = point_walk
        self._group = group
        self._equation = EQUATIONS[group.name]
        blocks = -(-(length - TABLE_POINTS) // BLOCK_POINTS)
        first_centre = 2 * TABLE_POINTS
        self.reach = first_centre + BLOCK_POINTS * (blocks - 1) + TABLE_POINTS
        # A power of two, so that it is at most two thirds full.
        self._index = np.zeros(1 << (self.reach * 3 // 2).bit_length(), np.uint64)
        memory = self._memory(1, _times(group, first_centre))
        point_walk.fill_index(memory, memory.ctypes.data, TABLE_POINTS, blocks, self._index)

    def candidates(self, target: bytes, start: int, end: int) -> Iterator[int]:
        """Yield the number of ``target`` if it is in [start, end), and others by chance."""
        width = 2 * self.reach + 1
        stride = width * BLOCK_POINTS
        # The first block begins at ``start``.
        middle = start + stride // 2
        opposite = _times(self._group, -middle)
        if opposite[1:] == target[1:]:
            yield middle  # or it is -middle, which is not in the range
            return
        memory = self._memory(-width, self._group.add(target, opposite))
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

    def _memory(self, scalar: int, centre: bytes) -> Words:
        """Return memory for a walk from ``centre`` with a table of multiples of scalar G."""
        kernel, group = self._kernel, self._group
        memory = np.zeros((kernel.memory_rows(TABLE_POINTS), kernel.WORDS), np.uint64)
        memory[kernel.PRIME] = kernel.words([self._equation.p])
        stride = kernel.TABLE + 2 * TABLE_POINTS
        for row, point in (
            (kernel.TABLE, _times(group, scalar)),
            (kernel.CENTRE, _times(group, 2 * scalar)),
            (stride, _times(group, BLOCK_POINTS * scalar)),
        ):
            memory[row : row + 2] = self._elements(point)
        kernel.fill_table(memory, memory.ctypes.data, TABLE_POINTS)
        memory[kernel.CENTRE : kernel.CENTRE + 2] = self._elements(centre)
        return memory

    def _elements(self, point: bytes) -> Words:
        """Return x and y as a walk's memory holds them."""
        coordinates: Sequence[int] = self._equation.coordinates(point)
        p, shift = self._equation.p, self._kernel.MONTGOMERY_BITS
        return self._kernel.words([(value << shift) % p for value in coordinates])


def _times(group: PointGroup, scalar: int) -> bytes:
    """Return scalar G, for a scalar that the order does not divide."""
    return group.multiply_base([scalar % group.order])
