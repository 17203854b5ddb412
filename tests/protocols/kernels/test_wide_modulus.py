"""Arithmetic modulo N^2 in eight lanes against Python's integers and GMP."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from gmpy2 import gcd, invert, mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocols.kernels.wide_numbers import (
    MODULI,
    MODULUS_IDS,
    integers_below,
    needs_ifma,
    units_below,
)

pytestmark = needs_ifma
moduli = pytest.mark.parametrize("n", MODULI, ids=MODULUS_IDS)
PRIME = 2**127 - 1
few = settings(max_examples=3, deadline=None)


@pytest.fixture(scope="module")
def wide():
    """The module is loaded where its kernels can run."""
    from protocols.kernels import wide_modulus

    return wide_modulus


class Numbers:
    """Integers in and out of a modulus' own form."""

    def __init__(self, wide, n: int) -> None:
        self.modulus = wide.WideModulus(n)
        self.n, self.n2 = n, n * n
        self.size = -(-self.n2.bit_length() // 64) * 8

    def pairs(self, values):
        data = b"".join(int(value).to_bytes(self.size, "big") for value in values)
        return self.modulus.pairs(data, self.size)

    def integers(self, pairs):
        data = self.modulus.octets(pairs, self.size)
        return [
            int.from_bytes(data[at : at + self.size], "big")
            for at in range(0, len(data), self.size)
        ]


def drawn(data, n: int, strategy=None, least=1) -> list[int]:
    """One to eighteen numbers, so that eights are whole, begun or several."""
    strategy = units_below(n) if strategy is None else strategy
    count = data.draw(st.sampled_from([least, 7, 8, 9, 18]))
    some = data.draw(st.lists(strategy, min_size=1, max_size=4))
    return [some[at % len(some)] for at in range(count)]


@moduli
@given(data=st.data())
@few
def test_numbers_must_come_back_and_multiply(wide, n, data):
    numbers = Numbers(wide, n)
    x = [0, 1, n * n - 1, *drawn(data, n, integers_below(n * n))]
    y = [data.draw(integers_below(n * n)), n * n - 1, n * n - 1, *x[3:]]
    a, b = numbers.pairs(x), numbers.pairs(y)
    assert numbers.integers(a) == x
    product = numbers.modulus.multiply(a, b)
    assert numbers.integers(product) == [i * j % numbers.n2 for i, j in zip(x, y, strict=True)]
    again = numbers.modulus.multiply(product, product)
    assert numbers.integers(again) == [(i * j) ** 2 % numbers.n2 for i, j in zip(x, y, strict=True)]
    assert numbers.integers(numbers.modulus.multiply(a, b[:1])) == [
        i * y[0] % numbers.n2 for i in x
    ]
    assert numbers.integers(numbers.modulus.square(a, 5)) == [pow(i, 32, numbers.n2) for i in x]
    assert numbers.integers(numbers.modulus.square(a, 0)) == x
    lower, upper = numbers.modulus.own_digits(a)
    assert [divmod(i, n) for i in x] == list(zip(upper, lower, strict=True))


@moduli
def test_numbers_that_are_not_below_the_square_must_be_refused(wide, n):
    numbers = Numbers(wide, n)
    for value in (n * n, n * n + 1, (1 << 8 * numbers.size) - 1):
        assert numbers.pairs([1, value, 1]) is None
        assert numbers.pairs([1] * 9 + [value]) is None
    assert numbers.integers(numbers.pairs([])) == []


@moduli
@given(data=st.data())
@few
def test_quotients_and_splits_must_be_those_of_the_integers(wide, n, data):
    numbers = Numbers(wide, n)
    x = drawn(data, n)
    y = x[1:] + x[:1]
    a, b = numbers.pairs(x), numbers.pairs(y)
    assert numbers.integers(numbers.modulus.divide(a, b)) == [
        i * int(invert(j, numbers.n2)) % numbers.n2 for i, j in zip(x, y, strict=True)
    ]
    r = int(numbers.modulus.r)
    split = numbers.modulus.split(a)
    lower = numbers.modulus.integers(np.ascontiguousarray(split[:, :1]))
    slopes = numbers.modulus.integers(np.ascontiguousarray(split[:, 1:]))
    for value, low, slope in zip(x, lower, slopes, strict=True):
        t = int(slope) * pow(r, -1, n) % n
        assert int(low) * (1 + n * t) % numbers.n2 == value * r % numbers.n2


@moduli
@given(data=st.data())
@few
def test_powers_must_be_those_of_the_integers(wide, n, data):
    numbers = Numbers(wide, n)
    x = drawn(data, n, integers_below(n * n))
    a = numbers.pairs(x)
    most = data.draw(st.sampled_from([0, 1, 7, 2**20, 2**70]))
    own = [data.draw(st.integers(0, most)) for _ in x[:3]]
    own = [own[at % len(own)] for at in range(len(x))]
    expected = [pow(i, e, numbers.n2) for i, e in zip(x, own, strict=True)]
    assert numbers.integers(numbers.modulus.powers(a, own)) == expected
    shared = data.draw(st.integers(0, 2**90))
    expected = [pow(i, shared, numbers.n2) for i in x]
    assert numbers.integers(numbers.modulus.shared_powers(a, mpz(shared))) == expected


@moduli
@given(data=st.data())
@few
def test_multiples_must_be_added(wide, n, data):
    numbers = Numbers(wide, n)
    x = drawn(data, n, integers_below(n * n))
    m = [data.draw(integers_below(n)), *([n - 1] * (len(x) - 1))]
    size = -(-n.bit_length() // 64) * 8
    digits = numbers.modulus.digits(b"".join(i.to_bytes(size, "big") for i in m), size)
    sums = numbers.modulus.add_multiples(numbers.pairs(x), digits)
    for _ in range(3):
        sums = numbers.modulus.add_multiples(sums, digits)
    assert numbers.integers(sums) == [
        i * (1 + n * 4 * j) % numbers.n2 for i, j in zip(x, m, strict=True)
    ]


def products(x: list[int], positions, offsets, n2: int) -> list[int]:
    results = []
    for start, stop in pairwise(offsets):
        product = 1
        for position in positions[start:stop]:
            product = product * x[position] % n2
        results.append(product)
    return results


@pytest.mark.parametrize("n", [MODULI[i] for i in (0, 3, 5, 8)], ids=lambda n: n.bit_length())
@given(data=st.data())
@few
def test_segments_of_any_length_must_be_multiplied(wide, n, data):
    numbers = Numbers(wide, n)
    x = drawn(data, n)
    lengths = data.draw(st.lists(st.sampled_from([0, 1, 2, 9, 255, 256, 257, 600]), max_size=9))
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    positions = np.arange(offsets[-1], dtype=np.int64) * 7 % len(x)
    found = numbers.modulus.segment_products(
        numbers.modulus.split(numbers.pairs(x)), positions, offsets
    )
    expected = products(x, positions.tolist(), offsets.tolist(), numbers.n2)
    assert numbers.integers(found) == expected


def test_a_very_long_segment_must_be_multiplied(wide):
    numbers = Numbers(wide, PRIME)
    x = [pow(3, i * i * 99, numbers.n2) for i in range(1, 20)]
    positions = np.arange(20_000, dtype=np.int64) % len(x)
    offsets = np.array([0, 0, 19_999, 20_000], np.int64)
    split = numbers.modulus.split(numbers.pairs(x))
    found = numbers.modulus.segment_products(split, positions, offsets)
    expected = products(x, positions.tolist(), offsets.tolist(), numbers.n2)
    assert numbers.integers(found) == expected


@pytest.mark.parametrize("n", [MODULI[i] for i in (1, 3, 5, 8)], ids=lambda n: n.bit_length())
@pytest.mark.parametrize(("rows", "bits"), [(1, 1), (5, 4), (3, 8), (64, 1)])
def test_powers_of_a_base_must_be_those_of_the_integers(wide, n, rows, bits):
    numbers = Numbers(wide, n)
    base = next(b for b in range(n * n // 3, n * n) if gcd(b, n) == 1)
    table = numbers.modulus.table(mpz(base), rows, bits)
    top = 1 << rows * bits
    exponents = [e % top for e in [0, 1, top - 1, *(7**k for k in range(300))]]
    data = b"".join(e.to_bytes(8, "big") for e in exponents)
    found = numbers.modulus.powers_of_base(table, data, 8, bits)
    assert numbers.integers(found) == [pow(base, e, numbers.n2) for e in exponents]


@pytest.mark.parametrize("bits", [1024, 1536])
@given(data=st.data())
@few
def test_chinese_remainders_must_give_the_number_back(wide, bits, data):
    p, q = (1 << bits) - 1, (1 << bits) - 3  # coprime; primes are not needed
    inner, outer = Numbers(wide, p), Numbers(wide, p * q)
    other = wide.WideModulus(q)
    x = drawn(data, p * q, integers_below(outer.n2))
    pairs = outer.pairs(x)
    modulo_p, modulo_q = (
        modulus.change_modulus(outer.modulus, pairs, modulus.constants_from(outer.modulus))
        for modulus in (inner.modulus, other)
    )
    assert inner.integers(modulo_p) == [i % inner.n2 for i in x]
    constants = outer.modulus.constants_of_join(inner.modulus, other)
    assert outer.integers(outer.modulus.join_moduli(modulo_p, modulo_q, constants)) == x


def test_a_product_must_tell_of_a_common_factor(wide):
    p, q = 2**89 - 1, 2**107 - 1
    numbers = Numbers(wide, p * q)
    units = [5**k for k in range(1, 30)]
    assert gcd(numbers.modulus.product_of_digits(numbers.pairs(units)), p * q) == 1
    for place in (0, 7, 8, 28):
        values = list(units)
        values[place] = p * 12345
        assert gcd(numbers.modulus.product_of_digits(numbers.pairs(values)), p * q) == p
    assert numbers.modulus.product_of_digits(numbers.pairs([])) == 1


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_results_must_not_depend_on_the_number_of_threads(wide, monkeypatch, threads):
    monkeypatch.setattr(wide, "most_threads", lambda: threads)
    monkeypatch.setattr(wide, "LEAST_WORK_US", 0.001)
    numbers = Numbers(wide, PRIME)
    x = [pow(5, k * k + 1, numbers.n2) for k in range(1, 220)]
    y = x[::-1]
    a, b = numbers.pairs(x), numbers.pairs(y)
    assert numbers.integers(a) == x
    assert numbers.integers(numbers.modulus.divide(a, b)) == [
        i * int(invert(j, numbers.n2)) % numbers.n2 for i, j in zip(x, y, strict=True)
    ]
    positions = np.arange(3000, dtype=np.int64) * 11 % len(x)
    offsets = np.array([0, *range(5, 3000, 37), 3000], np.int64)
    found = numbers.modulus.segment_products(numbers.modulus.split(a), positions, offsets)
    expected = products(x, positions.tolist(), offsets.tolist(), numbers.n2)
    assert numbers.integers(found) == expected
    table = numbers.modulus.table(mpz(7), 4, 4)
    data = b"".join(e.to_bytes(8, "big") for e in range(500))
    found = numbers.modulus.powers_of_base(table, data, 8, 4)
    assert numbers.integers(found) == [pow(7, e, numbers.n2) for e in range(500)]


def test_an_error_in_a_thread_must_reach_the_caller(wide, monkeypatch):
    monkeypatch.setattr(wide, "most_threads", lambda: 2)

    def compute(start: int, stop: int) -> None:
        if stop == 100:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wide.in_slices(100, 1000.0, compute)


@pytest.mark.parametrize("n", [0, 1, 2, 100, -3, (1 << 3104) + 1])
def test_other_moduli_must_be_refused(wide, n):
    with pytest.raises(ValueError, match="odd"):
        wide.WideModulus(n)


def test_a_table_must_not_have_more_rows_than_can_be_added(wide):
    with pytest.raises(ValueError, match="at most 448 rows"):
        wide.WideModulus(PRIME).table(mpz(3), 449, 1)


def test_a_factor_must_have_half_the_limbs(wide):
    with pytest.raises(ValueError, match="half the limbs"):
        wide.WideModulus(2**504 - 1).constants_from(wide.WideModulus(2**2048 - 1))
