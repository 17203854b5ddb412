"""Curve25519 in eight lanes: RFC 7748, RFC 9380, OpenSSL, plain integers, the portable twin."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numba
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.kernels import cpu, curve25519
from protocols.kernels.field25519 import work_area
from protocols.suite import curve25519_portable as portable
from protocols.suite import get_suite, hash_to_curve
from tests.protocols.suite import plain_intl

pytestmark = pytest.mark.skipif(not cpu.has(cpu.IFMA), reason="needs AVX-512 IFMA")

VECTORS = Path(__file__).parents[2] / "vectors" / "suite"
P, L = plain_intl.P, plain_intl.L
BLOCK = curve25519.BLOCK * 8
SIZES = [1, 7, 8, 9, 63, 64, 65, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 9]
SCALAR_EDGES = [1, 2, 3, 8, L - 1, L, L + 1, 2**254, 2**255 - 20, 2**255 - 1]
CLAMPED = 2**254 + 8 * 0x1234567890ABCDEF


def load(name: str) -> dict:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def rows(*numbers: int) -> np.ndarray:
    data = b"".join(number.to_bytes(32, "little") for number in numbers)
    return np.frombuffer(data, np.uint8).reshape(-1, 32)


def numbers(xs: np.ndarray) -> list[int]:
    return [int.from_bytes(x.tobytes(), "little") for x in xs]


def random_octets(count: int, width: int, label: bytes = b"") -> np.ndarray:
    data = get_suite("intl", "portable").stream(bytes(32), label).bytes(count * width)
    return np.frombuffer(data, np.uint8).reshape(count, width)


def clamp(scalar: bytes) -> int:
    number = int.from_bytes(scalar, "little")
    return number & (2**254 - 8) | 2**254


def by_openssl(scalar: int, xs: np.ndarray) -> list[bytes]:
    key = X25519PrivateKey.from_private_bytes(scalar.to_bytes(32, "little"))
    return [key.exchange(X25519PublicKey.from_public_bytes(x.tobytes())) for x in xs]


def test_constants_are_the_twins():
    assert set(curve25519.LOW_ORDER) == portable.LOW_ORDER
    assert (curve25519.J, curve25519.QUARTER) == (portable.J, (portable.J + 2) / 4)
    assert pow(curve25519.J**2 - 4, (P - 1) // 2, P) == P - 1  # x = 0 is the only root
    assert pow(-1, (P - 1) // 2, P) == 1


def test_multiplication_matches_rfc_7748():
    for vector in load("x25519.json")["multiplications"]:
        scalar, u, output = (bytes.fromhex(vector[name]) for name in ("scalar", "u", "output"))
        (product,) = curve25519.multiply(clamp(scalar), np.frombuffer(u, np.uint8).reshape(1, 32))
        assert product.tobytes() == output


def test_iterated_multiplication_matches_rfc_7748():
    expected = load("x25519.json")["iterated"]
    k = u = (9).to_bytes(32, "little")
    for count in range(1, 1001):
        product = curve25519.multiply(clamp(k), np.frombuffer(u, np.uint8).reshape(1, 32))
        k, u = product.tobytes(), k
        if str(count) in expected:
            assert k.hex() == expected.pop(str(count))
    assert not expected


def test_exchange_matches_rfc_7748():
    vector = {name: bytes.fromhex(value) for name, value in load("x25519.json")["exchange"].items()}
    a, b = clamp(vector["private_a"]), clamp(vector["private_b"])
    assert curve25519.multiply(a, rows(9)).tobytes() == vector["public_a"]
    assert curve25519.multiply(b, rows(9)).tobytes() == vector["public_b"]
    from_b = np.frombuffer(vector["public_b"], np.uint8).reshape(1, 32)
    assert curve25519.multiply(a, from_b).tobytes() == vector["shared"]


@pytest.mark.parametrize("count", SIZES)
def test_any_batch_matches_openssl(count):
    # Any 32 bytes: half are on the twist, some not canonical, half have the unused high bit.
    xs = random_octets(count, 32, b"elements")
    assert [x.tobytes() for x in curve25519.multiply(CLAMPED, xs)] == by_openssl(CLAMPED, xs)


@given(st.integers(1, 2**255 - 1), st.lists(st.integers(0, 2**256 - 1), min_size=1, max_size=9))
@settings(max_examples=25, deadline=None)
def test_any_scalar_matches_plain_integers(scalar, xs):
    expected = [plain_intl.ladder(scalar, x % 2**255 % P) for x in xs]
    if 0 in expected:
        with pytest.raises(ValueError, match="infinity"):
            curve25519.multiply(scalar, rows(*xs))
    else:
        assert numbers(curve25519.multiply(scalar, rows(*xs))) == expected


@pytest.mark.parametrize("scalar", SCALAR_EDGES, ids=hex)
def test_scalars_at_the_edges(scalar):
    xs = [2, 3, 9, P - 2, P + 2, P + 9, 2**255 - 1, 2**255 + 9, 2**256 - 1]  # of both curves
    if scalar == L:  # 9 has that order
        xs = [x for x in xs if plain_intl.ladder(L, x % 2**255 % P)]
    expected = [plain_intl.ladder(scalar, x % 2**255 % P) for x in xs]
    assert numbers(curve25519.multiply(scalar, rows(*xs))) == expected


def test_the_ladder_branches_on_nothing_but_its_step_count():
    compiled = numba.njit(curve25519._climb.py_func)
    work = work_area(curve25519._LADDER_SLOTS)
    work[:] = 0
    compiled(work.ctypes.data, curve25519._swaps(9))
    (listing,) = compiled.inspect_asm().values()
    function = listing[: listing.index(".Lfunc_end0:")]
    assert function.count("vpmadd52") > 300
    assert len(re.findall(r"^\s+j\w+", function, re.MULTILINE)) == 1
    assert not re.search(r"\s(cmov|call|vp?gather|vpscatter)", function)


@pytest.mark.parametrize("scalar", [0, -1, 2**255, 2**255 + 8])
def test_other_scalars_are_refused(scalar):
    with pytest.raises(ValueError, match="scalar"):
        curve25519.multiply(scalar, rows(9))


@pytest.mark.parametrize("x", [*curve25519.LOW_ORDER, P, P + 1, 2**255])
def test_a_product_that_is_infinity_is_refused(x):
    xs = random_octets(300, 32).copy()
    xs[100] = rows(x)[0]
    for twin in (curve25519, portable):
        with pytest.raises(ValueError, match="infinity"):
            twin.multiply(CLAMPED, xs)


def test_rows_need_not_be_contiguous():
    xs, uniform = random_octets(20, 64), random_octets(20, 96)
    there, apart = xs[:, :32].copy(), xs[:, :32]
    assert (curve25519.multiply(CLAMPED, apart) == curve25519.multiply(CLAMPED, there)).all()
    assert curve25519.check(apart) == curve25519.check(there)
    mapped = curve25519.map_elligator2(uniform[::2, :48])
    assert (mapped == curve25519.map_elligator2(uniform[::2, :48].copy())).all()
    assert there.tobytes() == xs[:, :32].tobytes()


TWIST = next(x for x in range(2, 100) if not plain_intl.is_square(plain_intl.curve(x)))
BAD = [*curve25519.LOW_ORDER, TWIST, P, P + 1, P + 9, 2**255 - 1, 2**255 + 9, 2**256 - 1]


@pytest.mark.parametrize("count", SIZES)
def test_the_first_invalid_element_is_found(count):
    valid = np.repeat(rows(9), count, axis=0)
    assert curve25519.check(valid) == -1
    for number, bad in enumerate(BAD):
        first = number * 37 % count
        xs = valid.copy()
        xs[first] = rows(bad)[0]
        assert curve25519.check(xs) == portable.check(xs) == first
        xs[-1] = rows(TWIST)[0]
        assert curve25519.check(xs) == first


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=100, deadline=None)
def test_check_agrees_with_the_curve_equation(data):
    x = int.from_bytes(data, "little")
    on_curve = x < P and plain_intl.is_square(plain_intl.curve(x)) and plain_intl.ladder(8, x) != 0
    assert curve25519.check(np.frombuffer(data, np.uint8).reshape(1, 32)) == (-1 if on_curve else 0)


def test_check_agrees_with_the_twin():
    xs = random_octets(1000, 32, b"mixed")
    assert [curve25519.check(xs[i : i + 1]) for i in range(1000)] == [
        portable.check(xs[i : i + 1]) for i in range(1000)
    ]


def uniform(*us: int) -> np.ndarray:
    data = b"".join(u.to_bytes(48, "big") for u in us)
    return np.frombuffer(data, np.uint8).reshape(-1, 48)


def test_encoding_matches_rfc_9380():
    vectors = load("curve25519_xmd_sha512_ell2_nu.json")
    tag = vectors["dst"].encode()
    expanded = b"".join(
        hash_to_curve.expand_message_xmd(
            vector["msg"].encode(), tag, 48, portable.ENCODING.expander
        )
        for vector in vectors["vectors"]
    )
    xs = curve25519.map_elligator2(np.frombuffer(expanded, np.uint8).reshape(-1, 48))
    assert [x[::-1].tobytes().hex() for x in xs] == [v["p_x"] for v in vectors["vectors"]]


@pytest.mark.parametrize("count", SIZES)
def test_map_matches_the_twin(count):
    us = random_octets(count, 48, b"uniform")
    assert (curve25519.map_elligator2(us) == portable.map_elligator2(us)).all()


@given(st.integers(0, 2**384 - 1))
@settings(max_examples=25, deadline=None)
def test_map_matches_plain_integers(u):
    expected = plain_intl.ladder(8, plain_intl.map_to_curve(u % P))
    if expected == 0:
        assert u % P == 0
        with pytest.raises(ValueError, match="identity"):
            curve25519.map_elligator2(uniform(u))
    else:
        assert numbers(curve25519.map_elligator2(uniform(u))) == [expected]


def test_map_at_the_edges():
    edges = [1, 2, P - 1, P + 1, 2**255 - 1, 2**255, 2 * P - 1, 2**383, 2**384 - 1]
    xs = curve25519.map_elligator2(uniform(*edges))
    assert numbers(xs) == [plain_intl.ladder(8, plain_intl.map_to_curve(u % P)) for u in edges]
    assert curve25519.check(xs) == -1
