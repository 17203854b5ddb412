"""Convolution and expansion against their definition in Python's integers, and twin to twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import cpu
from protocols.kernels.expand_convolute import MARGIN, allocate, convolve, expand

TWINS = [True] + ([False] if cpu.has(cpu.AVX512) else [])
BY_TWIN = pytest.mark.parametrize("portable", TWINS, ids=lambda p: "portable" if p else "avx512")
WORD = 2**64 - 1


def words_of(seed: int, count: int) -> np.ndarray:
    """Made-up words: a counter through a mixing function (splitmix64)."""
    z = (np.arange(count, dtype=np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def taps_of(seed: int, count: int) -> np.ndarray:
    return words_of(seed, count).astype(np.uint32)


def vector(seed: int, entries: int, width: int) -> np.ndarray:
    made = allocate(entries + MARGIN, width)
    made[:entries] = words_of(seed, entries * width).reshape(entries, width)
    return made


def plain_convolution(x: list[int], taps: list[int]) -> list[int]:
    """By the definition, one word at a time."""
    x, n = list(x), len(x)
    for i in range(n):
        for k in range(1, 25):
            if taps[i] >> (k - 1) & 1:
                x[(i + k) % n] ^= x[i]
        x[(i + 25) % n] ^= x[i] << 1 & WORD ^ (0x1B if x[i] >> 63 else 0)
    return x


@BY_TWIN
@settings(max_examples=15, deadline=None)
@given(eights=st.integers(4, 20), seed=st.integers(0, 2**40))
def test_convolution_is_the_definitions(portable, eights, seed):
    n = 8 * eights
    pairs, words, taps = vector(seed, n, 2), vector(seed + 9, n, 1), taps_of(seed + 5, n)
    columns = [pairs[:n, 0], pairs[:n, 1], words[:n, 0]]
    expected = [plain_convolution(column.tolist(), taps.tolist()) for column in columns]
    alone = pairs.copy()
    convolve(pairs, words, taps, portable=portable)
    assert [column.tolist() for column in columns] == expected
    assert not pairs[n:].any()
    assert not words[n:].any()
    convolve(alone, None, taps, portable=portable)
    assert np.array_equal(alone, pairs)


@BY_TWIN
def test_the_eight_bits_of_a_tap_word_above_the_taps_are_not_used(portable):
    first, second, taps = vector(1, 64, 2), vector(1, 64, 2), taps_of(2, 64)
    convolve(first, None, taps, portable=portable)
    convolve(second, None, taps ^ np.uint32(0xFF000000), portable=portable)
    assert np.array_equal(first, second)


@BY_TWIN
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**40), region=st.tuples(st.integers(0, 90), st.integers(1, 90)))
def test_expansion_is_the_definitions(portable, seed, region):
    start, length = region
    count = 1 + seed % 200
    pairs, words = vector(seed, 200, 2), vector(seed + 1, 200, 1)
    out, out_words = vector(seed + 2, count, 2)[:count], vector(seed + 3, count, 1)[:count]
    random = taps_of(seed + 4, count)
    chosen = [start + (int(word) * length >> 32) for word in random]
    expected, expected_words = out ^ pairs[chosen], out_words ^ words[chosen]
    alone = out.copy()
    where = range(start, start + length)
    expand((out, out_words), (pairs, words), where, random, portable=portable)
    assert np.array_equal(out, expected)
    assert np.array_equal(out_words, expected_words)
    expand((alone, None), (pairs, None), where, random, portable=portable)
    assert np.array_equal(alone, expected)


@BY_TWIN
def test_the_ends_of_a_region_are_within_reach(portable):
    pairs, out = vector(1, 100, 2), allocate(2, 2)
    random = np.array([0, 2**32 - 1], np.uint32)
    expand((out, None), (pairs, None), range(30, 57), random, portable=portable)
    assert np.array_equal(out, pairs[[30, 56]])


@pytest.mark.skipif(len(TWINS) == 1, reason="needs AVX-512")
def test_the_twins_agree_on_long_vectors():
    n = 40_000
    taps, random = taps_of(1, n), taps_of(2, n)
    results = []
    for portable in TWINS:
        pairs, words = vector(3, n, 2), vector(4, n, 1)
        out, out_words = vector(5, n, 2)[:n], vector(6, n, 1)[:n]
        convolve(pairs, words, taps, portable=portable)
        expand((out, out_words), (pairs, words), range(7, n - 9), random, portable=portable)
        results.append((pairs, words, out, out_words))
    for one, other in zip(*results, strict=True):
        assert np.array_equal(one, other)


@BY_TWIN
def test_convolution_is_linear_over_the_field(portable):
    """What justifies compressing shares apart: f(x + y) = f(x) + f(y), and f(s x) = s f(x)."""
    n, taps = 96, taps_of(1, 96)
    x, y = vector(2, n, 2), vector(3, n, 2)
    both, scaled = x ^ y, allocate(n + MARGIN, 2)
    for column in range(2):
        scaled[:n, column] = [times(0x1D872B41, int(word)) for word in x[:n, column]]
    for each in (x, y, both, scaled):
        convolve(each, None, taps, portable=portable)
    assert np.array_equal(both, x ^ y)
    for column in range(2):
        expected = [times(0x1D872B41, int(word)) for word in x[:n, column]]
        assert scaled[:n, column].tolist() == expected


def times(factor: int, value: int) -> int:
    product = 0
    while factor:
        if factor & 1:
            product ^= value
        value, factor = value << 1 & WORD ^ (0x1B if value >> 63 else 0), factor >> 1
    return product


@BY_TWIN
def test_a_tiny_generator_matrix(portable):
    """Columns are the code of unit vectors; their combination is the code of any vector."""
    n, rows = 40, 11
    taps = [taps_of(number, n) for number in range(2)]
    random = [taps_of(10 + number, rows) for number in range(7)]

    def encode(parity: np.ndarray) -> np.ndarray:
        pairs, out = allocate(n + MARGIN, 2), allocate(rows, 2)
        pairs[:n, 0] = parity
        for each in taps:
            convolve(pairs, None, each, portable=portable)
        for number, each in enumerate(random):
            where = range(n * number // 7, n * (number + 1) // 7)
            expand((out, None), (pairs, None), where, each, portable=portable)
        assert not out[:, 1].any()
        return out[:, 0].copy()

    columns = [encode(np.eye(n, dtype=np.uint64)[j]).tolist() for j in range(n)]
    x = words_of(99, n)
    combined = [0] * rows
    for column, value in zip(columns, x.tolist(), strict=True):
        combined = [
            total ^ times(entry, value) for total, entry in zip(combined, column, strict=True)
        ]
    assert encode(x).tolist() == combined
    plain = x.tolist()
    for each in taps:
        plain = plain_convolution(plain, each.tolist())
    for row in range(rows):
        value = 0
        for number, each in enumerate(random):
            start, stop = n * number // 7, n * (number + 1) // 7
            value ^= plain[start + (int(each[row]) * (stop - start) >> 32)]
        assert value == combined[row]


def test_the_fields_generator_has_full_order():
    """The constant tap is x, and x is primitive: its powers are all of the field's units."""
    factors = [3, 5, 17, 257, 641, 65537, 6700417]
    order = 2**64 - 1
    assert np.prod([int(f) for f in factors], dtype=object) == order

    def power(exponent: int) -> int:
        result, base = 1, 2
        while exponent:
            if exponent & 1:
                result = times(result, base)
            base, exponent = times(base, base), exponent >> 1
        return result

    assert power(order) == 1
    assert all(power(order // factor) != 1 for factor in factors)


def test_arrays_of_other_shapes_are_refused():
    pairs, words, taps = vector(1, 64, 2), vector(2, 64, 1), taps_of(3, 64)
    for bad in (
        lambda: convolve(pairs, None, taps[:63], portable=True),
        lambda: convolve(pairs, None, taps[:24], portable=True),
        lambda: convolve(pairs, None, taps.astype(np.uint64), portable=True),
        lambda: convolve(pairs, None, taps[::2], portable=True),
        lambda: convolve(pairs[:80], None, taps, portable=True),
        lambda: convolve(words, None, taps, portable=True),
        lambda: convolve(pairs, words[:80], taps, portable=True),
        lambda: convolve(pairs, pairs, taps, portable=True),
        lambda: convolve(pairs.astype(np.int64), None, taps, portable=True),
        lambda: convolve(np.zeros((200, 2), np.uint64)[::2], None, taps, portable=True),
    ):
        with pytest.raises(ValueError, match=r"taps|vector"):
            bad()
    out, region = vector(4, 64, 2)[:64], range(10, 64)
    for bad in (
        lambda: expand((out, None), (pairs, None), range(10, 97), taps, portable=True),
        lambda: expand((out, None), (pairs, None), range(10, 10), taps, portable=True),
        lambda: expand((out, None), (pairs, None), range(10, 64, 2), taps, portable=True),
        lambda: expand((out, None), (pairs, None), range(-1, 64), taps, portable=True),
        lambda: expand((out, None), (pairs, None), region, taps[:63], portable=True),
        lambda: expand((out[:0], None), (pairs, None), region, taps[:0], portable=True),
        lambda: expand((out, words), (pairs, None), region, taps, portable=True),
        lambda: expand((out, None), (pairs, words), region, taps, portable=True),
        lambda: expand((out, words[:63]), (pairs, words), region, taps, portable=True),
        lambda: expand((words, None), (pairs, None), region, taps, portable=True),
    ):
        with pytest.raises(ValueError, match=r"region|vector|random|words"):
            bad()
