"""A key's arithmetic by the AVX-512 kernels: a batch is an array of pairs, as they take them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from gmpy2 import gcd, invert, mpz, powmod

from protocols.errors import DecodeError
from protocols.kernels.wide_modulus import Pairs, WideModulus
from protocols.kernels.wide_rows import Words
from protocols.paillier.arithmetic import Indices
from protocols.paillier.portable import integers

OWNER_WINDOW_BITS = 9
PUBLIC_WINDOW_BITS = 8
"""Exponent bits that select one entry of a row of the table. Larger rows fit no cache."""


class VectorArithmetic:
    """:class:`~protocols.paillier.arithmetic.Arithmetic` on arrays of pairs modulo n^2.

    ``h`` is the base of the masks and ``randomness_bytes`` the length of their exponents.
    """

    def __init__(self, n: mpz, h: mpz, randomness_bytes: int) -> None:
        self.modulus = WideModulus(n)
        self._n, self._h = n, h
        self._randomness_bytes = randomness_bytes
        self._size = n.bit_length() // 4

    def from_integers(self, values: Sequence[mpz]) -> Pairs:
        return self._pairs(b"".join(value.to_bytes(self._size, "big") for value in values))

    def to_integers(self, batch: Pairs) -> list[mpz]:
        return integers(self.encode(batch), self._size)

    def decode(self, data: bytes) -> Pairs:
        batch = self._pairs(data)
        # n divides into the product of all residues, so one gcd speaks for the whole batch.
        if gcd(self.modulus.product_of_digits(batch), self._n) != 1:
            raise DecodeError("ciphertext is not coprime with the modulus")
        return batch

    def _pairs(self, data: bytes) -> Pairs:
        batch = self.modulus.pairs(data, self._size)
        if batch is None:
            raise DecodeError("ciphertext is not below n^2")
        return batch

    def encode(self, batch: Pairs) -> bytes:
        return self.modulus.octets(batch, self._size)

    def ones(self, count: int) -> Pairs:
        return self.modulus.ones(count)

    def count(self, batch: Pairs) -> int:
        return len(batch)

    def take(self, batch: Pairs, positions: Indices) -> Pairs:
        return self.modulus.take(batch, positions)

    def join(self, batches: Sequence[Pairs]) -> Pairs:
        return self.modulus.join(batches)

    def multiply(self, left: Pairs, right: Pairs) -> Pairs:
        return self.modulus.multiply(left, right)

    def divide(self, left: Pairs, right: Pairs) -> Pairs:
        return self.modulus.divide(left, right)

    def add_plaintexts(self, batch: Pairs, plaintexts: Sequence[int]) -> Pairs:
        n, size = int(self._n), self._size // 2
        data = b"".join((int(m) % n).to_bytes(size, "big") for m in plaintexts)
        return self.modulus.add_multiples(batch, self.modulus.digits(data, size))

    def powers(self, batch: Pairs, exponents: Sequence[int]) -> Pairs:
        negative = np.array([exponent < 0 for exponent in exponents], np.bool_)
        results = self.modulus.powers(batch, [abs(exponent) for exponent in exponents])
        if negative.any():
            results[negative] = self.modulus.divide(
                self.modulus.ones(int(negative.sum())), results[negative]
            )
        return results

    def squares(self, batch: Pairs, times: int) -> Pairs:
        return self.modulus.square(batch, times)

    @cached_property
    def _mask_table(self) -> Words:
        # h^n is public; the table is kept with the key because it takes as long as 750 uses.
        base = powmod(self._h, self._n, self._n**2)
        return _table(self.modulus, base, 8 * self._randomness_bytes, PUBLIC_WINDOW_BITS)

    def masks(self, exponents: bytes) -> Pairs:
        return self.modulus.powers_of_base(
            self._mask_table, exponents, self._randomness_bytes, PUBLIC_WINDOW_BITS
        )

    def prepare(self, batch: Pairs) -> Words:
        return self.modulus.split(batch)

    def join_prepared(self, parts: Sequence[Words]) -> Words:
        return self.modulus.join(parts)

    def sums(self, prepared: Words, positions: Indices, offsets: Indices) -> Pairs:
        return self.modulus.segment_products(prepared, positions, offsets)


class VectorOwner:
    """:class:`~protocols.paillier.arithmetic.OwnerArithmetic` on arrays of pairs modulo n^2."""

    def __init__(
        self, p: mpz, q: mpz, h: mpz, randomness_bytes: int, public: VectorArithmetic
    ) -> None:
        self._p, self._q, self._h = p, q, h
        self._randomness_bytes = randomness_bytes
        self._public = public.modulus
        self._moduli = WideModulus(p), WideModulus(q)
        self._taken_apart = [modulus.constants_from(self._public) for modulus in self._moduli]
        self._joined = self._public.constants_of_join(*self._moduli)

    @cached_property
    def _mask_tables(self) -> list[Words]:
        n = self._p * self._q
        return [
            _table(m, powmod(self._h, n, m.n**2), self._exponent_bits, OWNER_WINDOW_BITS)
            for m in self._moduli
        ]

    @property
    def _exponent_bits(self) -> int:
        return min(8 * self._randomness_bytes, int(self._p.bit_length()))

    def masks(self, exponents: bytes) -> Pairs:
        drawn = integers(exponents, self._randomness_bytes)
        size = self._exponent_bits // 8

        def modulo(modulus: WideModulus, table: Words) -> Pairs:
            order = modulus.n - 1  # the order of h^n modulo p^2 divides it
            reduced = b"".join([(r % order).to_bytes(size, "big") for r in drawn])
            return modulus.powers_of_base(table, reduced, size, OWNER_WINDOW_BITS)

        modulo_p, modulo_q = map(modulo, self._moduli, self._mask_tables)
        return self._public.join_moduli(modulo_p, modulo_q, self._joined)

    @cached_property
    def _decryption(self) -> tuple[mpz, mpz, mpz]:
        # L((n + 1)^(p - 1) mod p^2) is -q modulo p (Paillier 1999, §7); likewise for q.
        p, q = self._p, self._q
        return invert(-q, p), invert(-p, q), invert(p, q)

    def decrypt(self, batch: Pairs) -> list[int]:
        p, q = self._p, self._q
        h_p, h_q, p_inverse = self._decryption
        logarithms = []
        for modulus, constants in zip(self._moduli, self._taken_apart, strict=True):
            own = modulus.change_modulus(self._public, batch, constants)
            powers = modulus.shared_powers(own, modulus.n - 1)
            # A power is 1 + p L: its own upper digit is what Paillier calls L of it.
            logarithms.append(modulus.own_digits(powers)[1])
        plaintexts = []
        for upper_p, upper_q in zip(*logarithms, strict=True):
            modulo_p, modulo_q = upper_p * h_p % p, upper_q * h_q % q
            plaintexts.append(int(modulo_p + p * ((modulo_q - modulo_p) * p_inverse % q)))
        return plaintexts


def _table(modulus: WideModulus, base: mpz, exponent_bits: int, window: int) -> Words:
    return modulus.table(base, -(-exponent_bits // window), window)
