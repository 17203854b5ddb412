"""The SM2 curve: batch scalar multiplication, and the group of ECDH-PSI.

GB/T 32918.1-2016 (arithmetic) and GB/T 32918.5-2017 (parameters): y^2 = x^3 - 3x + b over a
256-bit prime field, prime order n, cofactor 1. Points are affine and come in batches; a batch
shares one scalar, so its points share every step and one field inversion serves them all
(Montgomery's trick).

Scalars are recoded to a fixed number of odd signed digits (Joye and Tunstall, "Exponent Recoding
and Regular Exponentiation Algorithms", AFRICACRYPT 2009, §3.2), so that every scalar runs the
same sequence of doublings and additions. The integer arithmetic underneath (GMP) and the table
look-ups are not constant time: a process that can time this one closely is outside the threat
model.
"""

from __future__ import annotations

from collections.abc import Sequence

from gmpy2 import jacobi, mpz, powmod

from protocols.suite import hash_to_curve
from protocols.suite.batch_inversion import invert_all
from protocols.suite.interface import InvalidElement, RandomStream
from protocols.suite.sm3 import BLOCK_BYTES, DIGEST_BYTES, sm3

P = mpz(0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF)
A = P - 3
B = mpz(0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93)
N = mpz(0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123)
G_X = mpz(0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7)
G_Y = mpz(0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0)

COORDINATE_BYTES = 32
WINDOW_BITS = 5
WINDOWS = 52  # the fewest windows of 5 bits that hold a 256-bit scalar
BATCH = 1024  # bounds the table of odd multiples to a few megabytes

SUITE_ID = b"SM2_XMD:SM3_SSWU_NU_"
"""Hash to curve in the style of RFC 9380 §8; the RFC itself registers no suite for SM2."""

ENCODING = hash_to_curve.SimplifiedSwu(
    p=P,
    a=A,
    b=B,
    z=P - 9,
    field_bytes=48,
    expander=hash_to_curve.Xmd(sm3, digest_bytes=DIGEST_BYTES, block_bytes=BLOCK_BYTES),
)

Points = tuple[list[mpz], list[mpz]]
"""Affine points as their x and their y coordinates, none of them the point at infinity."""


def on_curve(x: int, y: int) -> bool:
    """Whether (x, y) are reduced coordinates of a point of the curve, infinity excluded."""
    return bool(0 <= x < P and 0 <= y < P and (y * y - _square_of_y(mpz(x))) % P == 0)


def lift(x: mpz) -> mpz | None:
    """Return a y with (x, y) on the curve, either of the two, or None if there is none."""
    square = _square_of_y(x)
    y = powmod(square, (P + 1) >> 2, P)  # a root if there is one, for P = 3 mod 4
    return y if y * y % P == square else None


def _square_of_y(x: mpz) -> mpz:
    return ((x * x + A) * x + B) % P


def multiply_base(scalar: int) -> tuple[int, int]:
    """Return the affine coordinates of ``scalar * G`` for a scalar in [1, n - 1]."""
    xs, ys = multiply_points(scalar, [G_X], [G_Y])
    return int(xs[0]), int(ys[0])


def multiply_points(scalar: int, xs: list[mpz], ys: list[mpz]) -> Points:
    """Return ``scalar`` times each point; scalar in [1, n - 1], points on the curve.

    The caller has checked the points: an invalid one would spoil the shared inversion.
    """
    if not 1 <= scalar < N:
        raise ValueError("scalar must be in [1, n - 1]")
    if not xs:
        return [], []
    digits = _odd_digits(scalar if scalar & 1 else int(N) - scalar)

    doubled = _double(xs, ys)
    table = [(xs, ys)]
    for _ in range(1, 1 << (WINDOW_BITS - 1)):
        table.append(_add(table[-1], doubled))

    total = table[digits[-1] >> 1]
    for digit in reversed(digits[:-1]):
        for _ in range(WINDOW_BITS):
            total = _double(*total)
        multiple_xs, multiple_ys = table[abs(digit) >> 1]
        if digit < 0:
            multiple_ys = [P - y for y in multiple_ys]
        total = _add(total, (multiple_xs, multiple_ys))

    if scalar & 1:
        return total
    return total[0], [P - y for y in total[1]]


def _odd_digits(scalar: int) -> list[int]:
    """Return odd digits d_i, |d_i| < 2^w, lowest first, with scalar = sum of d_i 2^(w i).

    ``scalar`` is odd, so an even one is replaced by n - scalar before; there are always
    ``WINDOWS`` digits and the highest is positive.
    """
    digits = []
    for _ in range(WINDOWS - 1):
        digit = (scalar & ((2 << WINDOW_BITS) - 1)) - (1 << WINDOW_BITS)
        digits.append(digit)
        scalar = (scalar - digit) >> WINDOW_BITS
    digits.append(scalar)
    return digits


def _double(xs: list[mpz], ys: list[mpz]) -> Points:
    # The order is odd, so no point has y = 0 and every inverse exists.
    inverses = invert_all([y + y for y in ys], P)
    slopes = [(3 * (x * x) - 3) * inverse % P for x, inverse in zip(xs, inverses, strict=True)]
    new_xs = [(s * s - x - x) % P for s, x in zip(slopes, xs, strict=True)]
    new_ys = [
        (s * (x - new_x) - y) % P for s, x, new_x, y in zip(slopes, xs, new_xs, ys, strict=True)
    ]
    return new_xs, new_ys


def _add(first: Points, second: Points) -> Points:
    (x1s, y1s), (x2s, y2s) = first, second
    # Both batches are the same two multiples of each point, and every point has order n: if one
    # pair is equal, all are. It happens for a handful of scalars next to n. A pair of opposites
    # would make a proper multiple of a point infinity, which no scalar in [1, n - 1] does.
    if x1s[0] == x2s[0]:
        return _double(x1s, y1s)
    inverses = invert_all([x2 - x1 for x1, x2 in zip(x1s, x2s, strict=True)], P)
    slopes = [(y2 - y1) * inverse % P for y1, y2, inverse in zip(y1s, y2s, inverses, strict=True)]
    new_xs = [(s * s - x1 - x2) % P for s, x1, x2 in zip(slopes, x1s, x2s, strict=True)]
    new_ys = [
        (s * (x1 - new_x) - y1) % P
        for s, x1, new_x, y1 in zip(slopes, x1s, new_xs, y1s, strict=True)
    ]
    return new_xs, new_ys


class Sm2Group:
    """The SM2 curve as the group of ECDH-PSI: an element is a point's x-coordinate, 32 bytes.

    The x-coordinate is enough: a point and its negative share it, and so do their multiples, so
    that whichever root the peer lifts, both sides end at the same x. Elements are big endian and
    below the field's prime. The cofactor is 1: every point of the curve is in the group, and x
    of a point cannot encode infinity.
    """

    element_bytes = COORDINATE_BYTES

    def random_scalar(self, stream: RandomStream) -> int:
        """Return a uniform scalar in [1, n - 1]."""
        return 1 + stream.below(int(N) - 1)

    def check(self, elements: bytes) -> None:
        """Return if each element is the x of a point of the curve; else InvalidElement."""
        for index, x in enumerate(_coordinates(elements)):
            if x >= P or jacobi(_square_of_y(x), P) < 0:
                raise InvalidElement(index)

    def hash_and_multiply(self, scalar: int, items: Sequence[bytes], dst: bytes) -> bytes:
        """Return ``scalar * encode_to_curve(item)`` for each item, concatenated.

        The domain separation tag is ``dst``, ``-with-`` and the encoding's suite id (RFC 9380
        §3.1, §3.3.1).
        """
        tag = dst + b"-with-" + SUITE_ID
        xs, ys = [], []
        for item in items:
            x, y = hash_to_curve.encode_to_curve(item, tag, ENCODING)
            xs.append(x)
            ys.append(y)
        return _multiply_to_bytes(scalar, xs, ys)

    def multiply(self, scalar: int, elements: bytes) -> bytes:
        """Return ``scalar * element`` for each of the concatenated elements.

        Raises :class:`InvalidElement` before any multiplication if an x is not below the prime
        or belongs to no point of the curve, and ``ValueError`` for a cut-off element.
        """
        xs = _coordinates(elements)
        ys = []
        for index, x in enumerate(xs):
            y = lift(x) if x < P else None
            if y is None:
                raise InvalidElement(index)
            ys.append(y)
        return _multiply_to_bytes(scalar, xs, ys)


def _coordinates(elements: bytes) -> list[mpz]:
    if len(elements) % COORDINATE_BYTES:
        raise ValueError(f"elements must be a multiple of {COORDINATE_BYTES} bytes long")
    return [
        mpz(int.from_bytes(elements[start : start + COORDINATE_BYTES], "big"))
        for start in range(0, len(elements), COORDINATE_BYTES)
    ]


def _multiply_to_bytes(scalar: int, xs: list[mpz], ys: list[mpz]) -> bytes:
    results = bytearray()
    for start in range(0, len(xs), BATCH):
        batch = slice(start, start + BATCH)
        for x in multiply_points(scalar, xs[batch], ys[batch])[0]:
            results += int(x).to_bytes(COORDINATE_BYTES, "big")
    return bytes(results)
