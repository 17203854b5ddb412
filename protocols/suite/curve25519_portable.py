"""Curve25519 by x-coordinates in batches, on any machine: the twin of the vector kernels.

Scalar multiplication is X25519 by OpenSSL, which is written to take the same time for every
scalar; checking elements and mapping to the curve is not. The functions are those of
:mod:`protocols.kernels.curve25519`, give the same results and raise the same errors, but that
:func:`multiply` takes the scalars of :class:`~protocols.suite.curve25519.Curve25519Group` only.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from gmpy2 import jacobi, mpz

from protocols.suite import hash_to_curve
from protocols.suite.batch_inversion import invert_all
from protocols.suite.interface import Octets

P = mpz(2**255 - 19)
J = mpz(486662)
X_BYTES = 32
UNIFORM_BYTES = 48
COFACTOR_DOUBLINGS = 3  # the cofactor is 8
BATCH = 1024  # bounds what a shared inversion keeps in memory

LOW_ORDER = frozenset(
    {
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        int(P) - 1,
    }
)
"""The x-coordinates of all points of order 2, 4 and 8, of the curve and of its twist."""


def _sha512(*parts: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA512())
    for part in parts:
        digest.update(part)
    return digest.finalize()


ENCODING = hash_to_curve.Elligator2(
    p=P,
    j=J,
    z=mpz(2),
    field_bytes=UNIFORM_BYTES,
    expander=hash_to_curve.Xmd(_sha512, digest_bytes=64, block_bytes=128),
)
"""curve25519_XMD:SHA-512_ELL2_NU_ (RFC 9380 §8.5)."""


def multiply(scalar: int, elements: Octets) -> Octets:
    """Return the x-coordinate of ``scalar`` times each point, canonical, shape (n, 32).

    Raises ``ValueError`` unless the scalar is a multiple of 8 in [2^254, 2^255), for another
    shape, and if a product is infinity: an element of low order, which was to be refused before.
    """
    _require_rows(elements, X_BYTES)
    if scalar % 8 or scalar >> 254 != 1:
        raise ValueError("the scalar must be a multiple of 8 in [2^254, 2^255)")
    key = X25519PrivateKey.from_private_bytes(scalar.to_bytes(X_BYTES, "little"))
    try:
        products = [key.exchange(X25519PublicKey.from_public_bytes(x)) for x in _each(elements)]
    except ValueError:  # the product is all zero
        raise ValueError(
            "a product is infinity: an element of low order was not refused before"
        ) from None
    return _rows(products)


def check(elements: Octets) -> int:
    """Return the index of the first invalid element, or -1.

    Valid is the canonical x-coordinate of a point of the curve, not of its twist, that is not of
    order 1, 2, 4 or 8. Raises ``ValueError`` unless the shape is (n, 32).
    """
    _require_rows(elements, X_BYTES)
    for index, element in enumerate(_each(elements)):
        x = int.from_bytes(element, "little")
        if x >= P or x in LOW_ORDER or jacobi(((x + J) * x + 1) * x, P) != 1:
            return index
    return -1


def map_elligator2(uniform: Octets) -> Octets:
    """Return the x-coordinates of the points that field elements map to, cofactor cleared.

    A row is the 48 bytes, big endian, that hash_to_field reduces modulo p (RFC 9380 §5.2); the
    result's shape is (n, 32). Raises ``ValueError`` for another shape, or if one maps to the
    identity, which nobody can find.
    """
    _require_rows(uniform, UNIFORM_BYTES)
    xs: list[bytes] = []
    for start in range(0, len(uniform), BATCH):
        xs += _map_batch(uniform[start : start + BATCH])
    return _rows(xs)


def _map_batch(uniform: Octets) -> list[bytes]:
    numerators, denominators = [], []
    for row in _each(uniform):
        u = mpz(int.from_bytes(row, "big")) % P
        x, z = hash_to_curve.elligator2_x(u, ENCODING)
        for _ in range(COFACTOR_DOUBLINGS):
            x, z = _double(x, z)
        numerators.append(x)
        denominators.append(z)
    if not all(denominators):  # one 0 would spoil the shared inversion
        raise ValueError("an item encodes to the identity")
    return [
        int(x * inverse % P).to_bytes(X_BYTES, "little")
        for x, inverse in zip(numerators, invert_all(denominators, P), strict=True)
    ]


def _double(x: mpz, z: mpz) -> tuple[mpz, mpz]:
    """Return the x-coordinate of the double of a point, both as fractions x / z.

    Montgomery, Mathematics of Computation 48 (1987), §10.3.1.
    """
    x2, xz, z2 = x * x % P, x * z % P, z * z % P
    difference = x2 - z2
    return difference * difference % P, 4 * xz * (x2 + J * xz + z2) % P


def _require_rows(octets: Octets, width: int) -> None:
    if octets.dtype != np.uint8 or octets.ndim != 2 or octets.shape[1] != width:
        raise ValueError(f"expected rows of {width} octets")


def _each(rows: Octets) -> Iterator[bytes]:
    return (row.tobytes() for row in rows)


def _rows(xs: list[bytes]) -> Octets:
    return np.frombuffer(b"".join(xs), np.uint8).reshape(len(xs), X_BYTES)
