"""The portable arithmetic of both curves: one pattern for every scalar, and OpenSSL on P-256."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from gmpy2 import is_prime
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.suite import short_weierstrass
from protocols.suite.short_weierstrass import P256, SM2, WINDOWS

both_curves = pytest.mark.parametrize("curve", [SM2, P256], ids=["SM2", "P-256"])


@both_curves
def test_parameters_are_a_curve_of_prime_order(curve):
    assert is_prime(curve.p)
    assert is_prime(curve.n)
    assert curve.p % 4 == 3
    assert short_weierstrass.on_curve(curve, curve.g_x, curve.g_y)
    # (n - 1) G = -G, so n G is infinity; Hasse leaves room for one multiple of n: cofactor 1.
    xs, ys = short_weierstrass.multiply_base(curve, [int(curve.n) - 1])
    assert (xs[0], ys[0]) == (curve.g_x, curve.p - curve.g_y)
    assert abs(curve.n - (curve.p + 1)) ** 2 <= 4 * curve.p < (curve.n - 1) ** 2


@given(st.integers(1, int(P256.n) - 1))
@settings(max_examples=20, deadline=None)
def test_p256_matches_openssl(scalar):
    numbers = ec.derive_private_key(scalar, ec.SECP256R1()).public_key().public_numbers()
    xs, ys = short_weierstrass.multiply_base(P256, [scalar])
    assert (int(xs[0]), int(ys[0])) == (numbers.x, numbers.y)


@both_curves
@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_recoding_has_one_pattern_for_every_scalar(curve, data):
    scalar = 2 * data.draw(st.integers(0, (int(curve.n) - 1) // 2 - 1)) + 1
    digits = short_weierstrass.odd_digits(scalar)
    assert len(digits) == WINDOWS
    assert all(digit % 2 and abs(digit) < 32 for digit in digits)
    assert digits[-1] > 0
    assert sum(digit << (5 * i) for i, digit in enumerate(digits)) == scalar


@both_curves
def test_every_scalar_takes_the_same_steps(monkeypatch, curve):
    steps: list[str] = []
    double, add = short_weierstrass.double, short_weierstrass.add
    monkeypatch.setattr(
        short_weierstrass, "double", lambda *a: steps.append("double") or double(*a)
    )
    monkeypatch.setattr(short_weierstrass, "add", lambda *a: steps.append("add") or add(*a))
    point = [curve.g_x], [curve.g_y]
    n = int(curve.n)
    short_weierstrass.multiply(curve, n // 3, point)
    expected = steps.copy()
    assert (expected.count("double"), expected.count("add")) == (256, 66)
    for scalar in (1 << 255, (1 << 255) + 1, n - 12345678901, 0x5555 << 200, 2, n - 2):
        steps.clear()
        short_weierstrass.multiply(curve, scalar, point)
        assert steps == expected


@both_curves
def test_a_sum_of_opposites_is_refused(curve):
    with pytest.raises(ValueError, match="infinity"):
        short_weierstrass.add(
            curve, ([curve.g_x], [curve.g_y]), ([curve.g_x], [curve.p - curve.g_y])
        )
