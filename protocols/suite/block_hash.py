"""x -> E(x) xor x under one fixed key, in bulk (Matyas, Meyer and Oseas 1985).

The hash of oblivious transfer extension and GGM trees: correlation robust in the ideal-cipher
model (Guo, Katz, Wang and Yu, "Efficient and Secure Multiparty Computation from Fixed-Key Block
Ciphers", IEEE S&P 2020, §3). A key serves one purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import ECB

from protocols.suite.interface import Octets, Words

BLOCK_BYTES = 16
KEY_BYTES = 16
CHUNK_BYTES = 1 << 16  # what the cipher writes is read again while it is in the cache


class PortableBlockHash:
    """:class:`~protocols.suite.interface.BlockHash` by OpenSSL, for one thread at a time."""

    def __init__(self, cipher: SM4 | AES) -> None:
        self._encryptor = Cipher(cipher, ECB()).encryptor()  # noqa: S305 - of one block each
        # OpenSSL wants room for one more block, short of a byte, than it writes.
        self._encrypted = np.empty(CHUNK_BYTES + BLOCK_BYTES - 1, np.uint8)

    def hash_blocks(self, blocks: Words, out: Words) -> None:
        """Write the hash of each 16-byte block of ``blocks`` to ``out``; they may be one array.

        Raises ``ValueError`` unless both are contiguous 64-bit words of one shape, two a block.
        """
        _check(blocks, out)
        source, target = _octets(blocks), _octets(out)
        for start in range(0, len(source), CHUNK_BYTES):
            chunk = source[start : start + CHUNK_BYTES]
            self._encryptor.update_into(chunk.data, self._encrypted.data)
            encrypted = self._encrypted[: len(chunk)]
            np.bitwise_xor(encrypted, chunk, out=target[start : start + CHUNK_BYTES])


class KernelBlockHash:
    """:class:`~protocols.suite.interface.BlockHash` by a kernel and the round keys it takes.

    The kernel is given one row of words that may be written to, and is compiled for nothing else.
    """

    def __init__(self, kernel: Callable[[Words, Words, Any], None], round_keys: Any) -> None:
        self._kernel = kernel
        self._round_keys = round_keys

    def hash_blocks(self, blocks: Words, out: Words) -> None:
        """Write the hash of each 16-byte block of ``blocks`` to ``out``; they may be one array.

        Raises ``ValueError`` unless both are contiguous 64-bit words of one shape, two a block.
        """
        _check(blocks, out)
        if not blocks.flags.writeable:
            np.copyto(out, blocks)
            blocks = out
        self._kernel(blocks.ravel(), out.ravel(), self._round_keys)


def _check(blocks: Words, out: Words) -> None:
    if blocks.dtype != np.uint64 or out.dtype != np.uint64 or blocks.shape != out.shape:
        raise ValueError("blocks and out must be arrays of 64-bit words of one shape")
    if not (blocks.flags.c_contiguous and out.flags.c_contiguous and out.flags.writeable):
        raise ValueError("blocks and out must be contiguous, and out writeable")
    if blocks.size % 2:
        raise ValueError("a block is two 64-bit words")


def _octets(words: Words) -> Octets:
    return words.reshape(-1).view(np.uint8)
