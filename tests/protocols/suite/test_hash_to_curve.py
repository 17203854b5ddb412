"""RFC 9380: its own P-256 and expander vectors through the code SM2 uses, and SM2's Z."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from gmpy2 import jacobi, mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.suite import hash_to_curve, sm2_curve
from tests.protocols.suite import plain_gm

VECTORS = Path(__file__).parents[2] / "vectors" / "suite"
SHA256 = hash_to_curve.Xmd(
    lambda *parts: hashlib.sha256(b"".join(parts)).digest(), digest_bytes=32, block_bytes=64
)
P256_P = mpz(2**256 - 2**224 + 2**192 + 2**96 - 1)
P256 = hash_to_curve.SimplifiedSwu(
    p=P256_P,
    a=P256_P - 3,
    b=mpz(0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B),
    z=P256_P - 10,
    field_bytes=48,
    expander=SHA256,
)


def load(name: str) -> dict:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def test_expand_message_xmd_matches_rfc_9380():
    vectors = load("expand_message_xmd_sha256.json")["vectors"]
    assert len(vectors) == 20
    for vector in vectors:
        uniform = hash_to_curve.expand_message_xmd(
            vector["msg"].encode(), vector["dst"].encode(), vector["length"], SHA256
        )
        assert uniform.hex() == vector["uniform_bytes"]


def test_encode_to_curve_matches_rfc_9380_on_p256():
    vectors = load("p256_xmd_sha256_sswu_nu.json")
    for vector in vectors["vectors"]:
        x, y = hash_to_curve.encode_to_curve(vector["msg"].encode(), vectors["dst"].encode(), P256)
        assert (f"{x:064x}", f"{y:064x}") == (vector["x"], vector["y"])
        assert hash_to_curve.map_to_curve(mpz(vector["u"], 16), P256) == (x, y)


def polynomial_gcd_degree(first: list[int], second: list[int], p: int) -> int:
    """Degree of the gcd of two polynomials, coefficients from the constant term up."""
    while second:
        while len(first) >= len(second):
            factor = first[-1] * pow(second[-1], -1, p) % p
            shift = len(first) - len(second)
            for i, coefficient in enumerate(second):
                first[shift + i] = (first[shift + i] - factor * coefficient) % p
            while first and first[-1] == 0:
                first.pop()
        first, second = second, first
    return len(first) - 1


def power_of_x_modulo(exponent: int, modulus: list[int], p: int) -> list[int]:
    """x^exponent modulo a monic cubic over GF(p), coefficients from the constant term up."""

    def multiply(first: list[int], second: list[int]) -> list[int]:
        product = [0] * 5
        for i, x in enumerate(first):
            for j, y in enumerate(second):
                product[i + j] = (product[i + j] + x * y) % p
        for top in (4, 3):
            for i in range(3):
                product[top - 3 + i] = (product[top - 3 + i] - product[top] * modulus[i]) % p
        return product[:3]

    result = [1, 0, 0]
    for bit in bin(exponent)[2:]:
        result = multiply(result, result)
        if bit == "1":
            result = multiply(result, [0, 1, 0])
    return result


def meets_the_criteria(z: int, p: int, a: int, b: int) -> bool:
    """RFC 9380 §6.6.2: 1 non-square, 2 not -1, 3 g(x) - z irreducible, 4 g(b / (z a)) square.

    A cubic is irreducible exactly when it has no root: gcd(x^p - x, cubic) is constant.
    """
    cubic = [(b - z) % p, a % p, 0, 1]
    frobenius = power_of_x_modulo(p, cubic, p)
    frobenius[1] = (frobenius[1] - 1) % p
    while frobenius and frobenius[-1] == 0:
        frobenius.pop()
    x = b * pow(z * a, -1, p) % p
    return (
        jacobi(z % p, p) == -1
        and z % p != p - 1
        and polynomial_gcd_degree(cubic, frobenius, p) == 0
        and jacobi((x**3 + a * x + b) % p, p) == 1
    )


def first_z(p: int, a: int, b: int) -> int:
    """find_z_sswu of RFC 9380 appendix H.2: the first that fits of 1, -1, 2, -2, ..."""
    return next(
        z
        for magnitude in range(1, 100)
        for z in (magnitude, -magnitude)
        if meets_the_criteria(z, p, a, b)
    )


def test_z_of_p256_is_what_the_search_finds():
    assert first_z(int(P256.p), int(P256.a), int(P256.b)) == -10


def test_z_of_sm2_is_what_the_search_finds():
    encoding = sm2_curve.ENCODING
    assert first_z(int(encoding.p), int(encoding.a), int(encoding.b)) == -9
    assert encoding.z == encoding.p - 9


def test_field_bytes_leave_128_bits_of_uniformity():
    # RFC 9380 §5.1: L = ceil((ceil(log2 p) + k) / 8) with k = 128.
    assert sm2_curve.ENCODING.field_bytes == (256 + 128) // 8


@given(st.binary(max_size=100), st.binary(min_size=1, max_size=300))
@settings(max_examples=20, deadline=None)
def test_sm2_encoding_matches_a_second_implementation(message, tag):
    point = hash_to_curve.encode_to_curve(message, tag, sm2_curve.ENCODING)
    assert point == plain_gm.encode_to_curve(message, tag)
    assert sm2_curve.on_curve(*point)


@pytest.mark.parametrize("encoding", [P256, sm2_curve.ENCODING], ids=["P-256", "SM2"])
def test_exceptional_field_elements_map_to_the_curve(encoding):
    p, z = int(encoding.p), int(encoding.z)
    # Z^2 u^4 + Z u^2 = 0 for u = 0, and for u^2 = -1/Z, which has a root: -1 and Z are no squares.
    root = pow(-pow(z, -1, p), (p + 1) // 4, p)
    assert (z * root * root + 1) % p == 0
    for u in (0, root, p - root, 1, p - 1):
        x, y = hash_to_curve.map_to_curve(mpz(u), encoding)
        assert (y * y - (x**3 + encoding.a * x + encoding.b)) % p == 0
        assert y % 2 == u % 2
    assert (
        hash_to_curve.map_to_curve(mpz(0), encoding)[0]
        == encoding.b * pow(z * int(encoding.a), -1, p) % p
    )


@pytest.mark.parametrize("length", [0, -1, 255 * 32 + 1, 1 << 16])
def test_lengths_the_hash_cannot_fill_are_refused(length):
    with pytest.raises(ValueError, match="length must be"):
        hash_to_curve.expand_message_xmd(b"", b"tag", length, SHA256)


def test_an_empty_tag_is_refused():
    with pytest.raises(ValueError, match="must not be empty"):
        hash_to_curve.expand_message_xmd(b"", b"", 32, SHA256)
