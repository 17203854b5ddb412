"""Method ``masked_he``: words modulo a prime t, under BFV (Fan and Vercauteren 2012) by TenSEAL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from protocols.sum_ciphers.interface import (
    Method,
    SumKey,
    Words,
    check_words,
    headroom_bits,
)
from protocols.sum_ciphers.ring import DEGREE, MODULUS, RingAdder
from protocols.sum_ciphers.ring_cipher import ContextForm, RingCipher, new_context

PLAIN_MODULUS = 1099511480321
"""t, the largest prime below 2^40 that is 1 modulo 8192: 4096 words stand in one ciphertext."""
SLOTS = DEGREE
PUBLIC = f"fedcrm/sum-cipher/1 bfv {DEGREE} {MODULUS} {PLAIN_MODULUS}".encode()


class BfvCipher(RingCipher):
    """Encrypts and opens with the job's secret key."""

    method: Method = "masked_he"
    modulus = PLAIN_MODULUS
    slots = SLOTS
    dtype = np.int64
    public = PUBLIC

    def __init__(self, secret: bytes) -> None:
        super().__init__(_form(), secret, _vector(), b"")

    def value_bits(self, parties: int) -> int:
        """Return 39 less the bits by which sums grow: 2^39 < t, so no sum wraps round."""
        return 39 - headroom_bits(parties)

    def encrypt(self, words: Words, *, seed: bytes) -> list[bytes]:
        """Return ciphertexts of the words; randomness is SEAL's, ``seed`` is not used."""
        del seed
        check_words(words, 0, PLAIN_MODULUS)
        return self._encrypt_blocks(words)

    def decrypt(self, chunks: Sequence[bytes], *, contributions: int, length: int) -> Words:
        """Return the sums modulo t, masks and all.

        Whether the total is one of contributions does not show: a wrong one opens to noise.
        """
        centred = self._decrypt_blocks(chunks, contributions, length)
        return np.where(centred < 0, centred + PLAIN_MODULUS, centred)


def generate() -> SumKey:
    """Return a fresh key; drawn inside SEAL."""
    return SumKey("masked_he", _form().secret_of(fresh_context()), PUBLIC)


def adder(public: bytes) -> RingAdder:
    """Return the coordinator's side; raises ``RemoteProtocolError`` for other parameters."""
    return RingAdder("masked_he", SLOTS, PUBLIC, public)


@cache
def _form() -> ContextForm:
    return ContextForm.of(fresh_context(), _vector())


def fresh_context() -> Any:
    """Return a TenSEAL context of these parameters with a fresh secret key."""
    import tenseal  # noqa: PLC0415

    return new_context(scheme=tenseal.SCHEME_TYPE.BFV, plain_modulus=PLAIN_MODULUS)


def _vector() -> Any:
    import tenseal  # noqa: PLC0415

    return tenseal._ts_cpp.BFVVector
