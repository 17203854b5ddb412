"""Groups of full points, by both twins: OpenSSL on P-256, gmssl and the standard on SM2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from gmssl.sm2 import CryptSM2
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import cpu
from protocols.suite import InvalidElement, get_suite
from protocols.suite.points import POINT_BYTES, P256Points, Sm2Points

VECTORS = Path(__file__).parents[2] / "vectors" / "suite"
NAMES = {"SM2": Sm2Points, "P-256": P256Points}
without = pytest.mark.skipif(not cpu.has(cpu.IFMA), reason="needs AVX-512 IFMA")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((name, kernels), id=f"{name}-{kernels}", marks=marks)
        for name in NAMES
        for kernels, marks in (("portable", ()), ("avx512", without))
    ],
)
def group(request):
    name, kernels = request.param
    return NAMES[name](kernels)


def split(points: bytes) -> list[bytes]:
    return [points[i : i + POINT_BYTES] for i in range(0, len(points), POINT_BYTES)]


def openssl(scalar: int) -> bytes:
    key = ec.derive_private_key(scalar, ec.SECP256R1()).public_key()
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)


def gmssl(scalar: int) -> bytes:
    reference = CryptSM2("", "")
    point = bytes.fromhex(reference._kg(scalar, reference.ecc_table["g"]))
    return bytes([2 + point[-1] % 2]) + point[:32]


def test_multiples_match_another_implementation(group):
    reference = openssl if group.name == "P-256" else gmssl
    scalars = [1, 2, 3, 62, group.order - 1, group.order - 2, group.order // 3, 2**255 + 5]
    expected = b"".join(reference(scalar) for scalar in scalars)
    assert group.multiply_base(scalars) == expected
    assert group.multiply_each(scalars, group.generator * len(scalars)) == expected
    assert group.multiply(scalars[4], group.generator) == reference(scalars[4])


def test_products_match_openssl_diffie_hellman(group):
    if group.name != "P-256":
        vectors = json.loads((VECTORS / "sm2_curve.json").read_text("utf-8"))["multiples_of_base"]
        scalars = [int(v["scalar"], 16) for v in vectors]
        expected = [bytes([2 + int(v["y"], 16) % 2]) + bytes.fromhex(v["x"]) for v in vectors]
        assert split(group.multiply_base(scalars)) == expected
        return
    own = ec.derive_private_key(0x1234567 << 200, ec.SECP256R1())
    logarithms = list(range(5, 40, 3))
    peers = group.multiply_base(logarithms)
    product = group.multiply(0x1234567 << 200, peers)
    for point, peer in zip(split(product), split(peers), strict=True):
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), peer)
        assert point[1:] == own.exchange(ec.ECDH(), key)


@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_the_group_law(group, data):
    scalars = data.draw(st.lists(st.integers(1, group.order - 1), min_size=3, max_size=12))
    factor, n = data.draw(st.integers(1, group.order - 1)), group.order
    points = group.multiply_base(scalars)
    assert group.check(points) is None
    assert group.multiply(factor, points) == group.multiply_base([k * factor % n for k in scalars])
    squares = group.multiply_base([k * k % n for k in scalars])
    assert group.multiply_each(scalars, points) == squares
    assert group.add(points, points) == group.multiply(2, points)
    assert group.negate(points) == group.multiply(n - 1, points)
    if sum(scalars) % n:
        assert group.sum(points) == group.multiply_base([sum(scalars) % n])


def test_sums_through_infinity(group):
    one, two, three, five, seven = split(group.multiply_base([1, 2, 3, 5, 7]))
    assert group.sum(one) == one
    assert group.sum(one + two + three) == group.multiply_base([6])
    assert group.sum(one + group.negate(one) + five) == five
    # Halves are added to halves: the pairs here are (1, -1), (2, -2), then 3.
    pairs = one + two + group.negate(one) + group.negate(two)
    assert group.sum(pairs + three) == three
    assert group.sum(one + one) == two
    assert group.sum(five + group.negate(two)) == three
    assert group.sum(seven * 33) == group.multiply_base([231])
    for none in (b"", one + group.negate(one), pairs, five + group.negate(two + three)):
        with pytest.raises(ValueError, match=r"infinity"):
            group.sum(none)


def test_adding_opposites_is_refused(group):
    one, two = split(group.multiply_base([1, 2]))
    assert group.add(one + two, two + two) == group.multiply_base([3, 4])
    with pytest.raises(ValueError, match="infinity"):
        group.add(one + two, two + group.negate(two))


def bad_points(group) -> list[bytes]:
    def on_curve(x: bytes) -> bool:
        try:
            group.check(b"\x02" + x)
        except InvalidElement:
            return False
        return True

    small = [n.to_bytes(32, "big") for n in range(200)]
    off = next(x for x in small if not on_curve(x))
    low = int.from_bytes(next(x for x in small if on_curve(x)), "big")
    p = 2**256 - 2**224 + (2**192 + 2**96 - 1 if group.name == "P-256" else 2**64 - 2**96 - 1)
    x = group.generator[1:]
    return [
        b"\x02" + off,
        b"\x03" + off,
        b"\x02" + (p + low).to_bytes(32, "big"),
        b"\x02" + p.to_bytes(32, "big"),
        b"\x03" + b"\xff" * 32,
        bytes(33),
        b"\x00" + x,
        b"\x01" + x,
        b"\x04" + x,
        b"\x82" + x,
    ]


@pytest.mark.parametrize("position", [0, 3, 9])
def test_an_invalid_point_names_its_place(group, position):
    valid = split(group.multiply_base(range(1, 11)))
    for bad in bad_points(group):
        points = valid.copy()
        points[position] = bad
        batch = b"".join(points)
        for operation in (
            group.check,
            group.negate,
            group.sum,
            lambda b: group.multiply(5, b),
            lambda b: group.multiply_each([5] * 10, b),
            lambda b: group.add(b, b"".join(valid)),
            lambda b: group.add(b"".join(valid), b),
        ):
            with pytest.raises(InvalidElement) as refused:
                operation(batch)
            assert refused.value.index == position


def test_the_first_of_several_invalid_points_is_named(group):
    valid = group.generator
    off, *_, prefix = bad_points(group)
    for points, index in ((valid + off + prefix, 1), (valid + prefix + off, 1), (off + prefix, 0)):
        with pytest.raises(InvalidElement) as refused:
            group.check(points)
        assert refused.value.index == index


def test_wrong_lengths_and_scalars_are_refused(group):
    g = group.generator
    for length in (1, 32, 34, 65):
        with pytest.raises(ValueError, match="multiple of 33"):
            group.check(bytes(length))
    with pytest.raises(ValueError, match="one scalar"):
        group.multiply_each([1, 2], g)
    with pytest.raises(ValueError, match="one scalar"):
        group.multiply_each([1], g + g)
    with pytest.raises(ValueError, match="one other"):
        group.add(g, g + g)
    for scalar in (0, -1, group.order, group.order + 1, 2**256):
        for operation in (
            lambda k: group.multiply_base([1, k]),
            lambda k: group.multiply(k, g),
            lambda k: group.multiply_each([k], g),
        ):
            with pytest.raises(ValueError, match=r"in \[1, n - 1\]"):
                operation(scalar)


def test_nothing_in_nothing_out(group):
    assert group.multiply_base([]) == b""
    assert group.multiply_each([], b"") == b""
    assert group.multiply(3, b"") == b""
    assert group.add(b"", b"") == b""
    assert group.negate(b"") == b""
    assert group.check(b"") is None


def test_random_scalars_are_in_range_and_follow_the_stream(group):
    suite = get_suite("gm")
    first = group.random_scalars(suite.stream(bytes(32), b"a"), 50)
    assert first == group.random_scalars(suite.stream(bytes(32), b"a"), 50)
    assert len(set(first)) == 50
    assert all(1 <= scalar < group.order for scalar in first)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_kernels_are_refused(name):
    with pytest.raises(ValueError, match="unknown kernels"):
        NAMES[name]("fast")


@without
@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_the_twins_agree_on_any_bytes(name, data):
    """Whether they are points or not; a random x belongs to one half of the time."""
    twins = NAMES[name]("portable"), NAMES[name]("avx512")
    xs = data.draw(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=4))
    prefixes = data.draw(
        st.lists(st.sampled_from([2, 3, 3, 2, 4]), min_size=len(xs), max_size=len(xs))
    )
    points = b"".join(bytes([prefix]) + x for prefix, x in zip(prefixes, xs, strict=True))
    results = []
    for group in twins:
        try:
            results.append(group.multiply(12345, points))
        except InvalidElement as refused:
            results.append(refused.index)
    assert results[0] == results[1]
