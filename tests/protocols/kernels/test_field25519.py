"""Arithmetic modulo 2^255 - 19 in eight lanes against Python's integers."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import ir

from protocols.kernels import cpu, field25519
from protocols.kernels.field25519 import ELEMENT_WORDS, LIMB_BITS, P, work_area
from protocols.kernels.lanes import I64, LANES
from protocols.kernels.limbs import LIMBS

pytestmark = pytest.mark.skipif(not cpu.has(cpu.IFMA), reason="needs AVX-512 IFMA")

TIGHT = 2**51 + 2**18
WIDE = 267 * 2**52
SLOTS = 16
LIMB_EDGES = [0, 1, 18, 19, 2**51 - 20, 2**51 - 19, 2**51 - 1, 2**51, TIGHT - 1]
limbs = st.one_of(st.sampled_from(LIMB_EDGES), st.integers(0, TIGHT - 1))
elements = st.lists(limbs, min_size=ELEMENT_WORDS, max_size=ELEMENT_WORDS)
numbers = st.one_of(
    st.sampled_from([0, 1, 2, 19, P - 1, P, P + 1, 2 * P - 1, 2**255 - 1, 2**255, 2**256 - 1]),
    st.integers(0, 2**256 - 1),
)


def put(work: np.ndarray, slot: int, words: list[int]) -> None:
    work[ELEMENT_WORDS * slot : ELEMENT_WORDS * (slot + 1)] = words


def limbs_of(work: np.ndarray, slot: int) -> np.ndarray:
    words = work[ELEMENT_WORDS * slot : ELEMENT_WORDS * (slot + 1)]
    return words.reshape(LIMBS, LANES)


def values(work: np.ndarray, slot: int) -> list[int]:
    columns = limbs_of(work, slot)
    return [
        sum(int(columns[k, lane]) << LIMB_BITS * k for k in range(LIMBS)) for lane in range(LANES)
    ]


def area(*given_elements: list[int]) -> np.ndarray:
    work = work_area(SLOTS)
    work[:] = 2**64 - 1
    for slot, words in enumerate(given_elements):
        put(work, slot, words)
    return work


@given(elements, elements)
@settings(max_examples=60, deadline=None)
def test_operations_match_integers(x, y):
    work = area(x, y)
    base = work.ctypes.data
    left, right = values(work, 0), values(work, 1)
    field25519.multiply(base, 2, 0, 1)
    field25519.square(base, 3, 0)
    field25519.add(base, 4, 0, 1)
    field25519.subtract(base, 5, 0, 1)
    field25519.copy(base, 6, 1)
    expected = {
        2: [a * b for a, b in zip(left, right, strict=True)],
        3: [a * a for a in left],
        4: [a + b for a, b in zip(left, right, strict=True)],
        5: [a - b for a, b in zip(left, right, strict=True)],
        6: right,
    }
    for slot, numbers_ in expected.items():
        assert [v % P for v in values(work, slot)] == [v % P for v in numbers_]
        assert int(limbs_of(work, slot).max()) < TIGHT
    assert (values(work, 0), values(work, 1)) == (left, right)
    field25519.multiply(base, 0, 0, 1)  # in place
    field25519.square(base, 1, 1)
    assert [v % P for v in values(work, 0)] == [a * b % P for a, b in zip(left, right, strict=True)]
    assert [v % P for v in values(work, 1)] == [b * b % P for b in right]


@field25519.operation
def _wide(lanes, base):
    """Products as they are, and what is made of sums and differences of products."""

    def load(slot):
        return lanes.load(base, ir.Constant(I64, slot), LIMBS)

    def store(slot, element):
        lanes.store(base, ir.Constant(I64, slot), element)

    x, y, z = load(0), load(1), load(2)
    xy, zz = field25519.product(lanes, x, y), field25519.squared(lanes, z)
    store(3, xy)
    store(4, zz)
    store(5, field25519.plus(lanes, xy, zz))
    store(6, field25519.minus(lanes, xy, zz))
    store(7, field25519.minus(lanes, x, zz))
    store(8, field25519.plus_multiple(lanes, x, 2**20 - 1, y))


@numba.njit
def wide(base):
    _wide(base)


@given(elements, elements, elements)
@settings(max_examples=60, deadline=None)
def test_bounds_are_those_stated(x, y, z):
    work = area(x, y, z)
    wide(work.ctypes.data)
    a, b, c = (values(work, slot) for slot in range(3))
    expected = {
        3: [i * j for i, j in zip(a, b, strict=True)],
        4: [k * k for k in c],
        5: [i * j + k * k for i, j, k in zip(a, b, c, strict=True)],
        6: [i * j - k * k for i, j, k in zip(a, b, c, strict=True)],
        7: [i - k * k for i, k in zip(a, c, strict=True)],
        8: [i + (2**20 - 1) * j for i, j in zip(a, b, strict=True)],
    }
    for slot, numbers_ in expected.items():
        assert [v % P for v in values(work, slot)] == [v % P for v in numbers_]
        assert int(limbs_of(work, slot).max()) < (WIDE if slot in (3, 4) else TIGHT)


def test_the_largest_limbs_stay_within_the_bounds():
    top = [2**52 - 1] * ELEMENT_WORDS  # all that IFMA reads
    work = area(top, top, top)
    wide(work.ctypes.data)
    for slot in (3, 4):
        assert WIDE // 2 < int(limbs_of(work, slot).max()) < WIDE
    for slot in (5, 6, 7, 8):
        assert int(limbs_of(work, slot).max()) < TIGHT
    (square,) = set(values(work, 4))
    assert square % P == sum((2**52 - 1) << LIMB_BITS * k for k in range(LIMBS)) ** 2 % P
    work = area([2**64 - 1] * ELEMENT_WORDS)
    carried(work.ctypes.data)
    assert int(limbs_of(work, 1).max()) < TIGHT
    assert values(work, 1)[0] % P == sum((2**64 - 1) << LIMB_BITS * k for k in range(LIMBS)) % P


@field25519.operation
def _carried(lanes, base):
    x = lanes.load(base, ir.Constant(I64, 0), LIMBS)
    lanes.store(base, ir.Constant(I64, 1), field25519.carry(lanes, x))


@numba.njit
def carried(base):
    _carried(base)


def rows_of(numbers_: list[int], width: int = 32) -> np.ndarray:
    data = b"".join(number.to_bytes(width, "little") for number in numbers_)
    return np.frombuffer(data, np.uint64).reshape(len(numbers_), width // 8)


@given(st.lists(numbers, min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_numbers_are_loaded_and_stored_canonically(given_numbers):
    rows = rows_of(given_numbers)
    written = np.full_like(rows, 7)
    zeros = 0
    work = area()
    for first in range(0, len(rows), LANES):
        field25519.load(work, 0, rows, first)
        assert int(limbs_of(work, 0).max()) < 2**51
        zeros += field25519.store(work, 0, written, first, 2)
    expected = [number % 2**255 % P for number in given_numbers]
    assert [int.from_bytes(row.tobytes(), "little") for row in written] == expected
    assert zeros == expected.count(0)


@given(elements)
@settings(max_examples=60, deadline=None)
def test_any_tight_element_is_stored_canonically(x):
    work = area(x)
    rows = np.empty((LANES, 4), np.uint64)
    field25519.store(work, 0, rows, 0, 1)
    expected = [value % P for value in values(work, 0)]
    assert [int.from_bytes(row.tobytes(), "little") for row in rows] == expected
    field25519.canonical_words(work, 1, 0)
    words = work[ELEMENT_WORDS : ELEMENT_WORDS + 4 * LANES].reshape(4, LANES)
    assert (rows == words.T).all()


@given(st.lists(st.integers(0, 2**384 - 1), min_size=1, max_size=9))
@settings(max_examples=60, deadline=None)
def test_uniform_numbers_are_reduced(given_numbers):
    rows = rows_of([*given_numbers, 2**384 - 1], 48)
    work = area()
    for first in range(0, len(rows), LANES):
        field25519.load_uniform(work, 0, rows, first)
        assert int(limbs_of(work, 0).max()) < TIGHT
        there = [int.from_bytes(row.tobytes(), "little") for row in rows[first : first + LANES]]
        padded = there + there[-1:] * (LANES - len(there))
        assert [value % P for value in values(work, 0)] == [number % P for number in padded]


def exponent(steps: np.ndarray) -> int:
    registers = {0: 1}
    for out, a, times, b in steps.tolist():
        assert times == 0 or b != out
        registers[out] = (registers[a] << times) + (registers[b] if b >= 0 else 0)
    assert set(registers) <= set(range(field25519.POWER_REGISTERS + 1))
    return registers[1]


def test_the_steps_raise_to_the_powers_stated():
    assert exponent(field25519.INVERSE) == P - 2
    assert exponent(field25519.CHARACTER) == (P - 1) // 2


@given(elements, elements)
@settings(max_examples=10, deadline=None)
def test_powers_match_integers(x, y):
    work = area(x, y)
    bases = values(work, 0) + values(work, 1)
    for steps, power in ((field25519.INVERSE, P - 2), (field25519.CHARACTER, (P - 1) // 2)):
        field25519.power(work.ctypes.data, steps, 0, 2, 2)
        found = [value % P for value in values(work, 2) + values(work, 3)]
        assert found == [pow(number, power, P) for number in bases]
        assert values(work, 0) + values(work, 1) == bases


@pytest.mark.parametrize("number", [0, 1, 486662, 2**51 - 1])
def test_a_constant_fills_all_lanes(number):
    work = area()
    field25519.fill(work.ctypes.data, 3, number)
    assert values(work, 3) == [number] * LANES


def test_work_areas_are_aligned():
    areas = [work_area(slots) for slots in range(1, 20)]
    assert all(work.ctypes.data % 64 == 0 for work in areas)
    assert [len(work) for work in areas] == [ELEMENT_WORDS * slots for slots in range(1, 20)]
