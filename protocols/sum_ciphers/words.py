"""Method ``masks``: no encryption, words modulo 2^32 that pairwise masks cover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.errors import RemoteProtocolError
from protocols.sum_ciphers.interface import (
    Method,
    Words,
    check_contributions,
    check_sizes,
    check_words,
    headroom_bits,
)
from protocols.sum_ciphers.totals import Residues, Totals

MODULUS = 1 << 32
CHUNK_WORDS = 1 << 20
WORD_BYTES = 4
PUBLIC = b"fedcrm/sum-cipher/1 masks 2^32"
"""All an adder has to know: what it adds modulo."""


class WordCipher:
    """Words as they are, four bytes each, little endian; nothing here keeps them secret."""

    method: Method = "masks"
    modulus = MODULUS
    chunk_words = CHUNK_WORDS
    public = PUBLIC

    def value_bits(self, parties: int) -> int:
        """Return 32 less the bits by which sums grow."""
        return 32 - headroom_bits(parties)

    def encrypt(self, words: Words, *, seed: bytes) -> list[bytes]:
        """Return the words' bytes; ``seed`` is not needed."""
        del seed
        check_words(words, 0, MODULUS)
        data = words.astype("<u4").tobytes()
        size = CHUNK_WORDS * WORD_BYTES
        return [data[start : start + size] for start in range(0, len(data), size)]

    def decrypt(self, chunks: Sequence[bytes], *, contributions: int, length: int) -> Words:
        """Return the sums modulo 2^32, masks and all."""
        check_contributions(contributions)
        _check(chunks, length)
        return np.frombuffer(b"".join(chunks), "<u4").astype(np.int64)


class WordAdder:
    """Adds words modulo 2^32."""

    method: Method = "masks"

    def __init__(self, public: bytes) -> None:
        if public not in (b"", PUBLIC):
            raise RemoteProtocolError("masks: public parameters are not this release's")
        self._totals = Totals("<u4", _add)

    def check(self, chunks: Sequence[bytes], *, length: int) -> None:
        """Refuse chunks of other sizes; every word is one that can occur."""
        _check(chunks, length)

    def start(self) -> None:
        """Begin a new sum."""
        self._totals.start()

    def add(self, chunks: Sequence[bytes]) -> None:
        """Add a contribution that was checked."""
        self._totals.add(chunks)

    def total(self) -> list[bytes]:
        """Return the sum's chunks."""
        return self._totals.chunks()


def _check(chunks: Sequence[bytes], length: int) -> None:
    check_sizes(
        chunks,
        length=length,
        unit_words=1,
        unit_bytes=WORD_BYTES,
        chunk_words=CHUNK_WORDS,
    )


def _add(total: Residues, words: Residues) -> None:
    np.add(total, words, out=total)
