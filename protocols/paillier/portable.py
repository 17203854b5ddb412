"""A key's arithmetic with GMP: a batch is a list of integers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

from gmpy2 import f_divmod, gcd, invert, mpz, powmod

from protocols.errors import DecodeError
from protocols.paillier.arithmetic import Indices
from protocols.paillier.fixed_base import FixedBase

Integers = list[mpz]
Split = tuple[list[mpz], list[mpz]]
"""A and t of each unit A (1 + n t) modulo n^2; see ``fixed_base``."""


class PortableArithmetic:
    """:class:`~protocols.paillier.arithmetic.Arithmetic` on lists of integers.

    ``h`` is the base of the masks and ``randomness_bytes`` the length of their exponents.
    """

    def __init__(self, n: mpz, h: mpz, randomness_bytes: int) -> None:
        self._n, self._n_squared, self._h = n, n * n, h
        self._randomness_bytes = randomness_bytes
        self._size = n.bit_length() // 4

    def from_integers(self, values: Sequence[mpz]) -> Integers:
        return list(values)

    def to_integers(self, batch: Integers) -> list[mpz]:
        return list(batch)

    def decode(self, data: bytes) -> Integers:
        values = integers(data, self._size)
        # n divides into the product of all residues, so one gcd speaks for the whole batch.
        product = mpz(1)
        for value in values:
            if value >= self._n_squared:
                raise DecodeError("ciphertext is not below n^2")
            product = product * value % self._n
        if gcd(product, self._n) != 1:
            raise DecodeError("ciphertext is not coprime with the modulus")
        return values

    def encode(self, batch: Integers) -> bytes:
        return b"".join(value.to_bytes(self._size, "big") for value in batch)

    def ones(self, count: int) -> Integers:
        return [mpz(1)] * count

    def count(self, batch: Integers) -> int:
        return len(batch)

    def take(self, batch: Integers, positions: Indices) -> Integers:
        return [batch[position] for position in positions.tolist()]

    def join(self, batches: Sequence[Integers]) -> Integers:
        return [value for batch in batches for value in batch]

    def multiply(self, left: Integers, right: Integers) -> Integers:
        return [a * b % self._n_squared for a, b in zip(left, right, strict=True)]

    def divide(self, left: Integers, right: Integers) -> Integers:
        return self.multiply(left, inverses(right, self._n_squared))

    def add_plaintexts(self, batch: Integers, plaintexts: Sequence[int]) -> Integers:
        n, n_squared = self._n, self._n_squared
        return [c * (1 + n * (m % n)) % n_squared for c, m in zip(batch, plaintexts, strict=True)]

    def powers(self, batch: Integers, exponents: Sequence[int]) -> Integers:
        return [powmod(c, e, self._n_squared) for c, e in zip(batch, exponents, strict=True)]

    def squares(self, batch: Integers, times: int) -> Integers:
        return [powmod(c, mpz(1) << times, self._n_squared) for c in batch]

    @cached_property
    def _mask_table(self) -> FixedBase:
        # h^n is public; the table is kept with the key because it takes as long as 750 uses.
        base = powmod(self._h, self._n, self._n_squared)
        return FixedBase(base, self._n, self._randomness_bytes)

    def masks(self, exponents: bytes) -> Integers:
        return self._mask_table.powers(integers(exponents, self._randomness_bytes))

    def prepare(self, batch: Integers) -> Split:
        n = self._n
        halves = [f_divmod(value, n) for value in batch]
        residues = [residue for _, residue in halves]
        slopes = [
            quotient * inverse % n
            for (quotient, _), inverse in zip(halves, inverses(residues, n), strict=True)
        ]
        return residues, slopes

    def join_prepared(self, parts: Sequence[Split]) -> Split:
        return self.join([part[0] for part in parts]), self.join([part[1] for part in parts])

    def sums(self, prepared: Split, positions: Indices, offsets: Indices) -> Integers:
        n, n_squared = self._n, self._n_squared
        residues, slopes = prepared
        places, results = positions.tolist(), []
        for start, stop in pairwise(offsets.tolist()):
            product, slope = mpz(1), mpz(0)
            for place in places[start:stop]:
                product = product * residues[place] % n_squared
                slope += slopes[place]
            results.append(product * (1 + n * (slope % n)) % n_squared)
        return results


class PortableOwner:
    """:class:`~protocols.paillier.arithmetic.OwnerArithmetic` on lists of integers."""

    def __init__(self, p: mpz, q: mpz, h: mpz, randomness_bytes: int) -> None:
        self._p, self._q, self._h = p, q, h
        self._randomness_bytes = randomness_bytes

    @cached_property
    def _mask_tables(self) -> tuple[FixedBase, FixedBase]:
        p, q = self._p, self._q
        size = min(self._randomness_bytes, (p.bit_length() + 7) // 8)
        return (
            FixedBase(powmod(self._h, p * q, p * p), p, size),
            FixedBase(powmod(self._h, p * q, q * q), q, size),
        )

    @cached_property
    def _recombine(self) -> mpz:
        return invert(self._q * self._q, self._p * self._p)

    def masks(self, exponents: bytes) -> Integers:
        # The order of h^n modulo p^2 divides p - 1.
        p, q = self._p, self._q
        drawn = integers(exponents, self._randomness_bytes)
        table_p, table_q = self._mask_tables
        modulo_p = table_p.powers([r % (p - 1) for r in drawn])
        modulo_q = table_q.powers([r % (q - 1) for r in drawn])
        p_squared, q_squared, inverse = p * p, q * q, self._recombine
        return [
            b + q_squared * ((a - b) * inverse % p_squared)
            for a, b in zip(modulo_p, modulo_q, strict=True)
        ]

    @cached_property
    def _decryption(self) -> tuple[mpz, mpz, mpz]:
        # L((n + 1)^(p - 1) mod p^2) is -q modulo p (Paillier 1999, §7); likewise for q.
        p, q = self._p, self._q
        return invert(-q, p), invert(-p, q), invert(p, q)

    def decrypt(self, batch: Integers) -> list[int]:
        p, q = self._p, self._q
        p_squared, q_squared = p * p, q * q
        h_p, h_q, p_inverse = self._decryption
        plaintexts = []
        for ciphertext in batch:
            modulo_p = (powmod(ciphertext, p - 1, p_squared) - 1) // p * h_p % p
            modulo_q = (powmod(ciphertext, q - 1, q_squared) - 1) // q * h_q % q
            plaintexts.append(int(modulo_p + p * ((modulo_q - modulo_p) * p_inverse % q)))
        return plaintexts


def integers(data: bytes, size: int) -> list[mpz]:
    """Return the integers of ``size`` bytes each, big endian, that ``data`` concatenates."""
    return [mpz.from_bytes(data[at : at + size], "big") for at in range(0, len(data), size)]


def inverses(values: Sequence[mpz], modulus: mpz) -> list[mpz]:
    """Return the inverse of each unit, by one inversion (Montgomery, Math. Comp. 48 (1987))."""
    prefixes, product = [], mpz(1)
    for value in values:
        prefixes.append(product)
        product = product * value % modulus
    inverse, results = invert(product, modulus), []
    for prefix, value in zip(reversed(prefixes), reversed(values), strict=True):
        results.append(inverse * prefix % modulus)
        inverse = inverse * value % modulus
    results.reverse()
    return results
