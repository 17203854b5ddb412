"""Curve25519 and its group: RFC 7748, RFC 9380, and plain integers."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from gmpy2 import is_prime, mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.suite import InvalidElement, curve25519, get_suite, hash_to_curve
from tests.protocols.suite import plain_intl

VECTORS = Path(__file__).parents[2] / "vectors" / "suite"
SUITE = get_suite("intl")
GROUP = SUITE.group
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


def test_parameters_are_those_of_the_rfc():
    assert is_prime(P)
    assert is_prime(L)
    assert (curve25519.P, curve25519.J) == (P, plain_intl.J)
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
        u = hash_to_curve.hash_to_field(message, tag, curve25519.ENCODING)
        assert f"{u:064x}" == vector["u"]
        numerator, denominator = hash_to_curve.elligator2_x(u, curve25519.ENCODING)
        assert f"{numerator * pow(denominator, -1, P) % P:064x}" == vector["q_x"]
        (x,) = curve25519.encode_to_curve_x([message], tag)
        assert x[::-1].hex() == vector["p_x"]


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
    numerator, denominator = hash_to_curve.elligator2_x(mpz(u), curve25519.ENCODING)
    x = numerator * pow(denominator, -1, P) % P
    assert x == plain_intl.map_to_curve(u)
    assert on_curve(int(x))


@pytest.mark.parametrize("u", [0, 1, P - 1])
def test_elligator_2_at_the_edges(u):
    numerator, denominator = hash_to_curve.elligator2_x(mpz(u), curve25519.ENCODING)
    assert numerator * pow(denominator, -1, P) % P == plain_intl.map_to_curve(u)


def test_z_is_the_first_non_square():
    # RFC 9380 §6.7.1 and appendix H.3: the first of 1, -1, 2, -2, ... that is no square.
    candidates = (z for magnitude in range(1, 10) for z in (magnitude, -magnitude))
    assert next(z for z in candidates if not plain_intl.is_square(z % P)) == curve25519.ENCODING.z
    assert curve25519.ENCODING.field_bytes == (255 + 128 + 7) // 8


@given(scalars, st.binary(max_size=64), st.binary(min_size=1, max_size=300))
@settings(max_examples=15, deadline=None)
def test_hash_and_multiply_matches_a_second_implementation(scalar, item, dst):
    x = plain_intl.encode_to_curve(item, dst + b"-with-curve25519_XMD:SHA-512_ELL2_NU_")
    assert GROUP.hash_and_multiply(scalar, [item], dst) == element(plain_intl.ladder(scalar, x))


@pytest.mark.parametrize("scalar", EDGES)
def test_scalars_at_the_edges(scalar):
    assert GROUP.multiply(scalar, element(9)) == element(plain_intl.ladder(scalar, 9))


@given(scalars, st.lists(st.binary(max_size=8), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
def test_batches_match_plain_integers(scalar, items):
    xs = curve25519.encode_to_curve_x(items, TAG)
    assert all(plain_intl.ladder(L, int.from_bytes(x, "little")) == 0 for x in xs)
    expected = [element(plain_intl.ladder(scalar, int.from_bytes(x, "little"))) for x in xs]
    assert GROUP.multiply(scalar, b"".join(xs)) == b"".join(expected)


def test_batches_of_any_size():
    items = [number.to_bytes(4, "big") for number in range(curve25519.BATCH + 3)]
    products = GROUP.hash_and_multiply(EDGES[1], items, b"dst")
    assert len(products) == 32 * len(items)
    for index in (0, 1, curve25519.BATCH - 1, curve25519.BATCH, len(items) - 1):
        alone = GROUP.hash_and_multiply(EDGES[1], [items[index]], b"dst")
        assert products[32 * index : 32 * index + 32] == alone
    assert GROUP.multiply(EDGES[1], b"") == b""
    assert GROUP.hash_and_multiply(EDGES[1], [], b"dst") == b""


@given(scalars, scalars)
@settings(max_examples=15, deadline=None)
def test_blinding_commutes(first, second):
    items = [b"one", b"two"]
    one_way = GROUP.multiply(second, GROUP.hash_and_multiply(first, items, b"dst"))
    other_way = GROUP.multiply(first, GROUP.hash_and_multiply(second, items, b"dst"))
    assert one_way == other_way
    GROUP.check(one_way)


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
    first = [GROUP.random_scalar(SUITE.stream(bytes(32), bytes([i]))) for i in range(50)]
    again = [GROUP.random_scalar(SUITE.stream(bytes(32), bytes([i]))) for i in range(50)]
    assert first == again
    assert len(set(first)) == 50
    assert all(scalar % 8 == 0 and scalar >> 254 == 1 for scalar in first)
    assert len({scalar >> 253 for scalar in first}) == 2


@pytest.mark.parametrize("scalar", [0, 8, -8, 2**254 + 1, 2**254 - 8, 2**255, 2**255 + 8, L])
def test_other_scalars_are_refused(scalar):
    with pytest.raises(ValueError, match="multiple of 8"):
        GROUP.multiply(scalar, element(9))
    with pytest.raises(ValueError, match="multiple of 8"):
        GROUP.hash_and_multiply(scalar, [b"item"], b"dst")


def test_the_low_order_points_are_all_there():
    """The curve has a cyclic group of 8 points of such orders, the twist of 4 (8 and 4 divide)."""
    for x in curve25519.LOW_ORDER:
        assert plain_intl.ladder(8, x) == 0
    of_the_curve = {x for x in curve25519.LOW_ORDER if on_curve(x)}
    of_the_twist = {x for x in curve25519.LOW_ORDER if not on_curve(x)} | {0}
    # Without infinity, 7 points: one of order 2, two of order 4, four of order 8; a point and its
    # negative share x. On the twist 3: one of order 2, two of order 4.
    assert (len(of_the_curve), len(of_the_twist)) == (4, 2)


TWIST = next(x for x in range(2, 100) if not on_curve(x))
BAD = [
    *sorted(curve25519.LOW_ORDER),
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
def test_an_invalid_element_refuses_the_whole_batch(monkeypatch, x, position):
    def never(*_):
        raise RuntimeError("an invalid element reached the multiplication")

    monkeypatch.setattr(curve25519, "_multiply", never)
    elements = [element(9)] * 3
    elements[position] = x.to_bytes(32, "little")
    for operation in (GROUP.check, lambda data: GROUP.multiply(EDGES[0], data)):
        with pytest.raises(InvalidElement) as refused:
            operation(b"".join(elements))
        assert refused.value.index == position


@pytest.mark.parametrize("length", [1, 31, 33, 65])
def test_cut_off_elements_are_refused(length):
    for operation in (GROUP.check, lambda data: GROUP.multiply(EDGES[0], data)):
        with pytest.raises(ValueError, match="multiple of 32"):
            operation(bytes(length))


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=100, deadline=None)
def test_check_agrees_with_the_curve_equation(data):
    x = int.from_bytes(data, "little")
    if x < P and on_curve(x) and x not in curve25519.LOW_ORDER:
        assert GROUP.check(data) is None
    else:
        with pytest.raises(InvalidElement):
            GROUP.check(data)


def test_a_component_of_small_order_is_cleared():
    torsion = plain_intl.compress((0, P - 1))  # order 2 on the Edwards form
    point = plain_intl.multiply(5, plain_intl.BASE)
    shifted = plain_intl.add(point, plain_intl.decompress(torsion))
    xs = [(1 + y) * pow(1 - y, -1, P) % P for _, y in (point, shifted)]  # RFC 7748 §4.1
    assert xs[0] != xs[1]
    assert plain_intl.ladder(2 * L + 2, xs[1]) == plain_intl.ladder(2, xs[0])
    products = GROUP.multiply(EDGES[1], b"".join(map(element, xs)))
    assert products[:32] == products[32:]


def test_an_item_that_encodes_to_the_identity_is_refused(monkeypatch):
    # u with -J / (1 + 2 u^2) = x for an x of low order: it exists, though no message is known.
    u = next(
        plain_intl.square_root(square)
        for x in sorted(curve25519.LOW_ORDER - {0})
        for square in [(-plain_intl.J * pow(x, -1, P) - 1) * pow(2, -1, P) % P]
        if on_curve(x) and plain_intl.is_square(square)
    )
    assert plain_intl.map_to_curve(u) in curve25519.LOW_ORDER
    monkeypatch.setattr(hash_to_curve, "hash_to_field", lambda *_: mpz(u))
    with pytest.raises(ValueError, match="identity"):
        GROUP.hash_and_multiply(EDGES[0], [b"item"], b"dst")
