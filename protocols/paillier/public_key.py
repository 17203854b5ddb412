"""The public key: checked on arrival, and everything a party without the secret key computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gmpy2 import gcd, is_power, is_prime, mpz, primorial

from protocols.errors import DecodeError, LocalProtocolError
from protocols.paillier.arithmetic import Arithmetic, Batch
from protocols.paillier.ciphertexts import Ciphertexts
from protocols.paillier.portable import PortableArithmetic
from protocols.suite import RandomStream, Suite

KEY_BITS = (2048, 3072)
"""Modulus sizes: 112 and 128 bits of security (NIST SP 800-57 Part 1 Rev. 5, table 2)."""

SMALL_PRIME_BOUND = 1 << 16
SLACK_BITS = 64  # exponents this much longer than the group order are within 2^-64 of uniform
BASE_INFO = b"fedcrm/paillier/1 base"

EXACT = f"|n|+{SLACK_BITS} bits"
INSTRUCTIONS = {"avx512": "avx512-ifma", "portable": "portable"}


@dataclass(frozen=True)
class PublicKey:
    """Modulus ``n``, and the base ``h`` of every encryption's randomness (SPEC.md §4).

    The generator is n + 1, so ciphertexts are those of Paillier 1999 and of ``phe``. Make one
    with :meth:`from_bytes`, which checks what can be checked, or take it from a private key.
    """

    n: mpz
    h: mpz
    suite: Suite = field(repr=False, compare=False)

    @classmethod
    def from_modulus(cls, n: mpz, suite: Suite) -> PublicKey:
        """Return the key with modulus ``n``; its base is derived, so nobody chooses it."""
        length = (n.bit_length() + 7) // 8
        x = mpz.from_bytes(
            suite.derive(n.to_bytes(length, "big"), BASE_INFO, length + SLACK_BITS // 8), "big"
        )
        return cls(n, -x * x % n, suite)

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

    @property
    def kernels(self) -> str:
        """Which twin computes on this machine: ``avx512`` or ``portable``."""
        return self.suite.kernels

    @property
    def mode(self) -> str:
        """How this key computes, in one line for a report."""
        return f"{INSTRUCTIONS[self.kernels]}; encryption and re-randomisation {EXACT}"

    @cached_property
    def arithmetic(self) -> Arithmetic:
        """What computes modulo n^2, for this package."""
        if self.kernels == "avx512":
            from protocols.paillier.vector import VectorArithmetic  # noqa: PLC0415 - loads numba

            return VectorArithmetic(self.n, self.h, self.randomness_bytes)
        return PortableArithmetic(self.n, self.h, self.randomness_bytes)

    def encode(self, ciphertexts: Ciphertexts) -> bytes:
        """Return the ciphertexts, big endian, ``ciphertext_bytes`` each, concatenated."""
        return self.arithmetic.encode(ciphertexts.under(self))

    def decode(self, data: bytes) -> Ciphertexts:
        """Return the ciphertexts in ``data``.

        Raises :class:`DecodeError` unless ``data`` is a whole number of integers in (0, n^2)
        that are coprime with n.
        """
        if len(data) % self.ciphertext_bytes:
            raise DecodeError("ciphertexts do not fill their bytes")
        return Ciphertexts(self, self.arithmetic.decode(data))

    def from_integers(self, values: Sequence[int]) -> Ciphertexts:
        """Return the ciphertexts that another library, such as ``phe``, knows as integers.

        Raises :class:`DecodeError` for what :meth:`decode` refuses.
        """
        size = self.ciphertext_bytes
        try:
            data = b"".join(int(value).to_bytes(size, "big") for value in values)
        except OverflowError:
            raise DecodeError("ciphertext is not below n^2") from None
        return self.decode(data)

    def zeros(self, count: int) -> Ciphertexts:
        """Return ciphertexts of zero without any randomness: the integer 1, ``count`` times."""
        return Ciphertexts(self, self.arithmetic.ones(count))

    def encrypt(self, plaintexts: Sequence[int], stream: RandomStream) -> Ciphertexts:
        """Return (1 + n m) h^(n r) mod n^2 for each integer m, taken modulo n.

        r has |n| + 64 bits from ``stream``. Whoever has the secret key encrypts faster.
        """
        masks = self.arithmetic.masks(stream.bytes(self.randomness_bytes * len(plaintexts)))
        return Ciphertexts(self, self.arithmetic.add_plaintexts(masks, plaintexts))

    def add(self, left: Ciphertexts, right: Ciphertexts) -> Ciphertexts:
        """Return ciphertexts of the sums, pair by pair."""
        return Ciphertexts(self, self.arithmetic.multiply(*self._pair(left, right)))

    def subtract(self, left: Ciphertexts, right: Ciphertexts) -> Ciphertexts:
        """Return ciphertexts of the differences, pair by pair; one inversion for all of them."""
        return Ciphertexts(self, self.arithmetic.divide(*self._pair(left, right)))

    def add_plaintexts(self, ciphertexts: Ciphertexts, plaintexts: Sequence[int]) -> Ciphertexts:
        """Return ciphertexts of the sums with known integers; their randomness is unchanged."""
        _same_length(len(ciphertexts), len(plaintexts))
        batch = ciphertexts.under(self)
        return Ciphertexts(self, self.arithmetic.add_plaintexts(batch, plaintexts))

    def multiply(self, ciphertexts: Ciphertexts, factors: Sequence[int]) -> Ciphertexts:
        """Return ciphertexts of each plaintext times its own integer factor."""
        _same_length(len(ciphertexts), len(factors))
        return Ciphertexts(self, self.arithmetic.powers(ciphertexts.under(self), factors))

    def shift(self, ciphertexts: Ciphertexts, bits: int) -> Ciphertexts:
        """Return ciphertexts of 2^bits times the plaintexts."""
        if bits < 0:
            raise LocalProtocolError("ciphertexts cannot be shifted to the right")
        return Ciphertexts(self, self.arithmetic.squares(ciphertexts.under(self), bits))

    def rerandomise(self, ciphertexts: Ciphertexts, stream: RandomStream) -> Ciphertexts:
        """Return fresh ciphertexts of the same plaintexts.

        Each is multiplied by h^(n r), r of |n| + 64 bits from ``stream``: to the key's owner,
        whose own ciphertexts have randomness in the same group, the results are within 2^-64 of
        independent of the ciphertexts they were computed from (SPEC.md §4).
        """
        batch = ciphertexts.under(self)
        masks = self.arithmetic.masks(stream.bytes(self.randomness_bytes * len(ciphertexts)))
        return Ciphertexts(self, self.arithmetic.multiply(batch, masks))

    def _pair(self, left: Ciphertexts, right: Ciphertexts) -> tuple[Batch, Batch]:
        _same_length(len(left), len(right))
        return left.under(self), right.under(self)


def _same_length(left: int, right: int) -> None:
    if left != right:
        raise LocalProtocolError(f"{left} ciphertexts but {right} to go with them")
