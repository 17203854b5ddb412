"""The public key: checked on arrival, and everything a party without the secret key computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gmpy2 import gcd, invert, is_power, is_prime, mpz, powmod, primorial

from protocols.errors import DecodeError
from protocols.paillier.fixed_base import FixedBase
from protocols.suite import RandomStream, Suite

KEY_BITS = (2048, 3072)
"""Modulus sizes: 112 and 128 bits of security (NIST SP 800-57 Part 1 Rev. 5, table 2)."""

SMALL_PRIME_BOUND = 1 << 16
SLACK_BITS = 64  # exponents this much longer than the group order are within 2^-64 of uniform
BASE_INFO = b"fedcrm/paillier/1 base"


@dataclass(frozen=True)
class PublicKey:
    """Modulus ``n``, and the base ``h`` of every encryption's randomness (SPEC.md §4).

    The generator is n + 1, so ciphertexts are those of Paillier 1999 and of ``phe``. Make one
    with :meth:`from_bytes`, which checks what can be checked, or take it from a private key.
    """

    n: mpz
    h: mpz

    @classmethod
    def from_modulus(cls, n: mpz, suite: Suite) -> PublicKey:
        """Return the key with modulus ``n``; its base is derived, so nobody chooses it."""
        length = (n.bit_length() + 7) // 8
        x = mpz.from_bytes(
            suite.derive(n.to_bytes(length, "big"), BASE_INFO, length + SLACK_BITS // 8), "big"
        )
        return cls(n, -x * x % n)

    @classmethod
    def from_bytes(cls, data: bytes, suite: Suite) -> PublicKey:
        """Return the key whose modulus is the big-endian ``data``.

        Raises :class:`DecodeError` for a size that is not in :data:`KEY_BITS` and for a modulus
        that is even, prime, a perfect power or divisible by a prime below 2^16. That a modulus
        has two large factors cannot be seen from it: SPEC.md §5.
        """
        n = mpz.from_bytes(data, "big")
        if n.bit_length() not in KEY_BITS or 8 * len(data) != n.bit_length():
            raise DecodeError("Paillier modulus must be exactly 2048 or 3072 bits")
        if gcd(n, primorial(SMALL_PRIME_BOUND)) != 1 or is_power(n) or is_prime(n):
            raise DecodeError("Paillier modulus is not a product of two large primes")
        key = cls.from_modulus(n, suite)
        if gcd(key.h, n) != 1:
            raise DecodeError("Paillier modulus is not a product of two large primes")
        return key

    def to_bytes(self) -> bytes:
        """Return the modulus, big endian, in ``bits / 8`` bytes."""
        data: bytes = self.n.to_bytes(self.bits // 8, "big")
        return data

    @property
    def bits(self) -> int:
        """Bits of the modulus."""
        return int(self.n.bit_length())

    @property
    def ciphertext_bytes(self) -> int:
        """Bytes of one encoded ciphertext: twice the modulus."""
        return self.bits // 4

    @property
    def randomness_bytes(self) -> int:
        """Bytes read from a stream for one encryption or re-randomisation: |n| + 64 bits."""
        return (self.bits + SLACK_BITS) // 8

    @cached_property
    def n_squared(self) -> mpz:
        """Modulus of the ciphertexts."""
        return self.n * self.n

    @cached_property
    def _randomness(self) -> FixedBase:
        # h^n is public; the table is kept with the key because it takes as long as 750 uses.
        return FixedBase(powmod(self.h, self.n, self.n_squared), self.n, self.randomness_bytes)

    def add(self, left: mpz, right: mpz) -> mpz:
        """Return a ciphertext of the sum."""
        return left * right % self.n_squared

    def subtract(self, left: mpz, right: mpz) -> mpz:
        """Return a ciphertext of the difference."""
        return left * invert(right, self.n_squared) % self.n_squared

    def add_plaintext(self, ciphertext: mpz, plaintext: int) -> mpz:
        """Return a ciphertext of the sum with a known number; its randomness is unchanged."""
        return ciphertext * (1 + self.n * (plaintext % self.n)) % self.n_squared

    def shift(self, ciphertext: mpz, bits: int) -> mpz:
        """Return a ciphertext of 2^bits times the plaintext."""
        return powmod(ciphertext, mpz(1) << bits, self.n_squared)

    def rerandomise_many(self, ciphertexts: Sequence[mpz], stream: RandomStream) -> list[mpz]:
        """Return fresh ciphertexts of the same plaintexts.

        Each is multiplied by h^(n r), r of |n| + 64 bits from ``stream``: to the key's owner,
        whose own ciphertexts have randomness in the same group, the results are within 2^-64 of
        independent of the ciphertexts they were computed from (SPEC.md §4).
        """
        size = self.randomness_bytes
        drawn = stream.bytes(size * len(ciphertexts))
        exponents = [
            mpz.from_bytes(drawn[start : start + size], "big")
            for start in range(0, len(drawn), size)
        ]
        masks = self._randomness.powers(exponents, [mpz(0)] * len(exponents))
        return [self.add(c, mask) for c, mask in zip(ciphertexts, masks, strict=True)]

    def encode_ciphertexts(self, ciphertexts: Sequence[mpz]) -> bytes:
        """Return the ciphertexts, big endian, ``ciphertext_bytes`` each, concatenated."""
        return b"".join(c.to_bytes(self.ciphertext_bytes, "big") for c in ciphertexts)

    def decode_ciphertexts(self, data: bytes) -> list[mpz]:
        """Return the ciphertexts in ``data``.

        Raises :class:`DecodeError` unless ``data`` is a whole number of integers in (0, n^2)
        that are coprime with n.
        """
        size = self.ciphertext_bytes
        if len(data) % size:
            raise DecodeError("ciphertexts do not fill their bytes")
        values = [
            mpz.from_bytes(data[start : start + size], "big") for start in range(0, len(data), size)
        ]
        # n divides into the product of all residues, so one gcd speaks for the whole batch.
        product = mpz(1)
        for value in values:
            if value >= self.n_squared:
                raise DecodeError("ciphertext is not below n^2")
            product = product * value % self.n
        if gcd(product, self.n) != 1:
            raise DecodeError("ciphertext is not coprime with the modulus")
        return values
