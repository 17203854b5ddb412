"""Keys whose "ciphertexts" are plaintexts modulo n: everything but the cryptography, and fast.

For the many combinations of options, and for sums no real gradients reach. What is encrypted for
real is in the other tests of this room.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from protocols.paillier import PrivateKey
from tests.protocols.paillier.keys import private_key


class PlainArithmetic:
    """``protocols.paillier.arithmetic.Arithmetic`` and ``OwnerArithmetic`` on the plaintexts."""

    def __init__(self, n):
        self._n = int(n)
        self._size = n.bit_length() // 4

    def from_integers(self, values):
        return [int(value) % self._n for value in values]

    def to_integers(self, batch):
        return list(batch)

    def decode(self, data):
        parts = [data[at : at + self._size] for at in range(0, len(data), self._size)]
        return [int.from_bytes(part, "big") % self._n for part in parts]

    def encode(self, batch):
        return b"".join(value.to_bytes(self._size, "big") for value in batch)

    def ones(self, count):
        return [0] * count

    def count(self, batch):
        return len(batch)

    def take(self, batch, positions):
        return [batch[position] for position in positions.tolist()]

    def join(self, batches):
        return [value for batch in batches for value in batch]

    def multiply(self, left, right):
        return [(a + b) % self._n for a, b in zip(left, right, strict=True)]

    def divide(self, left, right):
        return [(a - b) % self._n for a, b in zip(left, right, strict=True)]

    def add_plaintexts(self, batch, plaintexts):
        return self.multiply(batch, plaintexts)

    def squares(self, batch, times):
        return [(value << times) % self._n for value in batch]

    def masks(self, exponents):
        return [0] * (len(exponents) // ((self._n.bit_length() + 64) // 8))

    def prepare(self, batch):
        return batch

    def join_prepared(self, parts):
        return self.join(parts)

    def sums(self, prepared, positions, offsets):
        values = [prepared[position] for position in positions.tolist()]
        return [sum(values[a:b]) % self._n for a, b in pairwise(offsets.tolist())]

    def decrypt(self, batch):
        return list(batch)


@cache
def transparent_key(bits: int = 2048) -> PrivateKey:
    """A private key, and its public one, that hide nothing."""
    real = private_key(bits)
    public = type(real.public_key)(real.public_key.n, real.public_key.h, real.public_key.suite)
    key = PrivateKey(public, real.p, real.q)
    plain = PlainArithmetic(public.n)
    public.__dict__["arithmetic"] = plain  # where a cached property keeps its value
    key.__dict__["_arithmetic"] = plain
    return key
