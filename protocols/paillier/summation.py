"""Sums over chosen subsets of many ciphertexts: the histograms of a passive party."""

from __future__ import annotations

import numpy as np

from protocols.paillier.arithmetic import Indices, Prepared
from protocols.paillier.ciphertexts import Ciphertexts, check_positions
from protocols.paillier.public_key import PublicKey


class Summands:
    """Ciphertexts prepared to be added many times over.

    Each is held as A (1 + n t) modulo n^2 (SPEC.md §4), so that adding one more costs a
    multiplication by a number of |n| bits instead of 2 |n|. The preparation is worth about three
    additions.
    """

    def __init__(self, public_key: PublicKey) -> None:
        self.public_key = public_key
        self._parts: list[Prepared] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def extend(self, ciphertexts: Ciphertexts) -> None:
        """Append ``ciphertexts``."""
        batch = ciphertexts.under(self.public_key)
        self._parts.append(self.public_key.arithmetic.prepare(batch))
        self._length += len(ciphertexts)

    def sums(self, positions: Indices, offsets: Indices) -> Ciphertexts:
        """Return a ciphertext of each segment's sum.

        Segment k is what stands at ``positions[offsets[k]:offsets[k + 1]]``; ``offsets`` ascends
        from 0 to the number of positions. An empty segment gives 1, a ciphertext of zero with no
        randomness: results are to be re-randomised before they leave the party. Raises
        ``IndexError`` for a position that is not there and ``ValueError`` for other offsets.
        """
        check_positions(positions, len(self))
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(positions):
            raise ValueError("offsets must run from 0 to the number of positions")
        if np.any(offsets[1:] < offsets[:-1]):
            raise ValueError("offsets must not descend")
        arithmetic = self.public_key.arithmetic
        if not self._parts:
            return self.public_key.zeros(len(offsets) - 1)
        if len(self._parts) > 1:
            self._parts = [arithmetic.join_prepared(self._parts)]
        return Ciphertexts(self.public_key, arithmetic.sums(self._parts[0], positions, offsets))
