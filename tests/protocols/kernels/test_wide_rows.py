"""Long numbers between bytes, words, limbs and windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels.wide_rows import (
    all_below,
    limbs_from_words,
    memory,
    octets_from_words,
    windows_from_words,
    words_from_limbs,
    words_from_octets,
)
from tests.protocols.kernels.wide_numbers import integers_below, needs_ifma

pytestmark = needs_ifma
SHAPES = [(512, 40, 2, 40), (256, 40, 1, 40), (128, 20, 1, 24), (768, 60, 2, 64), (192, 30, 1, 32)]
shapes = pytest.mark.parametrize(("size", "limbs", "digits", "width"), SHAPES)


def numbers(data, size: int) -> list[int]:
    some = data.draw(st.lists(integers_below(1 << 8 * size), max_size=5))
    return [0, 1, (1 << 8 * size) - 1, *some]


def octets(values: list[int], size: int) -> bytes:
    return b"".join(value.to_bytes(size, "big") for value in values)


@shapes
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_limbs_must_hold_the_number_and_give_it_back(size, limbs, digits, width, data):
    values = numbers(data, size)
    words = words_from_octets(octets(values, size), size)
    rows = memory(len(values), digits, width)
    rows[:] = 7
    limbs_from_words(rows, words, limbs, 0, len(values))
    for row, value in zip(rows, values, strict=True):
        assert (row < 1 << 52).all()
        flat = [int(limb) for digit in row for limb in digit[:limbs]]
        assert sum(limb << 52 * k for k, limb in enumerate(flat)) == value
        assert not row[:, limbs:].any()
    back = np.full_like(words, 5)
    words_from_limbs(back, rows, limbs, 0, len(values))
    assert octets_from_words(back) == octets(values, size)


def test_only_the_rows_asked_for_are_written():
    words = words_from_octets(octets([5, 6, 7], 128), 128)
    rows = memory(3, 1, 24)
    limbs_from_words(rows, words, 20, 1, 2)
    assert rows[:, 0, 0].tolist() == [0, 6, 0]


@pytest.mark.parametrize("bits", [1, 3, 5, 8, 9, 16])
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_windows_must_make_up_the_number(bits, data):
    values = numbers(data, 264)
    count = -(-8 * 264 // bits)
    windows = np.full((len(values), count), 3, np.uint16)
    windows_from_words(windows, words_from_octets(octets(values, 264), 264), bits)
    for row, value in zip(windows.tolist(), values, strict=True):
        assert max(row) < 1 << bits
        assert sum(window << bits * k for k, window in enumerate(row)) == value


@given(st.lists(integers_below(1 << 512), min_size=1, max_size=4), integers_below(1 << 512))
@settings(max_examples=50, deadline=None)
def test_numbers_must_be_compared_as_wholes(values, bound):
    words = words_from_octets(octets(values, 64), 64)
    (limit,) = words_from_octets(octets([bound], 64), 64)
    assert all_below(words, limit) == (max(values) < bound)
    assert not all_below(words_from_octets(octets([bound], 64), 64), limit)
