"""Deterministic randomness: a block cipher's counter-mode key stream, read in order.

The cipher and its key are the suite's choice; this file turns the stream's bytes into integers
and permutations, by rejection, so that every outcome is exactly equally likely.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher

REFILL_BYTES = 4096
MAX_PERMUTATION = 1 << 31


class Keystream:
    """The bytes ``cipher`` (a stream or counter-mode cipher) turns zeros into, in order."""

    def __init__(self, cipher: Cipher[Any]) -> None:
        self._encryptor = cipher.encryptor()
        self._buffer = b""

    def bytes(self, length: int) -> bytes:
        """Return the next ``length`` bytes of the stream; how earlier reads were cut is no matter.

        Raises ``ValueError`` for a negative length.
        """
        if length < 0:
            raise ValueError("length must not be negative")
        missing = length - len(self._buffer)
        if missing > 0:
            self._buffer += self._encryptor.update(bytes(max(missing, REFILL_BYTES)))
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def below(self, bound: int) -> int:
        """Return the next uniform integer in [0, bound).

        Reads the fewest whole bytes that hold ``bound - 1``, big endian, clears the excess high
        bits, and reads again while the value is not below ``bound``.
        """
        if bound < 1:
            raise ValueError("bound must be at least 1")
        bits = (bound - 1).bit_length()
        length = (bits + 7) // 8
        while True:
            value = int.from_bytes(self.bytes(length), "big") & ((1 << bits) - 1)
            if value < bound:
                return value

    def permutation(self, length: int) -> list[int]:
        """Return the next uniform permutation of ``range(length)``, length at most 2^31.

        Fisher-Yates from the last position down: position i is swapped with a uniform one in
        [0, i]. All draws are read before the first swap, as big-endian 32-bit words: one per
        position from length - 1 down to 1, reduced modulo i + 1; a word in the incomplete last
        interval is rejected, and the rejected positions are drawn again in the same order.
        """
        if not 0 <= length <= MAX_PERMUTATION:
            raise ValueError("length must be between 0 and 2^31")
        sizes = np.arange(length, 1, -1, dtype=np.uint64)
        draws = np.empty(len(sizes), dtype=np.uint64)
        pending = np.arange(len(sizes))
        while len(pending):
            words = np.frombuffer(self.bytes(4 * len(pending)), dtype=">u4").astype(np.uint64)
            wanted = sizes[pending]
            accepted = words < (1 << 32) // wanted * wanted
            draws[pending[accepted]] = words[accepted] % wanted[accepted]
            pending = pending[~accepted]

        order = list(range(length))
        for last, chosen in zip(range(length - 1, 0, -1), draws.tolist(), strict=True):
            order[last], order[chosen] = order[chosen], order[last]
        return order
