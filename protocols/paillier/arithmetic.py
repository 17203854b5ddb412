"""What a key computes with: units modulo n^2 in batches, by one of two implementations.

:mod:`protocols.paillier.portable` holds a batch as a list of integers and computes with GMP;
:mod:`protocols.paillier.vector` holds it as limbs for the AVX-512 kernels. Both give the same
integers for the same arguments. Nobody but a key and :class:`~protocols.paillier.Summands` calls
them, and what a batch is made of is the implementation's own business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from gmpy2 import mpz

Indices: TypeAlias = npt.NDArray[np.int64]
Batch: TypeAlias = Any
"""Units modulo n^2, in order."""
Prepared: TypeAlias = Any
"""Units modulo n^2 in the form in which multiplying by them is cheapest."""


class Arithmetic(Protocol):
    """Units modulo n^2, with what is known publicly. Two batches of an operation are as long."""

    def from_integers(self, values: Sequence[mpz]) -> Batch:
        """Return a batch of integers in (0, n^2)."""

    def to_integers(self, batch: Batch) -> list[mpz]:
        """Return the integers in (0, n^2)."""

    def decode(self, data: bytes) -> Batch:
        """Return the batch whose integers are concatenated in ``data``, big endian.

        Raises :class:`~protocols.errors.DecodeError` for one that is not below n^2 or not coprime
        with n. The length of ``data`` is a multiple of that of an integer.
        """

    def encode(self, batch: Batch) -> bytes:
        """Return the integers, big endian and of fixed length, concatenated."""

    def ones(self, count: int) -> Batch:
        """Return ``count`` ones."""

    def count(self, batch: Batch) -> int:
        """Return how many units the batch holds."""

    def take(self, batch: Batch, positions: Indices) -> Batch:
        """Return what stands at ``positions``, all of them in [0, count)."""

    def join(self, batches: Sequence[Batch]) -> Batch:
        """Return at least one batch as one."""

    def multiply(self, left: Batch, right: Batch) -> Batch:
        """Return the products."""

    def divide(self, left: Batch, right: Batch) -> Batch:
        """Return the quotients."""

    def add_plaintexts(self, batch: Batch, plaintexts: Sequence[int]) -> Batch:
        """Return each unit times 1 + n m, m an integer of any sign and size."""

    def powers(self, batch: Batch, exponents: Sequence[int]) -> Batch:
        """Return each unit to the power of its own exponent, of any sign."""

    def squares(self, batch: Batch, times: int) -> Batch:
        """Return each unit to the power of 2^times."""

    def masks(self, exponents: bytes) -> Batch:
        """Return h^(n r) for each r; they are ``randomness_bytes`` each, big endian."""

    def prepare(self, batch: Batch) -> Prepared:
        """Return the units in the form :meth:`sums` takes."""

    def join_prepared(self, parts: Sequence[Prepared]) -> Prepared:
        """Return at least one prepared batch as one."""

    def sums(self, prepared: Prepared, positions: Indices, offsets: Indices) -> Batch:
        """Return the product over each segment ``positions[offsets[k]:offsets[k + 1]]``."""


class OwnerArithmetic(Protocol):
    """What takes the primes."""

    def masks(self, exponents: bytes) -> Batch:
        """Return h^(n r) for each r, as :meth:`Arithmetic.masks`, of the length the owner uses."""

    def decrypt(self, batch: Batch) -> list[int]:
        """Return the plaintexts in [0, n)."""
