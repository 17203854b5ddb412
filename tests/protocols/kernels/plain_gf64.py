"""GF(2^64) by its definition, with polynomials over GF(2) as integers."""

from __future__ import annotations

POLYNOMIAL = 1 << 64 | 0b11011


def times(x: int, y: int) -> int:
    """The product by the definition: of polynomials, then the remainder by long division."""
    product = 0
    for bit in range(64):
        if y >> bit & 1:
            product ^= x << bit
    for bit in range(127, 63, -1):
        if product >> bit & 1:
            product ^= POLYNOMIAL << bit - 64
    return product
