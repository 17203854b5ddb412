"""The SM2 curve as the group of ECDH-PSI.

GB/T 32918.1-2016 (arithmetic) and GB/T 32918.5-2017 (parameters): y^2 = x^3 - 3x + b over a
256-bit prime field, prime order n, cofactor 1. The arithmetic is
:mod:`protocols.suite.short_weierstrass` or its twin :mod:`protocols.kernels.weierstrass`; both
run one sequence of doublings and additions for every scalar, and neither is constant time to a
process that can watch this one's memory closely.
"""

from __future__ import annotations

import numpy as np
from gmpy2 import mpz

from protocols.suite import hash_to_curve, short_weierstrass
from protocols.suite.curve_batches import PointArrays, curve_batches, integer_rows, scalar_rows
from protocols.suite.interface import InvalidElement, Items, RandomStream
from protocols.suite.short_weierstrass import Points
from protocols.suite.sm3 import BLOCK_BYTES, DIGEST_BYTES, sm3

CURVE = short_weierstrass.SM2
P, B, N, G_X, G_Y = CURVE.p, CURVE.b, CURVE.n, CURVE.g_x, CURVE.g_y
A = P - 3

COORDINATE_BYTES = short_weierstrass.COORDINATE_BYTES

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


def on_curve(x: int, y: int) -> bool:
    """Whether (x, y) are reduced coordinates of a point of the curve, infinity excluded."""
    return short_weierstrass.on_curve(CURVE, x, y)


def multiply_base(scalar: int) -> tuple[int, int]:
    """Return the affine coordinates of ``scalar * G`` for a scalar in [1, n - 1]."""
    xs, ys = short_weierstrass.multiply_base(CURVE, [scalar])
    return int(xs[0]), int(ys[0])


def multiply_points(scalar: int, xs: list[mpz], ys: list[mpz]) -> Points:
    """Return ``scalar`` times each point; scalar in [1, n - 1], points on the curve.

    The caller has checked the points: an invalid one would spoil the shared inversion.
    """
    return short_weierstrass.multiply(CURVE, scalar, (xs, ys))


class Sm2Group:
    """The SM2 curve as the group of ECDH-PSI: an element is a point's x-coordinate, 32 bytes.

    The x-coordinate is enough: a point and its negative share it, and so do their multiples, so
    that whichever root the peer lifts, both sides end at the same x. Elements are big endian and
    below the field's prime. The cofactor is 1: every point of the curve is in the group, and x
    of a point cannot encode infinity.
    """

    element_bytes = COORDINATE_BYTES

    def __init__(self, kernels: str = "portable") -> None:
        self._kernels = kernels
        self._batches = curve_batches(CURVE, kernels)

    def random_scalar(self, stream: RandomStream) -> int:
        """Return a uniform scalar in [1, n - 1]."""
        return 1 + stream.below(int(N) - 1)

    def check(self, elements: bytes) -> None:
        """Return if each element is the x of a point of the curve; else InvalidElement."""
        self._lifted(elements)

    def hash_and_multiply(self, scalar: int, items: Items, dst: bytes) -> bytes:
        """Return ``scalar * encode_to_curve(item)`` for each item (row), concatenated.

        The domain separation tag is ``dst``, ``-with-`` and the encoding's suite id (RFC 9380
        §3.1, §3.3.1).
        """
        encode = _encode_by_kernels if self._kernels == "avx512" else _encode
        return self._multiplied(scalar, encode(items, dst + b"-with-" + SUITE_ID))

    def multiply(self, scalar: int, elements: bytes) -> bytes:
        """Return ``scalar * element`` for each of the concatenated elements.

        Raises :class:`InvalidElement` before any multiplication if an x is not below the prime
        or belongs to no point of the curve, and ``ValueError`` for a cut-off element.
        """
        return self._multiplied(scalar, self._lifted(elements))

    def divide(self, scalar: int, elements: bytes) -> bytes:
        """Return what :meth:`multiply` by ``scalar`` made the elements of. Raises as it does."""
        return self.multiply(pow(scalar, -1, int(N)), elements)

    def _multiplied(self, scalar: int, points: PointArrays) -> bytes:
        return self._batches.multiply(scalar_rows([scalar], int(N)), points)[0].tobytes()

    def _lifted(self, elements: bytes) -> PointArrays:
        if len(elements) % COORDINATE_BYTES:
            raise ValueError(f"elements must be a multiple of {COORDINATE_BYTES} bytes long")
        x = np.frombuffer(elements, np.uint8).reshape(-1, COORDINATE_BYTES)
        y, invalid = self._batches.lift(x, np.zeros(1, np.bool_))
        if invalid >= 0:
            raise InvalidElement(invalid)
        return x, y


def _encode(items: Items, tag: bytes) -> PointArrays:
    points = [hash_to_curve.encode_to_curve(bytes(item), tag, ENCODING) for item in items]
    return integer_rows([x for x, _ in points]), integer_rows([y for _, y in points])


def _encode_by_kernels(items: Items, tag: bytes) -> PointArrays:
    from protocols.kernels import weierstrass, xmd  # noqa: PLC0415

    uniform = xmd.expand(items, tag, ENCODING.field_bytes, "sm3")
    return weierstrass.map_sswu(weierstrass.SM2, uniform)
