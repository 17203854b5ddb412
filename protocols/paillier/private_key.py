"""The key pair's secret half: generation, encryption and decryption modulo p^2 and q^2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias, cast

import phe
from gmpy2 import gcd, is_prime, mpz, primorial

from protocols.errors import DecodeError, LocalProtocolError
from protocols.paillier.arithmetic import OwnerArithmetic
from protocols.paillier.ciphertexts import Ciphertexts
from protocols.paillier.obfuscators import Obfuscators
from protocols.paillier.portable import PortableOwner
from protocols.paillier.public_key import (
    EXACT,
    INSTRUCTIONS,
    KEY_BITS,
    SMALL_PRIME_BOUND,
    PublicKey,
)
from protocols.suite import RandomStream, Suite

Randomness: TypeAlias = Literal["exact", "short"]
"""Exponents of |n| + 64 bits, or of :data:`SHORT_BITS` (SPEC.md §4)."""

SHORT_BITS = 256

PRIMALITY_ROUNDS = 40  # Baillie-PSW and 16 rounds of Miller-Rabin in GMP


@dataclass(frozen=True, eq=False)
class PrivateKey:
    """The primes of a key. Its tables are built on first use and live as long as the object."""

    public_key: PublicKey
    p: mpz = field(repr=False)
    q: mpz = field(repr=False)
    randomness: Randomness = "exact"

    @classmethod
    def from_bytes(cls, data: bytes, suite: Suite, randomness: Randomness = "exact") -> PrivateKey:
        """Return the key :meth:`to_bytes` wrote; raises :class:`DecodeError`."""
        half = len(data) // 2
        p, q = mpz.from_bytes(data[:half], "big"), mpz.from_bytes(data[half:], "big")
        if 8 * len(data) not in KEY_BITS or not _is_pair(p, q, 8 * len(data)):
            raise DecodeError("not a Paillier private key")
        if not (is_prime(p, PRIMALITY_ROUNDS) and is_prime(q, PRIMALITY_ROUNDS)):
            raise DecodeError("not a Paillier private key")
        return cls(PublicKey.from_modulus(p * q, suite), p, q, randomness)

    def to_bytes(self) -> bytes:
        """Return p and q, big endian, ``bits / 16`` bytes each. Secret."""
        size = self.public_key.bits // 16
        data: bytes = self.p.to_bytes(size, "big") + self.q.to_bytes(size, "big")
        return data

    @property
    def mode(self) -> str:
        """How this key computes, in one line for a report."""
        short = f"{SHORT_BITS} bits (short-exponent assumption)"
        exponents = short if self.randomness == "short" else EXACT
        instructions = INSTRUCTIONS[self.public_key.kernels]
        return f"{instructions}; owner exponents {exponents}; re-randomisation {EXACT}"

    @property
    def randomness_bytes(self) -> int:
        """Bytes read from a stream for one encryption by the owner."""
        return SHORT_BITS // 8 if self.randomness == "short" else self.public_key.randomness_bytes

    @cached_property
    def _arithmetic(self) -> OwnerArithmetic:
        arguments = self.p, self.q, self.public_key.h, self.randomness_bytes
        if self.public_key.kernels == "avx512":
            from protocols.paillier.vector import VectorArithmetic, VectorOwner  # noqa: PLC0415

            return VectorOwner(*arguments, cast(VectorArithmetic, self.public_key.arithmetic))
        return PortableOwner(*arguments)

    def encrypt(self, plaintexts: Sequence[int], stream: RandomStream) -> Ciphertexts:
        """Return (1 + n m) h^(n r) mod n^2 for each integer m, taken modulo n.

        r comes from ``stream`` and has |n| + 64 bits, or those of the mode of the key. The same r
        reduced modulo p - 1 and q - 1 is the exponent modulo p^2 and q^2, where h^n has an order
        that divides them. So the result is exactly that of the public formula (Damgård, Jurik and
        Nielsen 2010; SPEC.md §4).
        """
        return self.encrypt_with(plaintexts, self.prepare(len(plaintexts), stream))

    def prepare(self, count: int, stream: RandomStream) -> Obfuscators:
        """Return what ``count`` encryptions need, the costly part, before there are plaintexts.

        ``encrypt_with`` of plaintexts and this gives what ``encrypt`` of them gives.
        """
        masks = self._arithmetic.masks(stream.bytes(self.randomness_bytes * count))
        return Obfuscators(Ciphertexts(self.public_key, masks))

    def encrypt_with(self, plaintexts: Sequence[int], obfuscators: Obfuscators) -> Ciphertexts:
        """Return ciphertexts made with the next of the obfuscators, one each.

        Raises :class:`LocalProtocolError` if there are too few or they are another key's.
        """
        return self.public_key.add_plaintexts(obfuscators.take(len(plaintexts)), plaintexts)

    def decrypt(self, ciphertexts: Ciphertexts) -> list[int]:
        """Return the plaintexts in [0, n), by Chinese remainders (Paillier 1999, §7).

        Raises :class:`LocalProtocolError` if they are another key's.
        """
        return self._arithmetic.decrypt(ciphertexts.under(self.public_key))


def generate_private_key(
    bits: int, stream: RandomStream, suite: Suite, randomness: Randomness = "exact"
) -> PrivateKey:
    """Return a key of ``bits`` (2048 or 3072), deterministic in ``stream``.

    Primes are drawn in the manner of FIPS 186-5 §A.1.3, from uniform candidates with the two top
    bits set, under the further conditions of SPEC.md §4. Raises :class:`LocalProtocolError` for
    another size. The key was checked against ``phe`` before it is returned.
    """
    if bits not in KEY_BITS:
        raise LocalProtocolError("a Paillier key has 2048 or 3072 bits")
    while True:
        p, q = _prime(bits // 2, stream), _prime(bits // 2, stream)
        if _is_pair(p, q, bits):
            key = PrivateKey(PublicKey.from_modulus(p * q, suite), p, q, randomness)
            check_against_reference(key, stream)
            return key


def check_against_reference(key: PrivateKey, stream: RandomStream) -> None:
    """Raise :class:`LocalProtocolError` unless ``phe`` and ``key`` open what the other seals.

    A pair-wise consistency test as FIPS 140-3 asks of new keys, against another implementation: a
    fault in our arithmetic or in this machine's shows before anything is encrypted under the key.
    """
    reference = phe.PaillierPublicKey(int(key.public_key.n))
    reference_private = phe.PaillierPrivateKey(reference, int(key.p), int(key.q))
    plaintext, randomness = stream.below(1 << 128), 2 + stream.below(1 << 1024)
    (sealed,) = key.encrypt([plaintext], stream).integers()
    theirs = reference.raw_encrypt(plaintext, r_value=randomness)
    (opened,) = key.decrypt(key.public_key.from_integers([theirs]))
    if reference_private.raw_decrypt(sealed) != plaintext or opened != plaintext:
        raise LocalProtocolError("the new Paillier key fails its check against the phe library")


def _prime(bits: int, stream: RandomStream) -> mpz:
    """Return a prime p = 3 mod 4 whose (p - 1) / 2 has no factor below 2^16."""
    small_primes = primorial(SMALL_PRIME_BOUND)
    while True:
        candidate = mpz.from_bytes(stream.bytes(bits // 8), "big") | 3
        candidate |= mpz(3) << (bits - 2)
        if gcd(candidate, small_primes) != 1 or gcd(candidate >> 1, small_primes) != 1:
            continue
        if is_prime(candidate, PRIMALITY_ROUNDS):
            return candidate


def _is_pair(p: mpz, q: mpz, bits: int) -> bool:
    """Whether two numbers may be the primes of a key; that they are prime is checked apart."""
    half = bits // 2
    return bool(
        p.bit_length() == q.bit_length() == half
        and (p * q).bit_length() == bits
        and p % 4 == q % 4 == 3
        and abs(p - q) >> (half - 100)
        and gcd(p - 1, q - 1) == 2
        and gcd(p * q, (p - 1) * (q - 1)) == 1
    )
