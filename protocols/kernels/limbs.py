"""Products of five-limb numbers in eight lanes, before any reduction.

A number is five vectors, limb k worth 2^(w k) for the field's limb width w of 51 or 52 bits; the
columns of a product keep the low and the high halves of each partial product apart, because what a
high half is worth depends on w.
"""

from __future__ import annotations

from protocols.kernels.lanes import Lanes, Value, constant

LIMBS = 5
ZERO = constant(0)


def products(lanes: Lanes, x: list[Value], y: list[Value]) -> tuple[list[Value], list[Value]]:
    """Return the ten columns of x y: sums of low halves, sums of high halves.

    Column k of the first list is the sum of the low 52 bits of x_i y_j over i + j = k; of the
    second, the sum of the high halves over i + j = k - 1. Limbs must be below 2^52.
    """
    low, high = [ZERO] * (2 * LIMBS), [ZERO] * (2 * LIMBS)
    for i in range(LIMBS):
        for j in range(LIMBS):
            low[i + j] = lanes.multiply_low(low[i + j], x[i], y[j])
            high[i + j + 1] = lanes.multiply_high(high[i + j + 1], x[i], y[j])
    return low, high


def square_products(lanes: Lanes, x: list[Value]) -> tuple[list[Value], list[Value]]:
    """Return :func:`products` of x with itself, in fifteen partial products instead of 25."""
    low, high = [ZERO] * (2 * LIMBS), [ZERO] * (2 * LIMBS)
    for i in range(LIMBS):
        for j in range(i + 1, LIMBS):
            low[i + j] = lanes.multiply_low(low[i + j], x[i], x[j])
            high[i + j + 1] = lanes.multiply_high(high[i + j + 1], x[i], x[j])
    for k in range(2 * LIMBS):
        if low[k] is not ZERO:
            low[k] = lanes.shift_left(low[k], 1)
        if high[k] is not ZERO:
            high[k] = lanes.shift_left(high[k], 1)
    for i in range(LIMBS):
        low[2 * i] = lanes.multiply_low(low[2 * i], x[i], x[i])
        high[2 * i + 1] = lanes.multiply_high(high[2 * i + 1], x[i], x[i])
    return low, high
