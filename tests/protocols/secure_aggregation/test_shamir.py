"""Shamir's sharing against other ways to interpolate, and what fewer shares do not say."""

from __future__ import annotations

from itertools import combinations

import gmpy2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.secure_aggregation import shamir
from protocols.secure_aggregation.shamir import PRIME
from protocols.suite import get_suite

SUITE = get_suite("intl")
secrets = st.binary(min_size=32, max_size=32)


def newton_at_zero(points: list[int], values: list[int]) -> int:
    """Interpolate by Newton's divided differences: no Lagrange coefficient is used."""
    table = list(values)
    for level in range(1, len(points)):
        for i in range(len(points) - 1, level - 1, -1):
            difference = (table[i] - table[i - 1]) % PRIME
            table[i] = difference * pow(points[i] - points[i - level], -1, PRIME) % PRIME
    value = 0
    for coefficient, point in zip(reversed(table), reversed(points), strict=True):
        value = (value * (0 - point) + coefficient) % PRIME
    return value


def shares_of(secret: bytes, threshold: int, count: int) -> list[bytes]:
    stream = SUITE.stream(bytes(32), b"polynomial")
    coefficients = shamir.polynomial(secret, threshold, stream)
    return [shamir.share(coefficients, point) for point in range(1, count + 1)]


def test_the_field_is_the_smallest_prime_above_every_secret():
    assert gmpy2.is_prime(PRIME, 64)
    assert gmpy2.next_prime(2**256) == PRIME
    assert (PRIME - 1).bit_length() <= 8 * shamir.SHARE_BYTES


def test_the_example_of_a_line_by_hand():
    # 5 + 7 x at 1, 2 and 3, and back from each pair.
    secret = (5).to_bytes(32, "big")
    shares = [shamir.share([5, 7], point) for point in (1, 2, 3)]
    assert [int.from_bytes(share, "big") for share in shares] == [12, 19, 26]
    for pair in combinations((1, 2, 3), 2):
        held = [shamir.decode_share(shares[point - 1]) for point in pair]
        assert shamir.recover(shamir.weights(pair), held) == secret


@given(secret=secrets, threshold=st.integers(1, 8), extra=st.integers(0, 4), data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_threshold_shares_give_the_secret(secret, threshold, extra, data):
    shares = shares_of(secret, threshold, threshold + extra)
    points = data.draw(st.permutations(range(1, threshold + extra + 1)))[:threshold]
    held = [shamir.decode_share(shares[point - 1]) for point in points]
    assert shamir.recover(shamir.weights(points), held) == secret
    assert newton_at_zero(points, held) == int.from_bytes(secret, "big")


@given(secret=secrets, other=secrets, threshold=st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_fewer_shares_fit_every_other_secret_just_as_well(secret, other, threshold):
    shares = [shamir.decode_share(s) for s in shares_of(secret, threshold, threshold - 1)]
    points = list(range(1, threshold))
    # The one polynomial through the shares held and the other secret at 0, evaluated further on.
    at = threshold + 3
    values = [int.from_bytes(other, "big"), *shares]
    known = [0, *points]
    value = 0
    for own, y in zip(known, values, strict=True):
        term = y
        for point in known:
            if point != own:
                term = term * (at - point) * pow(own - point, -1, PRIME) % PRIME
        value = (value + term) % PRIME
    held = [*shares, value]
    assert shamir.recover(shamir.weights([*points, at]), held) == other


def test_what_is_no_secret_is_not_returned_as_one():
    assert shamir.recover(shamir.weights([1]), [PRIME - 1]) is None
    assert shamir.recover(shamir.weights([1]), [(1 << 256) - 1]) == b"\xff" * 32


@pytest.mark.parametrize(
    "data", [b"", bytes(32), bytes(34), PRIME.to_bytes(33, "big"), b"\xff" * 33]
)
def test_other_bytes_than_a_share_are_refused(data):
    with pytest.raises(ValueError, match="a share is 33 bytes"):
        shamir.decode_share(data)


def test_points_that_repeat_or_are_zero_are_refused():
    for points in ([1, 1], [0, 1], [1, 1 + PRIME]):
        with pytest.raises(ValueError, match="points must differ"):
            shamir.weights(points)
    with pytest.raises(ValueError, match="at 0 stands the secret"):
        shamir.share([1, 2], 0)


def test_a_secret_of_another_length_or_no_threshold_is_refused():
    stream = SUITE.stream(bytes(32), b"polynomial")
    with pytest.raises(ValueError, match="32 bytes"):
        shamir.polynomial(bytes(31), 2, stream)
    with pytest.raises(ValueError, match="at least 1"):
        shamir.polynomial(bytes(32), 0, stream)
