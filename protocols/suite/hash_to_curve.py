"""Hashing to an elliptic curve: RFC 9380, generic over the curve and the hash function.

``encode_to_curve`` (§3) is the nonuniform encoding: expand_message_xmd (§5.3.1), hash_to_field
with one element (§5.2), and a map: the simplified Shallue-van de Woestijne-Ulas map (§6.6.2) for
Weierstrass curves with a prime field, p = 3 mod 4, a and b not 0, and cofactor 1; Elligator 2
(§6.7.1) for Montgomery curves, of whose result only the x-coordinate is computed. The output is a
point whose discrete logarithm nobody knows, but not a uniform one: only a fraction of the curve's
points are outputs. It must not stand where a random oracle onto the curve is assumed without an
argument that this is enough (§10.1).

Nothing here is constant time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gmpy2 import invert, jacobi, mpz, powmod

MAX_TAG_BYTES = 255
MAX_EXPANSION_BLOCKS = 255


@dataclass(frozen=True, slots=True)
class Xmd:
    """A hash function for expand_message_xmd: its output (b) and input block (s) size, bytes."""

    hash: Callable[..., bytes]
    digest_bytes: int
    block_bytes: int


@dataclass(frozen=True, slots=True)
class SimplifiedSwu:
    """y^2 = x^3 + a x + b over the prime p = 3 mod 4, and how to encode to it (RFC 9380 §8.1).

    ``z`` meets the criteria of §6.6.2; ``field_bytes`` is L of §5.1.
    """

    p: mpz
    a: mpz
    b: mpz
    z: mpz
    field_bytes: int
    expander: Xmd


@dataclass(frozen=True, slots=True)
class Elligator2:
    """t^2 = s^3 + j s^2 + s over the prime p, and how to encode to it (RFC 9380 §6.7.1, §8.5).

    ``z`` is a non-square; ``field_bytes`` is L of §5.1.
    """

    p: mpz
    j: mpz
    z: mpz
    field_bytes: int
    expander: Xmd


def expand_message_xmd(message: bytes, tag: bytes, length: int, expander: Xmd) -> bytes:
    """Return ``length`` uniform bytes from ``message`` under the domain separation tag (§5.3.1).

    A tag beyond 255 bytes is hashed first (§5.3.3). Raises ``ValueError`` for an empty tag
    (§3.1) or a length the hash cannot fill.
    """
    blocks = -(-length // expander.digest_bytes)
    if not tag:
        raise ValueError("the domain separation tag must not be empty")
    if length < 1 or blocks > MAX_EXPANSION_BLOCKS or length > 0xFFFF:
        raise ValueError("length must be positive and within 255 blocks of the hash")
    if len(tag) > MAX_TAG_BYTES:
        tag = expander.hash(b"H2C-OVERSIZE-DST-", tag)
    tag_prime = tag + len(tag).to_bytes(1, "big")

    first = expander.hash(
        bytes(expander.block_bytes), message, length.to_bytes(2, "big"), b"\x00", tag_prime
    )
    block = expander.hash(first, b"\x01", tag_prime)
    output = block
    for number in range(2, blocks + 1):
        mixed = bytes(x ^ y for x, y in zip(first, block, strict=True))
        block = expander.hash(mixed, number.to_bytes(1, "big"), tag_prime)
        output += block
    return output[:length]


def hash_to_field(message: bytes, tag: bytes, encoding: SimplifiedSwu | Elligator2) -> mpz:
    """Return the one field element of ``message`` (§5.2 with count 1)."""
    uniform = expand_message_xmd(message, tag, encoding.field_bytes, encoding.expander)
    return mpz(int.from_bytes(uniform, "big")) % encoding.p


def encode_to_curve(message: bytes, tag: bytes, encoding: SimplifiedSwu) -> tuple[mpz, mpz]:
    """Return the affine point (x, y) that encodes ``message`` (§3)."""
    return map_to_curve(hash_to_field(message, tag, encoding), encoding)


def map_to_curve(u: mpz, encoding: SimplifiedSwu) -> tuple[mpz, mpz]:
    """Return the point the simplified SWU map gives for the field element ``u`` (§6.6.2)."""
    p, a, b, z = encoding.p, encoding.a, encoding.b, encoding.z
    z_u2 = z * u * u % p
    denominator = (z_u2 * z_u2 + z_u2) % p
    if denominator == 0:
        x = b * invert(z * a, p) % p
    else:
        x = -b * (1 + denominator) * invert(a * denominator, p) % p
    y, is_root = _root(x, encoding)
    if not is_root:
        x = z_u2 * x % p
        y, _ = _root(x, encoding)  # a root, because z is not a square: §6.6.2
    if u & 1 != y & 1:
        y = p - y
    return x, y


def elligator2_x(u: mpz, encoding: Elligator2) -> tuple[mpz, mpz]:
    """Return the map's x-coordinate for ``u`` as a fraction: numerator, denominator (§6.7.1).

    The denominator is never 0: -1 is a square and z is none. Telling the curve's x from the
    other takes a Jacobi symbol; the root that y would need is not extracted.
    """
    p, j = encoding.p, encoding.j
    z_u2 = encoding.z * u * u % p
    denominator = 1 + z_u2
    # x1 = -j / denominator; g(x1) = x1^3 + j x1^2 + x1, times the square denominator^4.
    j2 = j * j
    g = -j * denominator * (j2 + denominator * (denominator - j2)) % p
    if jacobi(g, p) >= 0:
        return -j % p, denominator
    return -j * z_u2 % p, denominator  # x2 = -x1 - j


def _root(x: mpz, encoding: SimplifiedSwu) -> tuple[mpz, bool]:
    """Return y with y^2 = g(x), and whether there is one; without it y is meaningless."""
    p = encoding.p
    square = ((x * x + encoding.a) * x + encoding.b) % p
    y = powmod(square, (p + 1) >> 2, p)
    return y, y * y % p == square
