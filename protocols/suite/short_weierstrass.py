"""Batch arithmetic on curves y^2 = x^3 - 3x + b of prime order, with plain integers (GMP).

The portable twin of :mod:`protocols.kernels.weierstrass`, for SM2 (GB/T 32918.5-2017) and NIST
P-256 (SP 800-186, February 2023, §3.2.1.3). Points are affine and come in batches, so that one
field inversion serves every point of a step (Montgomery's trick). The cofactor is 1: every point
of the curve is in the group.

Scalars are recoded to a fixed number of odd signed digits (Joye and Tunstall, "Exponent Recoding
and Regular Exponentiation Algorithms", AFRICACRYPT 2009, §3.2), so that every scalar runs the
same sequence of doublings and additions. The integer arithmetic underneath (GMP) and the table
look-ups are not constant time: a process that can time this one closely is outside the threat
model.

**Which additions meet equal or opposite points.** None but the last of a multiplication, and that
one equal points, for odd k = n - 2, n - 6, ... n - 62: the argument is in
:mod:`protocols.kernels.weierstrass`. :func:`add` doubles where the points of a pair are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from gmpy2 import mpz, powmod

from protocols.suite.batch_inversion import invert_all

WINDOW_BITS = 5
WINDOWS = 52  # the fewest windows of 5 bits that hold a 256-bit scalar
ODD_MULTIPLES = 1 << (WINDOW_BITS - 1)
COORDINATE_BYTES = 32

Points = tuple[list[mpz], list[mpz]]
"""Affine points as their x and their y coordinates, none of them the point at infinity."""


@dataclass(frozen=True, slots=True)
class Curve:
    """y^2 = x^3 - 3x + b over the prime p = 3 mod 4; (g_x, g_y) generates its prime order n."""

    p: mpz
    b: mpz
    n: mpz
    g_x: mpz
    g_y: mpz


SM2 = Curve(
    p=mpz(0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF),
    b=mpz(0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93),
    n=mpz(0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123),
    g_x=mpz(0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7),
    g_y=mpz(0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0),
)
P256 = Curve(
    p=mpz(0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF),
    b=mpz(0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B),
    n=mpz(0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    g_x=mpz(0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296),
    g_y=mpz(0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5),
)


def square_of_y(curve: Curve, x: mpz) -> mpz:
    """Return x^3 - 3x + b, the square of a y if x belongs to a point."""
    return ((x * x - 3) * x + curve.b) % curve.p


def on_curve(curve: Curve, x: int, y: int) -> bool:
    """Whether (x, y) are reduced coordinates of a point of the curve, infinity excluded."""
    in_field = 0 <= x < curve.p and 0 <= y < curve.p
    return bool(in_field and (y * y - square_of_y(curve, mpz(x))) % curve.p == 0)


def lift(curve: Curve, x: mpz) -> mpz | None:
    """Return a y with (x, y) on the curve, either of the two, or None if there is none.

    No point has y = 0: its order would be 2, and n is odd.
    """
    square = square_of_y(curve, x)
    y = powmod(square, (curve.p + 1) >> 2, curve.p)  # a root if there is one, for p = 3 mod 4
    return y if y * y % curve.p == square else None


def multiply(curve: Curve, scalar: int, points: Points) -> Points:
    """Return ``scalar`` times each point; scalar in [1, n - 1], points on the curve.

    The caller has checked the points: an invalid one would spoil the shared inversion.
    """
    return multiply_each(curve, [scalar] * len(points[0]), points)


def multiply_each(curve: Curve, scalars: Sequence[int], points: Points) -> Points:
    """Return scalar_i times point i; scalars in [1, n - 1], points on the curve and checked."""
    if not scalars:
        return [], []
    digits, negative = _recode(curve, scalars)
    table = odd_multiples(curve, points)
    total = _chosen(curve, table, digits[-1])
    for row in reversed(digits[:-1]):
        for _ in range(WINDOW_BITS):
            total = double(curve, total)
        total = add(curve, total, _chosen(curve, table, row))
    return total[0], _negated(curve, total[1], negative)


def multiply_base(curve: Curve, scalars: Sequence[int]) -> Points:
    """Return scalar_i times the generator; scalars in [1, n - 1].

    One addition per window, of a multiple d_i 32^i G out of a table, from the highest window down.
    """
    if not scalars:
        return [], []
    digits, negative = _recode(curve, scalars)
    tables = _base_tables(curve)
    total = _chosen(curve, _repeated(tables[-1], len(scalars)), digits[-1])
    for row, table in zip(reversed(digits[:-1]), reversed(tables[:-1]), strict=True):
        total = add(curve, total, _chosen(curve, _repeated(table, len(scalars)), row))
    return total[0], _negated(curve, total[1], negative)


def odd_multiples(curve: Curve, points: Points) -> list[Points]:
    """Return P, 3P, 5P, ... 31P of each point."""
    doubled = double(curve, points)
    table = [points]
    for _ in range(1, ODD_MULTIPLES):
        table.append(add(curve, table[-1], doubled))
    return table


def odd_digits(scalar: int) -> list[int]:
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


def double(curve: Curve, points: Points) -> Points:
    """Return 2 P for each point."""
    xs, ys = points
    # The order is odd, so no point has y = 0 and every inverse exists.
    inverses = invert_all([y + y for y in ys], curve.p)
    slopes = [
        (3 * (x * x) - 3) * inverse % curve.p for x, inverse in zip(xs, inverses, strict=True)
    ]
    return _along(curve, slopes, points, points)


def add(curve: Curve, first: Points, second: Points) -> Points:
    """Return P + Q for each pair, doubling where they are equal.

    Raises ``ValueError`` if a pair are opposites: their sum is infinity.
    """
    numerators, denominators = [], []
    for x1, y1, x2, y2 in zip(*first, *second, strict=True):
        if x1 != x2:
            numerators.append(y2 - y1)
            denominators.append(x2 - x1)
        elif y1 == y2:
            numerators.append(3 * (x1 * x1) - 3)
            denominators.append(y1 + y1)
        else:
            raise ValueError("the sum of a point and its opposite is infinity")
    slopes = [
        numerator * inverse % curve.p
        for numerator, inverse in zip(numerators, invert_all(denominators, curve.p), strict=True)
    ]
    return _along(curve, slopes, first, second)


def _along(curve: Curve, slopes: list[mpz], first: Points, second: Points) -> Points:
    """Return the sums whose chord or tangent has the given slope."""
    xs = [
        (slope * slope - x1 - x2) % curve.p
        for slope, x1, x2 in zip(slopes, first[0], second[0], strict=True)
    ]
    ys = [
        (slope * (x1 - x3) - y1) % curve.p
        for slope, x1, y1, x3 in zip(slopes, *first, xs, strict=True)
    ]
    return xs, ys


def _recode(curve: Curve, scalars: Sequence[int]) -> tuple[list[list[int]], list[bool]]:
    """Return each window's digits, lowest window first, and where n - scalar stands for scalar."""
    if not all(1 <= scalar < curve.n for scalar in scalars):
        raise ValueError("scalar must be in [1, n - 1]")
    negative = [not scalar & 1 for scalar in scalars]
    n = int(curve.n)
    rows = [
        odd_digits(n - int(scalar) if even else int(scalar))
        for scalar, even in zip(scalars, negative, strict=True)
    ]
    return [list(window) for window in zip(*rows, strict=True)], negative


def _chosen(curve: Curve, table: Sequence[Points], digits: list[int]) -> Points:
    """Return digit_i times point i, ``table`` holding the odd multiples of every point."""
    xs = [table[abs(digit) >> 1][0][i] for i, digit in enumerate(digits)]
    ys = [table[abs(digit) >> 1][1][i] for i, digit in enumerate(digits)]
    return xs, _negated(curve, ys, [digit < 0 for digit in digits])


def _negated(curve: Curve, ys: list[mpz], negative: list[bool]) -> list[mpz]:
    return [curve.p - y if opposite else y for y, opposite in zip(ys, negative, strict=True)]


@cache
def _base_tables(curve: Curve) -> list[list[Points]]:
    """Return the odd multiples of 32^i G for every window i, lowest first."""
    point: Points = [curve.g_x], [curve.g_y]
    bases: Points = [], []
    for _ in range(WINDOWS):
        bases[0].extend(point[0])
        bases[1].extend(point[1])
        for _ in range(WINDOW_BITS):
            point = double(curve, point)
    multiples = odd_multiples(curve, bases)
    return [[([xs[i]], [ys[i]]) for xs, ys in multiples] for i in range(WINDOWS)]


def _repeated(table: list[Points], count: int) -> list[Points]:
    return [(xs * count, ys * count) for xs, ys in table]
