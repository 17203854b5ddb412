"""Secret sharing: any ``threshold`` shares give the secret, fewer say nothing about it.

A. Shamir, "How to Share a Secret", Communications of the ACM 22(11), 1979: the secret is the
constant term of a polynomial of degree threshold - 1 over a prime field, and share i is its value
at i. The field is that of p = 2^256 + 297, the smallest prime above 2^256, so that every secret of
32 bytes is an element; a share is 33 bytes, big endian.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols.suite import RandomStream

PRIME = (1 << 256) + 297
SECRET_BYTES = 32
SHARE_BYTES = 33


def polynomial(secret: bytes, threshold: int, stream: RandomStream) -> list[int]:
    """Return coefficients, the constant first: the secret and then uniform ones from ``stream``."""
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a secret is {SECRET_BYTES} bytes")
    if threshold < 1:
        raise ValueError("a threshold must be at least 1")
    return [int.from_bytes(secret, "big"), *(stream.below(PRIME) for _ in range(threshold - 1))]


def share(coefficients: Sequence[int], point: int) -> bytes:
    """Return the share at ``point``, 1 or more: the polynomial's value there (Horner's rule)."""
    if not 1 <= point < PRIME:
        raise ValueError("a share's point is at least 1: at 0 stands the secret")
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * point + coefficient) % PRIME
    return value.to_bytes(SHARE_BYTES, "big")


def decode_share(data: bytes) -> int:
    """Return the field element; raises ``ValueError`` for other bytes than a share's."""
    value = int.from_bytes(data, "big")
    if len(data) != SHARE_BYTES or value >= PRIME:
        raise ValueError(f"a share is {SHARE_BYTES} bytes, big endian, below 2^256 + 297")
    return value


def weights(points: Sequence[int]) -> list[int]:
    """Return Lagrange's coefficients at 0 for distinct ``points``: they serve every secret."""
    if len(set(points)) != len(points) or not all(1 <= point < PRIME for point in points):
        raise ValueError("points must differ and be at least 1")
    found = []
    for own in points:
        numerator = denominator = 1
        for other in points:
            if other != own:
                numerator = numerator * other % PRIME
                denominator = denominator * (other - own) % PRIME
        found.append(numerator * pow(denominator, -1, PRIME) % PRIME)
    return found


def recover(coefficients_at_zero: Sequence[int], shares: Sequence[int]) -> bytes | None:
    """Return the secret of as many shares as :func:`weights` has points, in their order.

    None where it is no secret of 32 bytes: then a share was wrong.
    """
    value = sum(w * s for w, s in zip(coefficients_at_zero, shares, strict=True)) % PRIME
    return None if value >> 8 * SECRET_BYTES else value.to_bytes(SECRET_BYTES, "big")
