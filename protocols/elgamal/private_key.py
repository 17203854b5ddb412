"""A key's owner: makes the key, encrypts in bulk, and decrypts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from protocols.elgamal.ciphertexts import ciphertext_bytes, first_point, open_with_share
from protocols.suite import Octets, PointGroup, RandomStream


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The secret s in [1, n - 1] of a public key Q = s G."""

    group: PointGroup
    scalar: int = field(repr=False)
    public_key: bytes
    """Q, a compressed point."""

    @classmethod
    def generate(cls, group: PointGroup, stream: RandomStream) -> PrivateKey:
        """Return the key that ``stream`` gives."""
        (scalar,) = group.random_scalars(stream, 1)
        return cls(group, scalar, group.multiply_base([scalar]))

    def encrypt(self, values: npt.NDArray[np.int64], stream: RandomStream) -> Octets:
        """Return a ciphertext of each value (0 or more), shape (n, 2 * point_bytes).

        The owner knows s, so that r Q + v G is (r s + v) G: two multiplications of the generator.
        That r s + v is 0 modulo n, and the point infinite, has probability 1 / n and is a
        ``ValueError``, as a negative value is.
        """
        if len(values) and values.min() < 0:
            raise ValueError("values must not be negative")
        s, n = self.scalar, self.group.order
        scalars = self.group.random_scalars(stream, len(values))
        seconds = [(r * s + v) % n for r, v in zip(scalars, values.tolist(), strict=True)]
        points = np.frombuffer(self.group.multiply_base(scalars + seconds), np.uint8)
        both = points.reshape(2, len(values), self.group.point_bytes)
        return np.concatenate(list(both), axis=1)

    def share(self, point: bytes) -> bytes:
        """Return s times the first point of a ciphertext, for who holds the second.

        Whoever may ask for one share opens one ciphertext of its choice: a key serves one run.
        Raises :class:`~protocols.suite.InvalidElement` if ``point`` is none of the group.
        """
        return self.group.multiply(self.scalar, point)

    def decrypt(self, ciphertext: bytes, bound: int) -> int | None:
        """Return the value in [0, bound) of a ciphertext, or None if it holds no such value.

        ``bound`` is at most 2^48. Raises as :meth:`share` does, and ``ValueError`` for a
        ciphertext of another length.
        """
        if len(ciphertext) != ciphertext_bytes(self.group):
            raise ValueError(f"a ciphertext has {ciphertext_bytes(self.group)} bytes")
        share = self.share(first_point(self.group, ciphertext))
        return open_with_share(self.group, ciphertext, share, bound)
