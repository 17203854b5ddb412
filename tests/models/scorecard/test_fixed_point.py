"""Shares: what shortening does to them, and that every bound of SPEC.md §4 holds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.scorecard.fixed_point import (
    CUBIC_SLOPE,
    STEP_BITS,
    WRAP_BITS,
    FixedPoint,
    batch_count,
    batches,
    centred,
    drop_bits,
    shorten,
    whole,
)
from models.scorecard.gradients import gradient_packing
from models.scorecard.predictors import predictor_slots
from models.scorecard.regression import SHARE_BYTES
from models.scorecard.residuals import cube_slots
from tests.models.scorecard.training import PUBLIC_SEED, SUITE, options, stream

RING = 90


def _shared(numbers, share, ring=RING):
    first = whole([share] * len(numbers))
    return first, (whole(numbers) - first) & ((1 << ring) - 1)


@given(st.integers(-(1 << 45), 1 << 45), st.integers(0, (1 << RING) - 1), st.integers(1, 30))
def test_dropped_bits_must_cost_a_unit_at_most(number, share, bits):
    first, second = _shared([number], share)
    total = drop_bits(first, bits, RING) + drop_bits(second, bits, RING)
    error = centred(total, RING - bits)[0] * (1 << bits) - number
    assert abs(error) <= 1 << bits


@given(st.integers(-(1 << 45), 1 << 45), st.integers(1 << 46, (1 << RING) - 1 - (1 << 46)))
def test_a_shortened_number_must_be_off_by_less_than_a_unit_in_any_ring(number, share):
    first, second = _shared([number], share)
    total = shorten(first, 20, RING, first=True) + shorten(second, 20, RING, first=False)
    assert abs(total[0] * (1 << 20) - number) < 1 << 20


def test_shortening_must_be_right_on_average():
    numbers = [12_345_678] * 2000
    shares = whole([stream(b"shares", n).below(1 << RING) for n in range(2000)])
    other = (whole(numbers) - shares) & ((1 << RING) - 1)
    exact = numbers[0] / (1 << 12)
    for sums in (
        shorten(shares, 12, RING, first=True) + shorten(other, 12, RING, first=False),
        centred(drop_bits(shares, 12, RING) + drop_bits(other, 12, RING), RING - 12),
    ):
        assert abs(np.mean(sums.astype(float)) - exact) < 0.05


def test_zero_shared_as_zeros_must_stay_zero():
    zeros = whole([0, 0])
    total = shorten(zeros, 8, RING, first=True) + shorten(zeros, 8, RING, first=False)
    assert total.tolist() == [0, 0]


def test_every_ring_must_fit_its_key_and_its_storage():
    for rows in (2, 64, 1000, 24_000, 1_000_000):
        for sigmoid in ("linear", "cubic"):
            fixed = FixedPoint.of(rows, options(sigmoid=sigmoid, batch_rows=1_000_000))
            assert fixed.predictor_ring <= 8 * SHARE_BYTES
            largest_step = fixed.step_fraction + STEP_BITS
            assert fixed.residual_ring - 1 - largest_step >= WRAP_BITS
            for columns in (1, 30, 1000):
                for bits in (2048, 3072):
                    assert predictor_slots(fixed, columns, bits).slots >= 1
                    assert gradient_packing(fixed, columns, bits).rows >= 1
                    assert cube_slots(fixed, bits).slots >= 1


def test_the_shares_of_a_linear_and_a_cubic_residual_must_end_in_one_ring():
    for sigmoid in ("linear", "cubic"):
        fixed = FixedPoint.of(5000, options(sigmoid=sigmoid))
        if sigmoid == "linear":
            assert fixed.predictor_ring - fixed.linear_dropped == fixed.residual_ring
        else:
            assert fixed.cubic_ring - fixed.cubic_dropped == fixed.residual_ring


def test_the_cubic_approximation_must_be_as_good_as_stated():
    z = np.linspace(-5, 5, 100_001)
    approximation = 0.5 + CUBIC_SLOPE / 256 * z - z**3 / 256
    error = np.abs(approximation - 1 / (1 + np.exp(-z))).max()
    assert 0.0456 < error < 0.0457


def test_batches_must_take_every_row_once_and_differ_by_one_at_most():
    opts = options(batch_rows=150)
    taken = batches(400, 1, options=opts, suite=SUITE, public_seed=PUBLIC_SEED)
    assert len(taken) == batch_count(400, opts) == 3
    assert sorted(np.concatenate(taken).tolist()) == list(range(400))
    assert {len(rows) for rows in taken} == {133, 134}
    again = batches(400, 2, options=opts, suite=SUITE, public_seed=PUBLIC_SEED)
    assert again[0].tolist() != taken[0].tolist()
