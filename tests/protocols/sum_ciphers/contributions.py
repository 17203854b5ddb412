"""Made contributions: one key per method for the whole run, words from a seeded stream."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from protocols import sum_ciphers
from protocols.suite import get_suite
from protocols.sum_ciphers import CipherAdder, Method, SumCipher, SumKey, Words

SUITE = get_suite("gm")
METHODS: tuple[Method, ...] = ("masked_he", "ckks", "paillier", "masks")


@cache
def _made(method: Method, paillier_bits: int) -> tuple[SumKey | None, SumCipher]:
    key = None
    if method != "masks":
        key = sum_ciphers.generate(
            method, paillier_bits=paillier_bits, suite=SUITE, seed=b"key".ljust(32)
        )
    return key, sum_ciphers.cipher(key, method, SUITE)


def key_of(method: Method, paillier_bits: int = 2048) -> SumKey | None:
    return _made(method, paillier_bits)[0]


def cipher_of(method: Method, paillier_bits: int = 2048) -> SumCipher:
    return _made(method, paillier_bits)[1]


def adder_of(method: Method, paillier_bits: int = 2048) -> CipherAdder:
    key = key_of(method, paillier_bits)
    return sum_ciphers.adder(b"" if key is None else key.public, method, SUITE)


def seed_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def drawn(length: int, bits: int, number: int = 0) -> Words:
    """Uniform signed words of ``bits`` bits."""
    words = SUITE.stream(seed_of(number), b"test words").words(length)
    return (words >> np.uint64(64 - bits)).astype(np.int64) - (1 << (bits - 1))


def reduced(words: Words, modulus: int) -> Words:
    return words % modulus if modulus else words


def encrypted(cipher: SumCipher, words: Words, number: int = 0) -> list[bytes]:
    return cipher.encrypt(reduced(words, cipher.modulus), seed=seed_of(number))


def opened_sum(cipher: SumCipher, adder: CipherAdder, contributions: Sequence[Words]) -> Words:
    """Encrypt, check, add and open; signed."""
    length = len(contributions[0])
    adder.start()
    for number, words in enumerate(contributions):
        chunks = encrypted(cipher, words, number)
        adder.check(chunks, length=length)
        adder.add(chunks)
    sums = cipher.decrypt(adder.total(), contributions=len(contributions), length=length)
    assert sums.shape == (length,)
    assert sums.dtype == np.int64
    if not cipher.modulus:
        return sums
    assert sums.min() >= 0
    assert sums.max() < cipher.modulus
    return np.where(sums >= (cipher.modulus + 1) // 2, sums - cipher.modulus, sums)
