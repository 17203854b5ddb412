"""Words: the quantisation error, exact integers in limbs, what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalProtocolError
from protocols.secure_aggregation import dequantise, from_limbs, limbs, quantise

bits = st.integers(17, 40)


@given(
    values=st.lists(st.floats(-2, 2, allow_nan=False), min_size=1, max_size=20),
    bound=st.floats(0.001, 1000),
    value_bits=bits,
)
@settings(max_examples=80, deadline=None)
def test_a_word_is_in_range_and_within_half_a_step(values, bound, value_bits):
    words = quantise(np.array(values), bound, value_bits)
    largest = (1 << (value_bits - 1)) - 1
    assert np.abs(words).max() <= largest
    step = Fraction(bound) / largest
    for value, word in zip(values, words.tolist(), strict=True):
        clipped = min(max(Fraction(value), -Fraction(bound)), Fraction(bound))
        # A hair more than half a step: the division itself is rounded to a float64.
        assert abs(word * step - clipped) <= step * (Fraction(1, 2) + Fraction(1, 2**10))


@given(words=st.lists(st.integers(-(2**39), 2**39), min_size=1, max_size=20), value_bits=bits)
@settings(max_examples=50, deadline=None)
def test_dequantise_is_the_inverse_scaling(words, value_bits):
    values = dequantise(np.array(words, dtype=np.int64), 3.0, value_bits)
    exact = [Fraction(3 * word, (1 << (value_bits - 1)) - 1) for word in words]
    assert np.allclose(values, [float(value) for value in exact], rtol=1e-15, atol=0)


def test_both_bounds_are_reached_and_zero_is_zero():
    words = quantise(np.array([-9.0, -1.0, 0.0, 1.0, 9.0]), 1.0, 24)
    assert words.tolist() == [-(2**23 - 1), -(2**23 - 1), 0, 2**23 - 1, 2**23 - 1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    with pytest.raises(LocalProtocolError, match="not finite"):
        quantise(np.array([0.0, value]), 1.0, 24)


@pytest.mark.parametrize(("bound", "value_bits"), [(0.0, 24), (-1.0, 24), (np.inf, 24), (1.0, 16)])
def test_unusable_bounds_and_widths_are_refused(bound, value_bits):
    with pytest.raises(LocalProtocolError):
        quantise(np.zeros(1), bound, value_bits)


@given(
    rows=st.lists(
        st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3), min_size=1, max_size=100
    )
)
@settings(max_examples=50, deadline=None)
def test_the_sum_of_limbs_is_the_sum_of_integers(rows):
    words = [limbs(row, 4) for row in rows]
    assert all(np.abs(each).max() < 1 << 16 for each in words)
    summed = from_limbs(np.sum(words, axis=0), 4)
    assert summed == [sum(column) for column in zip(*rows, strict=True)]


def test_limbs_are_lowest_first_and_the_highest_has_the_sign():
    assert limbs([0x1_0002, -1], 2).tolist() == [2, 1, 0xFFFF, -1]
    assert from_limbs(np.array([0xFFFF, -1]), 2) == [-1]


def test_integers_that_do_not_fit_and_words_that_are_no_limbs_are_refused():
    for integer in (2**31, -(2**31) - 1):
        with pytest.raises(LocalProtocolError, match="32 bits"):
            limbs([integer], 2)
    with pytest.raises(LocalProtocolError, match="2 limbs"):
        from_limbs(np.zeros(3, np.int64), 2)
    with pytest.raises(LocalProtocolError, match="at least one limb"):
        limbs([1], 0)
