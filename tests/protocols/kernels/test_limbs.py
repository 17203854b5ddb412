"""Products in eight lanes against Python's integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types

from protocols.kernels import cpu
from protocols.kernels.jit import intrinsic
from protocols.kernels.lanes import LANES, Lanes
from protocols.kernels.limbs import LIMBS, products, square_products

pytestmark = pytest.mark.skipif(not cpu.has(cpu.IFMA), reason="needs AVX-512 IFMA")

COLUMNS = 2 * LIMBS


@intrinsic
def multiply_columns(_context, base):
    def emit(_, builder, __, arguments):
        from llvmlite import ir

        lanes = Lanes(builder)
        slot = [ir.Constant(ir.IntType(64), k) for k in range(10)]
        x, y = lanes.load(arguments[0], slot[0], LIMBS), lanes.load(arguments[0], slot[1], LIMBS)
        for pair, at in ((products(lanes, x, y), 2), (square_products(lanes, x), 6)):
            for columns, place in zip(pair, (at, at + 2), strict=True):
                lanes.store(arguments[0], slot[place], columns[:LIMBS])
                lanes.store(arguments[0], slot[place + 1], columns[LIMBS:])
        return ir.Constant(ir.IntType(64), 0)

    return types.int64(types.intp), emit


def run(table: np.ndarray) -> None:
    import numba

    @numba.njit
    def call(base):
        multiply_columns(base)

    call(table.ctypes.data)


def aligned(vectors: int) -> np.ndarray:
    raw = np.zeros(vectors * 64 + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + vectors * 64].view(np.uint64).reshape(vectors, LANES)


@settings(max_examples=3, deadline=None)
@given(st.lists(st.integers(0, 2**52 - 1), min_size=80, max_size=80))
def test_columns_sum_to_the_product(values):
    table = aligned(50)
    table[:10] = np.array(values, dtype=np.uint64).reshape(10, LANES)
    run(table)
    for lane in range(LANES):
        x, y = (sum(int(table[at + k, lane]) << 52 * k for k in range(LIMBS)) for at in (0, LIMBS))
        for at, expected in ((10, x * y), (30, x * x)):
            low = sum(int(table[at + k, lane]) << 52 * k for k in range(COLUMNS))
            high = sum(int(table[at + COLUMNS + k, lane]) << 52 * k for k in range(COLUMNS))
            assert low + high == expected
