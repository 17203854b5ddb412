"""Blocks for the cipher kernels, and what a cipher of OpenSSL makes of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import ECB

from protocols.suite import get_suite

COUNTS = (0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 79, 80, 81, 129, 1000)


def made(count: int) -> np.ndarray:
    return get_suite("intl").stream(bytes(32), b"blocks").words(2 * count)


def expected(cipher: object, blocks: np.ndarray) -> np.ndarray:
    encrypted = Cipher(cipher, ECB()).encryptor().update(blocks.tobytes())
    return np.frombuffer(encrypted, np.uint64) ^ blocks.reshape(-1)


def check_hash(hash_blocks: Callable[[np.ndarray, np.ndarray], None], cipher: object) -> None:
    """Compare every count with OpenSSL: apart, in place, and without a word past the end."""
    for count in COUNTS:
        blocks = made(count)
        hashed = expected(cipher, blocks)
        around = np.full(2 * count + 4, 7, np.uint64)
        hash_blocks(blocks, around[2:-2])
        assert (around[2:-2] == hashed).all()
        assert (around[[0, 1, -2, -1]] == 7).all()
        shifted = np.concatenate([blocks[:1], blocks])[1:]  # 8 bytes past a boundary, or not
        hash_blocks(shifted, shifted)
        assert (shifted == hashed).all()
