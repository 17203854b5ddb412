"""Every product of the wide kernels against Python's integers, with factors at their bounds."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels.lanes import LANES
from protocols.kernels.wide_digits import scale, subtract, subtract_once
from protocols.kernels.wide_montgomery import (
    LIMB_BITS,
    digit_product,
    digit_products_sum,
    integer_product,
    linear_2,
    linear_4,
    pair_product,
    short_product,
)
from protocols.kernels.wide_rows import address, memory
from tests.protocols.kernels.wide_numbers import FULL_LIMB, integers_below, needs_ifma

pytestmark = needs_ifma
sizes = pytest.mark.parametrize("limbs", [10, 20, 30, 40, 60])
SPREAD = 64  # factors are below so many times N


def modulus_of(limbs: int) -> int:
    """The largest modulus that so many limbs may hold, all ones."""
    return (1 << (LIMB_BITS * limbs - 16)) - 1


def eight(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[list[int]]:
    """Eight numbers, of which two are drawn: more would be too much for Hypothesis."""
    return st.lists(numbers, min_size=2, max_size=2).map(lambda two: two * (LANES // 2))


class Packed:
    """Digits of eight lanes in one array, by number."""

    def __init__(self, limbs: int, count: int) -> None:
        self.limbs = limbs
        self.array = memory(count, limbs + 1, LANES)
        self.array[:] = 99

    def put(self, slot: int, values: list[int], first: int = 0) -> None:
        for lane, value in enumerate(values):
            for k in range(self.limbs):
                self.array[slot, first + k, lane] = value >> LIMB_BITS * k & FULL_LIMB

    def get(self, slot: int) -> list[int]:
        limbs = self.array[slot, : self.limbs]
        assert (limbs <= FULL_LIMB).all()
        return [
            sum(int(limbs[k, lane]) << LIMB_BITS * k for k in range(self.limbs))
            for lane in range(LANES)
        ]

    def put_modulus(self, slot: int, n: int) -> None:
        self.array[slot, 0] = -pow(n, -1, 1 << LIMB_BITS) % (1 << LIMB_BITS)
        self.put(slot, [n] * LANES, first=1)


@numba.njit
def run_products(packed, limbs):
    """Slot 0 is the modulus, 1 to 12 are operands, the results follow."""
    base, size = address(packed), packed.shape[1] * 64
    m, x, y, a, d = base, base + size, base + 2 * size, base + 3 * size, base + 4 * size
    out = base + 13 * size
    digit_product(out, x, a, m, limbs)
    digit_products_sum(out + size, x, a, y, d, m, limbs)
    short_product(out + 2 * size, out + 3 * size, x, y, a, m, limbs)
    pair_product(out + 4 * size, out + 5 * size, x, y, a, d, m, limbs)
    integer_product(out + 6 * size, out + 7 * size, x, a, y, limbs)
    # In place, and an operand used twice.
    pair_product(x, y, x, y, x, y, m, limbs)


@numba.njit
def run_linear(packed, limbs):
    base, size = address(packed), packed.shape[1] * 64
    k = base + 5 * size
    out = base + 13 * size
    linear_2(
        out, out + size, base + size, base + 2 * size,
        k, k + size, k + 2 * size, k + 3 * size, base, limbs,
    )  # fmt: skip
    linear_4(
        out + 2 * size, out + 3 * size,
        base + size, base + 2 * size, base + 3 * size, base + 4 * size,
        k, k + size, k + 2 * size, k + 3 * size,
        k + 4 * size, k + 5 * size, k + 6 * size, k + 7 * size, base, limbs,
    )  # fmt: skip


@sizes
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_products_must_be_those_of_the_integers(limbs, data):
    n = data.draw(st.sampled_from([modulus_of(limbs), modulus_of(limbs) // 3 | 1, 3]))
    r = 1 << LIMB_BITS * limbs
    bound = min(SPREAD * n, r)
    factors = integers_below(bound)
    x, y, a, d = (data.draw(eight(factors)) for _ in range(4))
    # The first lane has the largest factors there are.
    x[0] = y[0] = a[0] = d[0] = bound - 1
    packed = Packed(limbs, 21)
    packed.put_modulus(0, n)
    for slot, values in enumerate((x, y, a, d), 1):
        packed.put(slot, values)
    run_products(packed.array, limbs)
    out = [packed.get(slot) for slot in range(13, 21)]
    r_inverse = pow(r, -1, n * n)
    for lane in range(LANES):
        x_, y_, a_, d_ = x[lane], y[lane], a[lane], d[lane]
        digit, total, s0, s1, p0, p1, low, high = (slot[lane] for slot in out)
        assert digit % n == x_ * a_ * r_inverse % n
        assert total % n == (x_ * a_ + y_ * d_) * r_inverse % n
        assert (s0 + n * s1) % n**2 == (x_ + n * y_) * a_ * r_inverse % n**2
        pair = (x_ + n * y_) * (a_ + n * d_) * r_inverse % n**2
        assert (p0 + n * p1) % n**2 == pair
        assert low + r * high == x_ * a_ + y_
        for lower, upper in ((digit, s1), (total, p1), (s0, p1), (p0, s1)):
            # The bounds of the module's docstring: 9/8 N and 25/8 N.
            assert 8 * lower <= 9 * n
            assert 8 * upper <= 25 * n
        square = packed.get(1)[lane] + n * packed.get(2)[lane]
        assert square % n**2 == (x_ + n * y_) ** 2 * r_inverse % n**2


@sizes
@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_linear_maps_must_take_digits_up_to_r(limbs, data):
    n, r = modulus_of(limbs), 1 << LIMB_BITS * limbs
    digits = [data.draw(eight(integers_below(r))) for _ in range(4)]
    constants = data.draw(eight(integers_below(n)))
    for values in digits:
        values[0] = r - 1
    packed = Packed(limbs, 17)
    packed.put_modulus(0, n)
    for slot, values in enumerate(digits, 1):
        packed.put(slot, values)
    for slot, value in enumerate(constants, 5):
        packed.put(slot, [value] * LANES)
    run_linear(packed.array, limbs)
    r_inverse = pow(r, -1, n * n)
    pairs = [low + n * high for low, high in zip(constants[::2], constants[1::2], strict=True)]
    for count, slot in ((2, 13), (4, 15)):
        low, high = packed.get(slot), packed.get(slot + 1)
        for lane in range(LANES):
            expected = sum(digits[i][lane] * pairs[i] for i in range(count)) * r_inverse
            assert (low[lane] + n * high[lane] - expected) % n**2 == 0
            assert low[lane] <= 5 * n
            assert high[lane] <= 7 * n


@numba.njit
def run_steps(packed, limbs, multiple, small):
    base, size = address(packed), packed.shape[1] * 64
    scale(base + 4 * size, base + size, 2, limbs)
    subtract(base + 5 * size, base + size, base + 2 * size, multiple, small, base, limbs)
    subtract_once(base + 6 * size, base + size, base + 3 * size, base + 7 * size, base, limbs)


@sizes
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_steps_between_products_must_be_those_of_the_integers(limbs, data):
    n = modulus_of(limbs)
    x, y = (data.draw(eight(integers_below(3 * n))) for _ in range(2))
    x[:3] = [n - 1, n, 0]
    added = [1, 0] * 4
    packed = Packed(limbs, 8)
    packed.put_modulus(0, n)
    for slot, values in ((1, x), (2, y), (3, added)):
        packed.put(slot, values)
    run_steps(packed.array, limbs, np.int64(4), np.int64(2))
    assert packed.get(4) == [2 * value for value in x]
    assert packed.get(5) == [a - b + 4 * n - 2 for a, b in zip(x, y, strict=True)]
    raised = [a + more for a, more in zip(x, added, strict=True)]
    assert packed.get(1) == [value - n if value >= n else value for value in raised]
    assert packed.array[6, 0].tolist() == [int(value >= n) for value in raised]
