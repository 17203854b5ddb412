"""The walk's arithmetic against plain integers, at the words' borders above all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import point_walk
from tests.protocols.base_ot.plain_base_ot import P256, SM2

CURVES = {"SM2": SM2, "P-256": P256}
X, Y, OUT = 5, 6, 7


def rows(*values: int) -> np.ndarray:
    octets = b"".join(value.to_bytes(32, "little") for value in values)
    return np.frombuffer(octets, "<u8").reshape(-1, 4)


def number(row: np.ndarray) -> int:
    return int.from_bytes(row.tobytes(), "little")


def memory_of(p: int, x: int, y: int) -> np.ndarray:
    memory = np.zeros((8, 4), np.uint64)
    memory[point_walk.PRIME] = rows(p)
    memory[X], memory[Y] = rows(x, y)
    return memory


def edges(p: int) -> list[int]:
    words = [2**64 - 1, 2**64, 2**128 - 1, 2**192, 2**255, 2**256 % p]
    return [0, 1, 2, p - 1, p - 2, p // 2, *words, *(p - word for word in words)]


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES.keys())
def test_products_at_the_borders(curve):
    for x in edges(curve.p):
        for y in edges(curve.p):
            memory = memory_of(curve.p, x, y)
            point_walk.multiply_rows(memory.ctypes.data, OUT, X, Y)
            assert number(memory[OUT]) == x * y * pow(2, -256, curve.p) % curve.p


@given(st.sampled_from(sorted(CURVES)), st.integers(0, 2**256), st.integers(0, 2**256))
@settings(max_examples=300, deadline=None)
def test_products_and_inverses(name, x, y):
    p = CURVES[name].p
    x, y = x % p, y % p
    memory = memory_of(p, x, y)
    point_walk.multiply_rows(memory.ctypes.data, OUT, X, Y)
    assert number(memory[OUT]) == x * y * pow(2, -256, p) % p
    if x:
        point_walk.invert(memory, memory.ctypes.data, X)
        # x stands for x / R, and so the inverse is R^2 / x.
        assert number(memory[point_walk.INVERSE]) == pow(2, 512, p) * pow(x, -1, p) % p


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES.keys())
@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_index_holds_every_multiple(curve, count):
    blocks = 5
    multiples, point = [None], None
    for _ in range(4 * count + (2 * count + 1) * blocks):
        point = curve.add(point, curve.g)
        multiples.append(point)

    def element(value: int) -> int:
        return (value << 256) % curve.p

    table = [*multiples[1 : count + 1], multiples[2 * count + 1]]
    memory = np.zeros((point_walk.memory_rows(count), 4), np.uint64)
    memory[point_walk.PRIME] = rows(curve.p)
    memory[1:3] = rows(*map(element, multiples[2 * count]))
    memory[point_walk.TABLE : point_walk.TABLE + 2 * (count + 1)] = rows(
        *(element(value) for entry in table for value in entry)
    )
    index = np.zeros(512, np.uint64)
    point_walk.fill_index(memory, memory.ctypes.data, count, blocks, index)
    reach = 3 * count + (2 * count + 1) * (blocks - 1)
    words = [np.uint64(element(x) % 2**64) for x, _ in multiples[1 : reach + 2]]
    found = [point_walk.find(index, word) for word in words]
    assert found == [*range(1, reach + 1), 0]


def test_equal_words_are_found_past_others():
    """Entries that would share a place, at the index's end too, which is followed by its start."""
    index = np.zeros(8, np.uint64)
    words = [np.uint64(tag << 32 | 7) for tag in (5, 6, 9)]
    for k, word in enumerate(words, 1):
        point_walk.insert(index, word, k)
    assert [point_walk.find(index, word) for word in words] == [1, 2, 3]
    assert point_walk.find(index, np.uint64(8 << 32 | 7)) == 0
    assert np.count_nonzero(index) == 3
