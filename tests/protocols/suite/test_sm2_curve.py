"""The SM2 curve and its group: the standard's multiples, gmssl, and plain integers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from gmpy2 import is_prime, jacobi, mpz
from gmssl.sm2 import CryptSM2
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import cpu
from protocols.suite import InvalidElement, get_suite, sm2_curve
from protocols.suite.curve_batches import BATCH
from tests.protocols.suite import plain_gm

VECTORS = Path(__file__).parents[2] / "vectors" / "suite"
SUITE = get_suite("gm", kernels="portable")
TWINS = [
    "portable",
    pytest.param(
        "avx512",
        marks=pytest.mark.skipif(not cpu.has(cpu.IFMA), reason="needs AVX-512 IFMA"),
    ),
]
N, P = plain_gm.N, plain_gm.P
SMALL = [*range(1, 70), 1023, 1024, 1025]
scalars = st.one_of(
    st.integers(1, N - 1), st.sampled_from(SMALL), st.sampled_from([N - k for k in SMALL])
)


@pytest.fixture(scope="module", params=TWINS)
def group(request):
    return sm2_curve.Sm2Group(request.param)


def items(*values: bytes) -> np.ndarray:
    return np.array([list(value) for value in values], np.uint8)


def element(point: tuple[int, int]) -> bytes:
    return point[0].to_bytes(32, "big")


def off_curve() -> int:
    return next(x for x in range(1, 100) if jacobi(plain_gm.curve(x), P) < 0)


def test_parameters_are_a_curve_of_prime_order():
    assert is_prime(P)
    assert is_prime(N)
    assert (sm2_curve.P, sm2_curve.A, sm2_curve.B, sm2_curve.N) == (P, plain_gm.A, plain_gm.B, N)
    assert (sm2_curve.G_X, sm2_curve.G_Y) == plain_gm.G
    assert plain_gm.multiply(N, plain_gm.G) is None
    # Hasse: |#E - (p + 1)| <= 2 sqrt p leaves room for one multiple of n: cofactor 1.
    assert abs(N - (P + 1)) ** 2 <= 4 * P < (N - 1) ** 2


def test_multiples_of_the_base_match_the_standard():
    vectors = json.loads((VECTORS / "sm2_curve.json").read_text("utf-8"))["multiples_of_base"]
    for vector in vectors:
        expected = int(vector["x"], 16), int(vector["y"], 16)
        assert sm2_curve.multiply_base(int(vector["scalar"], 16)) == expected


@given(st.integers(1, N - 1))
@settings(max_examples=10, deadline=None)
def test_multiples_match_gmssl(scalar):
    reference = CryptSM2("", "")
    expected = reference._kg(scalar, reference.ecc_table["g"])
    x, y = sm2_curve.multiply_base(scalar)
    assert f"{x:064x}{y:064x}" == expected


@given(scalars, st.lists(st.integers(2, N - 2), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_batches_match_plain_integers(scalar, logarithms):
    points = [plain_gm.multiply(k, plain_gm.G) for k in logarithms]
    xs, ys = sm2_curve.multiply_points(
        scalar, [mpz(x) for x, _ in points], [mpz(y) for _, y in points]
    )
    expected = [plain_gm.multiply(scalar, point) for point in points]
    assert list(zip(map(int, xs), map(int, ys), strict=True)) == expected


@pytest.mark.parametrize("scalar", [k for small in SMALL for k in (small, N - small)])
def test_scalars_at_the_edges(scalar):
    assert sm2_curve.multiply_base(scalar) == plain_gm.multiply(scalar, plain_gm.G)


@pytest.mark.parametrize("scalar", [0, N, N + 1, -1])
def test_scalars_out_of_range_are_refused(scalar):
    with pytest.raises(ValueError, match=r"in \[1, n - 1\]"):
        sm2_curve.multiply_base(scalar)


def test_the_group_multiplies_x_coordinates_in_batches_of_any_size(group):
    count = BATCH + 3
    points, point = [], plain_gm.G
    for _ in range(count):
        points.append(point)
        point = plain_gm.add(point, plain_gm.G)
    elements = b"".join(element(point) for point in points)
    product = group.multiply(7, elements)
    assert len(product) == 32 * count
    for index in (0, 1, BATCH - 1, BATCH, count - 1):
        expected = element(plain_gm.multiply(7 * (index + 1), plain_gm.G))
        assert product[32 * index : 32 * index + 32] == expected
    assert group.multiply(7, b"") == b""
    assert group.divide(7, product) == elements
    assert group.hash_and_multiply(7, np.empty((0, 32), np.uint8), b"dst") == b""


@given(scalars, st.binary(min_size=1, max_size=64), st.binary(min_size=1, max_size=300))
@settings(max_examples=10, deadline=None)
def test_hash_and_multiply_matches_a_second_implementation(group, scalar, item, dst):
    point = plain_gm.encode_to_curve(item, dst + b"-with-SM2_XMD:SM3_SSWU_NU_")
    expected = element(plain_gm.multiply(scalar, point))
    assert group.hash_and_multiply(scalar, items(item), dst) == expected


@given(st.integers(1, N - 1), st.integers(1, N - 1))
@settings(max_examples=10, deadline=None)
def test_blinding_commutes_whichever_root_is_lifted(group, first, second):
    hashed = items(b"one", b"two")
    blinded = group.hash_and_multiply(first, hashed, b"dst")
    one_way = group.multiply(second, blinded)
    assert one_way == group.multiply(first, group.hash_and_multiply(second, hashed, b"dst"))
    assert group.divide(second, one_way) == blinded
    assert group.divide(first, blinded) == group.hash_and_multiply(1, hashed, b"dst")


@pytest.mark.parametrize("scalar", [0, N, N + 1, -1])
def test_the_group_refuses_scalars_out_of_range(group, scalar):
    for operation in (
        lambda: group.multiply(scalar, element(plain_gm.G)),
        lambda: group.hash_and_multiply(scalar, items(b"one"), b"dst"),
    ):
        with pytest.raises(ValueError, match=r"in \[1, n - 1\]"):
            operation()


@pytest.mark.parametrize(
    "x", [off_curve(), P, P + 1, 2**256 - 1, P + int(plain_gm.G[0]) % 2**200], ids=hex
)
@pytest.mark.parametrize("position", [0, 2])
@pytest.mark.parametrize("kernels", TWINS)
def test_an_invalid_element_refuses_the_whole_batch(monkeypatch, kernels, x, position):
    def never(*_):
        raise RuntimeError("an invalid element reached the multiplication")

    group = sm2_curve.Sm2Group(kernels)
    monkeypatch.setattr(group._batches, "multiply", never)
    valid = element(plain_gm.G)
    elements = [valid, valid, valid]
    elements[position] = x.to_bytes(32, "big")
    for operation in (
        group.check,
        lambda data: group.multiply(5, data),
        lambda data: group.divide(5, data),
    ):
        with pytest.raises(InvalidElement) as refused:
            operation(b"".join(elements))
        assert refused.value.index == position


@pytest.mark.parametrize("length", [1, 31, 33, 65])
def test_cut_off_elements_are_refused(group, length):
    for operation in (group.check, lambda data: group.multiply(5, data)):
        with pytest.raises(ValueError, match="multiple of 32"):
            operation(bytes(length))


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=100, deadline=None)
def test_check_agrees_with_the_curve_equation(group, data):
    x = int.from_bytes(data, "big")
    if x < P and plain_gm.is_square(plain_gm.curve(x)):
        assert group.check(data) is None
    else:
        with pytest.raises(InvalidElement):
            group.check(data)


def test_random_scalars_are_in_range_and_follow_the_stream(group):
    first = [group.random_scalar(SUITE.stream(bytes(32), bytes([i]))) for i in range(50)]
    again = [group.random_scalar(SUITE.stream(bytes(32), bytes([i]))) for i in range(50)]
    assert first == again
    assert len(set(first)) == 50
    assert all(1 <= scalar < N for scalar in first)


@pytest.mark.parametrize(
    ("point", "valid"),
    [
        (plain_gm.G, True),
        ((plain_gm.G[0], P - plain_gm.G[1]), True),
        ((plain_gm.G[0], plain_gm.G[1] + 1), False),
        ((plain_gm.G[0], plain_gm.G[1] + P), False),
        ((plain_gm.G[0] + P, plain_gm.G[1]), False),
        ((-1, 1), False),
        ((0, 0), False),
    ],
)
def test_on_curve(point, valid):
    assert sm2_curve.on_curve(*point) is valid
