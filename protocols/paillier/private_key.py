"""The key pair's secret half: generation, encryption and decryption modulo p^2 and q^2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import phe
from gmpy2 import gcd, invert, is_prime, mpz, powmod, primorial

from protocols.errors import DecodeError, LocalProtocolError
from protocols.paillier.fixed_base import FixedBase
from protocols.paillier.public_key import KEY_BITS, SMALL_PRIME_BOUND, PublicKey
from protocols.suite import RandomStream, Suite

PRIMALITY_ROUNDS = 40  # Baillie-PSW and 16 rounds of Miller-Rabin in GMP


@dataclass(frozen=True, eq=False)
class PrivateKey:
    """The primes of a key. Its tables are built on first use and live as long as the object."""

    public_key: PublicKey
    p: mpz = field(repr=False)
    q: mpz = field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, suite: Suite) -> PrivateKey:
        """Return the key :meth:`to_bytes` wrote; raises :class:`DecodeError`."""
        half = len(data) // 2
        p, q = mpz.from_bytes(data[:half], "big"), mpz.from_bytes(data[half:], "big")
        if 8 * len(data) not in KEY_BITS or not _is_pair(p, q, 8 * len(data)):
            raise DecodeError("not a Paillier private key")
        if not (is_prime(p, PRIMALITY_ROUNDS) and is_prime(q, PRIMALITY_ROUNDS)):
            raise DecodeError("not a Paillier private key")
        return cls(PublicKey.from_modulus(p * q, suite), p, q)

    def to_bytes(self) -> bytes:
        """Return p and q, big endian, ``bits / 16`` bytes each. Secret."""
        size = self.public_key.bits // 16
        data: bytes = self.p.to_bytes(size, "big") + self.q.to_bytes(size, "big")
        return data

    @cached_property
    def _tables(self) -> tuple[FixedBase, FixedBase]:
        size = self.public_key.bits // 16
        h, n = self.public_key.h, self.public_key.n
        return (
            FixedBase(powmod(h, n, self.p * self.p), self.p, size),
            FixedBase(powmod(h, n, self.q * self.q), self.q, size),
        )

    @cached_property
    def _recombine(self) -> mpz:
        return invert(self.q * self.q, self.p * self.p)

    def encrypt_many(self, plaintexts: Sequence[int], stream: RandomStream) -> list[mpz]:
        """Return (1 + n m) h^(n r) mod n^2 for each integer m, taken modulo n.

        r has |n| + 64 bits from ``stream``; the same r reduced modulo p - 1 and q - 1 is the
        exponent modulo p^2 and q^2, where h^n has an order that divides them. So the result is
        exactly that of the public formula (Damgård, Jurik and Nielsen 2010; SPEC.md §4).
        """
        p, q, size = self.p, self.q, self.public_key.randomness_bytes
        drawn = stream.bytes(size * len(plaintexts))
        exponents = [
            mpz.from_bytes(drawn[start : start + size], "big")
            for start in range(0, len(drawn), size)
        ]
        # n = p q, so 1 + n m is 1 + p (q m) modulo p^2: an offset of q m in the table's terms.
        table_p, table_q = self._tables
        modulo_p = table_p.powers([r % (p - 1) for r in exponents], [q * m % p for m in plaintexts])
        modulo_q = table_q.powers([r % (q - 1) for r in exponents], [p * m % q for m in plaintexts])
        p_squared, q_squared, inverse = p * p, q * q, self._recombine
        return [
            b + q_squared * ((a - b) * inverse % p_squared)
            for a, b in zip(modulo_p, modulo_q, strict=True)
        ]

    @cached_property
    def _decryption(self) -> tuple[mpz, mpz, mpz]:
        # L((n + 1)^(p - 1) mod p^2) is -q modulo p (Paillier 1999, §7); likewise for q.
        p, q = self.p, self.q
        return invert(-q, p), invert(-p, q), invert(p, q)

    def decrypt_many(self, ciphertexts: Sequence[mpz]) -> list[mpz]:
        """Return the plaintexts in [0, n), by Chinese remainders (Paillier 1999, §7).

        The ciphertexts are this key's own or came through ``decode_ciphertexts``.
        """
        p, q = self.p, self.q
        p_squared, q_squared = p * p, q * q
        h_p, h_q, p_inverse = self._decryption
        plaintexts = []
        for ciphertext in ciphertexts:
            modulo_p = (powmod(ciphertext, p - 1, p_squared) - 1) // p * h_p % p
            modulo_q = (powmod(ciphertext, q - 1, q_squared) - 1) // q * h_q % q
            plaintexts.append(modulo_p + p * ((modulo_q - modulo_p) * p_inverse % q))
        return plaintexts


def generate_private_key(bits: int, stream: RandomStream, suite: Suite) -> PrivateKey:
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
            key = PrivateKey(PublicKey.from_modulus(p * q, suite), p, q)
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
    (sealed,) = key.encrypt_many([plaintext], stream)
    (opened,) = key.decrypt_many([mpz(reference.raw_encrypt(plaintext, r_value=randomness))])
    if reference_private.raw_decrypt(int(sealed)) != plaintext or opened != plaintext:
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
