"""Bytes as the field GF(2^8) of AES, modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197 §4); one at a time.

For key schedules and checks; nothing here is constant time or fast.
"""

from __future__ import annotations

POLYNOMIAL = 0x11B


def multiply(x: int, y: int) -> int:
    """Return the product of two elements."""
    product = 0
    while y:
        if y & 1:
            product ^= x
        x <<= 1
        if x & 0x100:
            x ^= POLYNOMIAL
        y >>= 1
    return product


def inverse(x: int) -> int:
    """Return x^254: the inverse, and 0 for 0."""
    result = 1
    for _ in range(7):  # 254 is 2 + 4 + ... + 128
        x = multiply(x, x)
        result = multiply(result, x)
    return result
