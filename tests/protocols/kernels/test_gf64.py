"""GF(2^64): both twins against polynomials as Python's integers, and the laws of a field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import cpu, gf64
from protocols.kernels.jit import kernel
from tests.protocols.kernels.plain_gf64 import POLYNOMIAL, times

ELEMENTS = st.integers(0, 2**64 - 1)
EDGES = [0, 1, 2, 3, 0x1B, 1 << 63, 2**64 - 1, 0x8000000000000001, 0xAAAAAAAAAAAAAAAA]

has_clmul = cpu.has(cpu.CLMUL | {"vpclmulqdq"})
TWINS = pytest.mark.parametrize(
    "portable",
    [
        True,
        pytest.param(False, marks=pytest.mark.skipif(not has_clmul, reason="needs VPCLMULQDQ")),
    ],
)


@kernel
def _each_clmul(x: Any, y: Any, out: Any) -> None:
    for i in range(len(x)):
        out[i] = gf64.multiply_clmul(x[i], y[i])


@kernel
def _each_portable(x: Any, y: Any, out: Any) -> None:
    for i in range(len(x)):
        out[i] = gf64.multiply_portable(x[i], y[i])


def words(numbers: list[int]) -> np.ndarray:
    return np.array(numbers, dtype=np.uint64)


def products(x: list[int], y: list[int], *, portable: bool) -> list[int]:
    out = np.empty(len(x), np.uint64)
    (_each_portable if portable else _each_clmul)(words(x), words(y), out)
    return out.tolist()


def test_the_polynomial_is_irreducible():
    """x^(2^64) = x, and x^(2^32) - x shares no factor with it: a field of 2^64 (Rabin's test)."""
    power = 2
    for exponent in range(1, 65):
        power = times(power, power)
        if exponent == 32:
            low, high = power ^ 2, POLYNOMIAL
            while low:
                while high.bit_length() >= low.bit_length():
                    high ^= low << high.bit_length() - low.bit_length()
                low, high = high, low
            assert high == 1
    assert power == 2


@TWINS
def test_products_of_edges_are_the_polynomials(portable):
    x = [value for value in EDGES for _ in EDGES]
    y = EDGES * len(EDGES)
    assert products(x, y, portable=portable) == list(map(times, x, y))


@TWINS
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_products_are_the_polynomials(portable, data):
    pairs = data.draw(st.lists(st.tuples(ELEMENTS, ELEMENTS), min_size=1, max_size=40))
    x, y = map(list, zip(*pairs, strict=True))
    assert products(x, y, portable=portable) == list(map(times, x, y))


@TWINS
@given(factor=ELEMENTS, values=st.lists(ELEMENTS, max_size=150), before=ELEMENTS)
@settings(max_examples=25, deadline=None)
def test_scaling_adds_the_products(portable, factor, values, before):
    out = words([before] * len(values))
    gf64.scale_into(factor, words(values), out, portable=portable)
    assert out.tolist() == [before ^ times(factor, value) for value in values]


@TWINS
def test_scaling_reaches_no_word_beyond(portable):
    for length in range(70):
        room = np.zeros(length + 2, np.uint64)
        ones = np.ones(length, np.uint64)
        gf64.scale_into(7, ones, room[1:-1], portable=portable)
        assert room.tolist() == [0, *[7] * length, 0]


@TWINS
@given(x=ELEMENTS, y=ELEMENTS, z=ELEMENTS)
@settings(max_examples=25, deadline=None)
def test_the_laws_of_a_ring_hold(portable, x, y, z):
    def times_(a: int, b: int) -> int:
        return products([a], [b], portable=portable)[0]

    assert times_(x, y) == times_(y, x)
    assert times_(x, times_(y, z)) == times_(times_(x, y), z)
    assert times_(x, y ^ z) == times_(x, y) ^ times_(x, z)
    assert times_(x, 1) == x


@TWINS
@given(x=st.integers(1, 2**64 - 1))
@settings(max_examples=10, deadline=None)
def test_every_element_but_zero_has_an_inverse(portable, x):
    inverse, power = 1, x  # x^(2^64 - 2)
    for _ in range(63):
        power = products([power], [power], portable=portable)[0]
        inverse = products([inverse], [power], portable=portable)[0]
    assert products([x], [inverse], portable=portable) == [1]


def test_arrays_of_other_shapes_are_refused():
    eight = np.zeros(8, np.uint64)
    for values, out in ((eight, eight[:7]), (eight[::2], np.zeros(4, np.uint64))):
        with pytest.raises(ValueError, match="values and out must be"):
            gf64.scale_into(1, values, out, portable=True)
