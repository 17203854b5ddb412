"""Curve25519 and its group: RFC 7748, RFC 9380, and plain integers."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from gmpy2 import is_prime, mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import cpu
from protocols.suite import (
    InvalidElement,
    curve25519,
    curve25519_portable,
    get_suite,
    hash_to_curve,
)
from protocols.suite.curve25519_portable import ENCODING, LOW_ORDER
from tests.protocols.suite import plain_intl

VECTORS = Path(__file__).parents[2] / "vectors" / "suite"
SUITE = get_suite("intl", "portable")
P, L = plain_intl.P, plain_intl.L
TAG = b"dst-with-curve25519_XMD:SHA-512_ELL2_NU_"
scalars = st.integers(2**251, 2**252 - 1).map(lambda m: 8 * m)
EDGES = [2**254, 2**254 + 8, 2**255 - 8, 2**255 - 16]


def load(name: str) -> dict:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def element(x: int) -> bytes:
    return x.to_bytes(32, "little")


def on_curve(x: int) -> bool:
    return plain_intl.is_square(plain_intl.curve(x))


@pytest.fixture(params=curve25519.KERNELS, scope="module")
def group(request):
    """The group by each of its kernels, however few the elements are."""
    if request.param == "avx512" and not cpu.has(cpu.IFMA):
        pytest.skip("needs AVX-512 IFMA")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curve25519, "BULK", 0)
        yield curve25519.Curve25519Group(request.param)


def rows(*items: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(items), np.uint8).reshape(len(items), -1)


def elements_of(xs: np.ndarray) -> list[bytes]:
    return [x.tobytes() for x in xs]


def encode(items: list[bytes]) -> list[bytes]:
    expanded = (
        hash_to_curve.expand_message_xmd(item, TAG, 48, ENCODING.expander) for item in items
    )
    return elements_of(curve25519_portable.map_elligator2(rows(*expanded)))


def test_parameters_are_those_of_the_rfc():
    assert is_prime(P)
    assert is_prime(L)
    assert (curve25519.P, curve25519.L, ENCODING.j) == (P, L, plain_intl.J)
    # The base point's x is 9; its order divides L, a prime: it is L.
    assert plain_intl.ladder(L, 9) == 0 != plain_intl.ladder(L - 1, 9)
    # Hasse leaves room for one multiple of 8 L, the cofactor RFC 7748 states.
    assert (8 * L - (P + 1)) ** 2 <= 4 * P < (4 * L) ** 2


def test_encoding_matches_rfc_9380():
    vectors = load("curve25519_xmd_sha512_ell2_nu.json")
    tag = vectors["dst"].encode()
    assert len(vectors["vectors"]) == 5
    for vector in vectors["vectors"]:
        message = vector["msg"].encode()
        u = hash_to_curve.hash_to_field(message, tag, ENCODING)
        assert f"{u:064x}" == vector["u"]
        numerator, denominator = hash_to_curve.elligator2_x(u, ENCODING)
        assert f"{numerator * pow(denominator, -1, P) % P:064x}" == vector["q_x"]
        uniform = hash_to_curve.expand_message_xmd(message, tag, 48, ENCODING.expander)
        (x,) = curve25519_portable.map_elligator2(rows(uniform))
        assert x[::-1].tobytes().hex() == vector["p_x"]


def test_multiplication_matches_rfc_7748():
    first, second = load("x25519.json")["multiplications"]
    scalar, u, output = (bytes.fromhex(first[name]) for name in ("scalar", "u", "output"))
    assert SUITE.agree(scalar, u) == output
    # The second has the unused bit set; it is the multiple of u without the bit.
    scalar, u, output = (bytes.fromhex(second[name]) for name in ("scalar", "u", "output"))
    assert SUITE.agree(scalar, u[:-1] + bytes([u[-1] & 0x7F])) == output
    with pytest.raises(InvalidElement):
        SUITE.agree(scalar, u)


def test_iterated_multiplication_matches_rfc_7748():
    expected = load("x25519.json")["iterated"]
    k = u = element(9)
    for count in range(1, 1001):
        k, u = SUITE.agree(k, u), k
        if str(count) in expected:
            assert k.hex() == expected.pop(str(count))
    assert not expected


def test_exchange_matches_rfc_7748():
    vector = {name: bytes.fromhex(value) for name, value in load("x25519.json")["exchange"].items()}
    assert curve25519.x25519_public_key(vector["private_a"]) == vector["public_a"]
    assert curve25519.x25519_public_key(vector["private_b"]) == vector["public_b"]
    assert SUITE.agree(vector["private_a"], vector["public_b"]) == vector["shared"]
    assert SUITE.agree(vector["private_b"], vector["public_a"]) == vector["shared"]


@given(st.integers(0, P - 1))
@settings(max_examples=50, deadline=None)
def test_elligator_2_matches_a_second_implementation(u):
    numerator, denominator = hash_to_curve.elligator2_x(mpz(u), ENCODING)
    x = numerator * pow(denominator, -1, P) % P
    assert x == plain_intl.map_to_curve(u)
    assert on_curve(int(x))


@pytest.mark.parametrize("u", [0, 1, P - 1])
def test_elligator_2_at_the_edges(u):
    numerator, denominator = hash_to_curve.elligator2_x(mpz(u), ENCODING)
    assert numerator * pow(denominator, -1, P) % P == plain_intl.map_to_curve(u)


def test_z_is_the_first_non_square():
    # RFC 9380 §6.7.1 and appendix H.3: the first of 1, -1, 2, -2, ... that is no square.
    candidates = (z for magnitude in range(1, 10) for z in (magnitude, -magnitude))
    assert next(z for z in candidates if not plain_intl.is_square(z % P)) == ENCODING.z
    assert ENCODING.field_bytes == (255 + 128 + 7) // 8


@given(scalars, st.binary(max_size=64), st.binary(min_size=1, max_size=300))
@settings(max_examples=15, deadline=None)
def test_hash_and_multiply_matches_a_second_implementation(group, scalar, item, dst):
    x = plain_intl.encode_to_curve(item, dst + b"-with-curve25519_XMD:SHA-512_ELL2_NU_")
    items = np.frombuffer(item, np.uint8).reshape(1, len(item))
    assert group.hash_and_multiply(scalar, items, dst) == element(plain_intl.ladder(scalar, x))


@pytest.mark.parametrize("scalar", EDGES)
def test_scalars_at_the_edges(group, scalar):
    assert group.multiply(scalar, element(9)) == element(plain_intl.ladder(scalar, 9))


@given(scalars, st.lists(st.binary(max_size=8), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
def test_batches_match_plain_integers(group, scalar, items):
    xs = encode(items)
    assert all(plain_intl.ladder(L, int.from_bytes(x, "little")) == 0 for x in xs)
    expected = [element(plain_intl.ladder(scalar, int.from_bytes(x, "little"))) for x in xs]
    assert group.multiply(scalar, b"".join(xs)) == b"".join(expected)


@pytest.mark.parametrize("count", [1, 9, 257, 1027])
def test_batches_of_any_size(monkeypatch, group, count):
    monkeypatch.setattr(curve25519, "CHUNK", 300)
    items = rows(*(number.to_bytes(4, "big") for number in range(count)))
    products = group.hash_and_multiply(EDGES[1], items, b"dst")
    assert len(products) == 32 * count
    for index in (0, 1, 255, 256, 299, 300, count - 1):
        alone = group.hash_and_multiply(EDGES[1], items[index : index + 1], b"dst")
        assert products[32 * index : 32 * index + 32] == alone
    assert group.check(products) is None


def test_no_elements_give_none(group):
    for operation in (group.multiply, group.divide):
        assert operation(EDGES[1], b"") == b""
    assert group.check(b"") is None
    assert group.hash_and_multiply(EDGES[1], np.empty((0, 32), np.uint8), b"dst") == b""


def test_the_kernels_agree():
    if not cpu.has(cpu.IFMA):
        pytest.skip("needs AVX-512 IFMA")
    lanes, portable = (curve25519.Curve25519Group(kernels) for kernels in curve25519.KERNELS)
    items = rows(*(number.to_bytes(32, "big") for number in range(300)))
    blinded = lanes.hash_and_multiply(EDGES[1], items, b"dst")
    assert blinded == portable.hash_and_multiply(EDGES[1], items, b"dst")
    evaluated = lanes.multiply(EDGES[2], blinded)
    assert evaluated == portable.multiply(EDGES[2], blinded)
    assert lanes.divide(EDGES[2], evaluated) == portable.divide(EDGES[2], evaluated) == blinded


def test_few_elements_need_no_kernel():
    lanes, portable = (curve25519.Curve25519Group(kernels) for kernels in curve25519.KERNELS)
    for count in (0, curve25519.BULK - 1, curve25519.BULK):
        assert portable._twin(count) is curve25519_portable
        assert (lanes._twin(count) is curve25519_portable) == (count < curve25519.BULK)


def test_unknown_kernels_are_refused():
    with pytest.raises(ValueError, match="unknown kernels 'sse2'; there are: avx512, portable"):
        curve25519.Curve25519Group("sse2")


@given(scalars, scalars)
@settings(max_examples=15, deadline=None)
def test_blinding_commutes(group, first, second):
    items = rows(b"one", b"two")
    one_way = group.multiply(second, group.hash_and_multiply(first, items, b"dst"))
    other_way = group.multiply(first, group.hash_and_multiply(second, items, b"dst"))
    assert one_way == other_way
    assert group.check(one_way) is None


@given(scalars, scalars)
@settings(max_examples=15, deadline=None)
def test_division_undoes_multiplication(group, first, second):
    blinded = group.hash_and_multiply(first, rows(b"one", b"two"), b"dst")
    evaluated = group.multiply(second, blinded)
    assert group.divide(second, evaluated) == blinded
    unblinded = group.divide(first, evaluated)
    assert unblinded == group.hash_and_multiply(second, rows(b"one", b"two"), b"dst")


@given(scalars)
@settings(max_examples=100, deadline=None)
def test_inverses_have_the_form_of_scalars(scalar):
    inverse = curve25519.inverse(scalar)
    assert inverse % 8 == 0
    assert 2**254 <= inverse < 2**255
    assert scalar * inverse % L in (1, L - 1)


@pytest.mark.parametrize("m", [1, 2, L - 2**252])
def test_a_scalar_whose_inverse_has_another_form_is_refused(group, m):
    # 8 m and -8 m are below or beyond the form; the scalar that undoes one is valid by itself.
    half = pow(64 * m, -1, L)
    scalar = 8 * max(half, L - half)
    assert 2**254 <= scalar < 2**255
    with pytest.raises(ValueError, match="draw another"):
        group.divide(scalar, element(9))


def test_what_is_said_of_the_scalars_is_so():
    """Pairs {m, L - m}: how many the scalars meet twice, and how far from uniform that is."""
    low, high = 2**251, 2**252  # 8 m is clamped for m in [low, high)
    excess = L - 2**252
    assert 0 < excess < 2**125
    assert high < L < 2 * high
    both = (L - low) - low + 1  # the m with L - m in the range as well
    assert both == excess + 1
    pairs, met = (L - 1) // 2, (high - low) - both // 2
    assert pairs - met == excess
    # A pair that is met has at least its uniform share; the distance is what the unmet ones lack.
    assert Fraction(1, high - low) >= Fraction(1, pairs)
    assert Fraction(pairs - met, pairs) < Fraction(1, 2**126)


def test_random_scalars_are_clamped_and_follow_the_stream():
    group = curve25519.Curve25519Group()
    first = [group.random_scalar(SUITE.stream(bytes(32), bytes([i]))) for i in range(50)]
    again = [group.random_scalar(SUITE.stream(bytes(32), bytes([i]))) for i in range(50)]
    assert first == again
    assert len(set(first)) == 50
    assert all(scalar % 8 == 0 and scalar >> 254 == 1 for scalar in first)
    assert len({scalar >> 253 for scalar in first}) == 2


@pytest.mark.parametrize("scalar", [0, 8, -8, 2**254 + 1, 2**254 - 8, 2**255, 2**255 + 8, L])
def test_other_scalars_are_refused(group, scalar):
    for operation in (
        lambda: group.multiply(scalar, element(9)),
        lambda: group.multiply(scalar, b""),
        lambda: group.divide(scalar, element(9)),
        lambda: group.hash_and_multiply(scalar, rows(b"item"), b"dst"),
        lambda: curve25519_portable.multiply(scalar, rows(element(9))),
    ):
        with pytest.raises(ValueError, match="multiple of 8"):
            operation()


def test_the_low_order_points_are_all_there():
    """The curve has a cyclic group of 8 points of such orders, the twist of 4 (8 and 4 divide)."""
    for x in LOW_ORDER:
        assert plain_intl.ladder(8, x) == 0
    of_the_curve = {x for x in LOW_ORDER if on_curve(x)}
    of_the_twist = {x for x in LOW_ORDER if not on_curve(x)} | {0}
    # Without infinity, 7 points: one of order 2, two of order 4, four of order 8; a point and its
    # negative share x. On the twist 3: one of order 2, two of order 4.
    assert (len(of_the_curve), len(of_the_twist)) == (4, 2)


TWIST = next(x for x in range(2, 100) if not on_curve(x))
BAD = [
    *sorted(LOW_ORDER),
    TWIST,
    P,  # = 0
    P + 1,
    P + 9,
    2**255 - 1,
    2**255 + 9,  # the high bit
    2**256 - 1,
]


@pytest.mark.parametrize("x", BAD, ids=hex)
@pytest.mark.parametrize("position", [0, 2])
def test_an_invalid_element_refuses_the_whole_batch(monkeypatch, group, x, position):
    def never(*_):
        raise RuntimeError("an invalid element reached the multiplication")

    monkeypatch.setattr(group._twin(1), "multiply", never)
    elements = [element(9)] * 3
    elements[position] = x.to_bytes(32, "little")
    for operation in (
        group.check,
        lambda data: group.multiply(EDGES[0], data),
        lambda data: group.divide(EDGES[0], data),
    ):
        with pytest.raises(InvalidElement) as refused:
            operation(b"".join(elements))
        assert refused.value.index == position


@pytest.mark.parametrize("length", [1, 31, 33, 65])
def test_cut_off_elements_are_refused(group, length):
    for operation in (
        group.check,
        lambda data: group.multiply(EDGES[0], data),
        lambda data: group.divide(EDGES[0], data),
    ):
        with pytest.raises(ValueError, match="multiple of 32"):
            operation(bytes(length))


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=100, deadline=None)
def test_check_agrees_with_the_curve_equation(group, data):
    x = int.from_bytes(data, "little")
    if x < P and on_curve(x) and x not in LOW_ORDER:
        assert group.check(data) is None
    else:
        with pytest.raises(InvalidElement):
            group.check(data)


def test_a_component_of_small_order_is_cleared(group):
    torsion = plain_intl.compress((0, P - 1))  # order 2 on the Edwards form
    point = plain_intl.multiply(5, plain_intl.BASE)
    shifted = plain_intl.add(point, plain_intl.decompress(torsion))
    xs = [(1 + y) * pow(1 - y, -1, P) % P for _, y in (point, shifted)]  # RFC 7748 §4.1
    assert xs[0] != xs[1]
    assert plain_intl.ladder(2 * L + 2, xs[1]) == plain_intl.ladder(2, xs[0])
    products = group.multiply(EDGES[1], b"".join(map(element, xs)))
    assert products[:32] == products[32:]
    assert group.divide(EDGES[1], products) == element(xs[0]) * 2
