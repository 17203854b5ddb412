"""Many inversions for the price of one: Montgomery, Math. Comp. 48 (1987), §10.3.1."""

from __future__ import annotations

from gmpy2 import invert, mpz


def invert_all(values: list[mpz], p: mpz) -> list[mpz]:
    """Return the inverse of each value modulo the prime ``p``, with one inversion.

    The caller has excluded 0, which would spoil every result.
    """
    prefixes = []
    product = mpz(1)
    for value in values:
        prefixes.append(product)
        product = product * value % p
    inverse = invert(product, p)
    inverses = []
    for prefix, value in zip(reversed(prefixes), reversed(values), strict=True):
        inverses.append(inverse * prefix % p)
        inverse = inverse * value % p
    inverses.reverse()
    return inverses
