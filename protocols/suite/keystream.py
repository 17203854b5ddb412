"""Deterministic randomness: a block cipher's counter-mode key stream, read in order.

The cipher and its key are the suite's choice; this file turns the stream's bytes into integers
and permutations, by rejection, so that every outcome is exactly equally likely. Long reads and
long permutations are computed by kernels; what comes out is the same either way.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import CTR

from protocols.suite.interface import Indices, Octets, Words

BLOCK_BYTES = 16
REFILL_BYTES = 4096
BULK_BYTES = 1 << 17  # read past the buffer, and worth loading a kernel for
BULK_PERMUTATION = 1 << 14  # worth loading a kernel for
MAX_PERMUTATION = 1 << 31


class Blocks(Protocol):
    """A key stream that can be read at any block of 16 bytes."""

    def write(self, first: int, zeros: Octets) -> None:
        """Write the stream over ``zeros``, from block ``first`` on, as many as there is room for.

        ``zeros`` are whole blocks.
        """


class CounterMode:
    """:class:`Blocks` of a block cipher: block i is i, big endian, encrypted (SP 800-38A §6.5)."""

    def __init__(self, cipher: AES | SM4) -> None:
        self._cipher = cipher
        self._encryptor: CipherContext | None = None
        self._position = 0  # the block where the encryptor stands

    def write(self, first: int, zeros: Octets) -> None:
        """Write the stream over ``zeros``, from block ``first`` on."""
        if self._encryptor is None or first != self._position:
            mode = CTR(first.to_bytes(BLOCK_BYTES, "big"))
            self._encryptor = Cipher(self._cipher, mode).encryptor()
        self._encryptor.update_into(zeros.data, zeros.data)
        self._position = first + len(zeros) // BLOCK_BYTES


class Keystream:
    """The bytes of a key stream, in order, from block 0."""

    def __init__(self, source: Blocks) -> None:
        self._source = source
        self._blocks = 0  # how many were read of the source
        self._buffer = b""
        self._used = 0  # of the buffer

    def bytes(self, length: int) -> bytes:
        """Return the next ``length`` bytes of the stream; how earlier reads were cut is no matter.

        Raises ``ValueError`` for a negative length.
        """
        if length < 0:
            raise ValueError("length must not be negative")
        end = self._used + length
        if end > len(self._buffer):
            return self._fill(np.zeros(length, np.uint8)).tobytes()
        taken = self._buffer[self._used : end]
        self._used = end
        return taken

    def words(self, count: int) -> Words:
        """Return the next ``8 * count`` bytes of the stream as little-endian 64-bit words.

        Raises ``ValueError`` for a negative count.
        """
        if count < 0:
            raise ValueError("count must not be negative")
        words = np.zeros(count, "<u8")
        self._fill(words.view(np.uint8))
        return words.astype(np.uint64, copy=False)

    def _fill(self, zeros: Octets) -> Octets:
        """Write the next bytes of the stream over ``zeros``, and return them."""
        buffered = min(len(self._buffer) - self._used, len(zeros))
        zeros[:buffered] = np.frombuffer(self._buffer, np.uint8, buffered, self._used)
        self._used += buffered
        rest = zeros[buffered:]
        if len(rest) >= BULK_BYTES:
            whole = len(rest) // BLOCK_BYTES * BLOCK_BYTES
            self._read(rest[:whole])
            rest = rest[whole:]
        if len(rest):
            blocks = -(-max(len(rest), REFILL_BYTES) // BLOCK_BYTES)
            refill = np.zeros(blocks * BLOCK_BYTES, np.uint8)
            self._read(refill)
            rest[:] = refill[: len(rest)]
            self._buffer, self._used = refill.tobytes(), len(rest)
        return zeros

    def _read(self, zeros: Octets) -> None:
        self._source.write(self._blocks, zeros)
        self._blocks += len(zeros) // BLOCK_BYTES

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

    def permutation(self, length: int) -> Indices:
        """Return the next uniform permutation of ``range(length)``, length at most 2^31.

        Fisher-Yates from the last position down: position i is swapped with a uniform one in
        [0, i]. All draws are read before the first swap, as big-endian 32-bit words: one per
        position from length - 1 down to 1, reduced modulo i + 1; a word in the incomplete last
        interval is rejected, and the rejected positions are drawn again in the same order.
        """
        if not 0 <= length <= MAX_PERMUTATION:
            raise ValueError("length must be between 0 and 2^31")
        if length >= BULK_PERMUTATION:
            from protocols.kernels import permute  # noqa: PLC0415 - loads numba

            draws = np.empty(length - 1, np.int64)
            rejected = np.empty(length - 1, np.int64)
            count = permute.reduce_draws(self._big_endian_words(length - 1), draws, rejected)
            self._draw(draws, rejected[:count])
            order = np.arange(length, dtype=np.int64)
            permute.swap(order, draws)
            return order

        draws = np.empty(max(length - 1, 0), np.int64)
        self._draw(draws, np.arange(len(draws)))
        positions = list(range(length))
        for last, chosen in zip(range(length - 1, 0, -1), draws.tolist(), strict=True):
            positions[last], positions[chosen] = positions[chosen], positions[last]
        return np.array(positions, dtype=np.int64)

    def _draw(self, draws: Indices, pending: Indices) -> None:
        """Draw the positions of the swaps ``pending``, again and again until all are accepted."""
        while len(pending):
            words = self._big_endian_words(len(pending)).astype(np.int64)
            sizes = len(draws) + 1 - pending
            accepted = words < (1 << 32) // sizes * sizes
            draws[pending[accepted]] = words[accepted] % sizes[accepted]
            pending = pending[~accepted]

    def _big_endian_words(self, count: int) -> npt.NDArray[np.uint32]:
        octets = self._fill(np.zeros(4 * count, np.uint8))
        return octets.view(">u4").astype(np.uint32)
