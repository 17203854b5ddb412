"""Method ``ckks``: approximate sums (Cheon, Kim, Kim and Song 2017) by TenSEAL, rounded back."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.errors import RemoteProtocolError
from protocols.sum_ciphers.interface import (
    Method,
    SumKey,
    Words,
    check_contributions,
    check_words,
)
from protocols.sum_ciphers.ring import DEGREE, MODULUS, RingAdder
from protocols.sum_ciphers.ring_cipher import ContextForm, RingCipher, new_context

VALUE_BITS = 24
SCALE_BITS = 50
SLOTS = DEGREE // 2
ROUNDING_BOUND = 2.0**-5
"""Largest distance of an opened sum to the nearest integer; honest ones stay far below it."""
PUBLIC = f"fedcrm/sum-cipher/1 ckks {DEGREE} {MODULUS} 2^{SCALE_BITS}".encode()

_UNIT = 2.0 ** (VALUE_BITS - 1)  # words are encrypted as w / 2^23, in [-1, 1)


class CkksCipher(RingCipher):
    """Encrypts and opens with the job's secret key."""

    method: Method = "ckks"
    modulus = 0
    slots = SLOTS
    dtype = np.float64
    public = PUBLIC

    def __init__(self, secret: bytes) -> None:
        scale = struct.pack("<Bd", 3 << 3 | 1, 2.0**SCALE_BITS)  # protobuf: field 3, a double
        super().__init__(_form(), secret, _vector(), scale)

    def value_bits(self, parties: int) -> int:
        """Return 24, for any number of parties."""
        check_contributions(parties)
        return VALUE_BITS

    def encrypt(self, words: Words, *, seed: bytes) -> list[bytes]:
        """Return ciphertexts of the words; randomness is SEAL's, ``seed`` is not used."""
        del seed
        check_words(words, -(1 << VALUE_BITS - 1), 1 << VALUE_BITS - 1)
        return self._encrypt_blocks(words / _UNIT)

    def decrypt(self, chunks: Sequence[bytes], *, contributions: int, length: int) -> Words:
        """Return the signed sums, exact: what is opened is rounded to the nearest integers.

        Raises :class:`RemoteProtocolError` for a total that lies further from integers than noise
        can bring one, or beyond what so many contributions can add up to.
        """
        values: npt.NDArray[np.float64] = self._decrypt_blocks(chunks, contributions, length)
        values *= _UNIT
        sums = np.rint(values)
        # Written so that NaN fails it.
        if not (np.abs(values - sums) <= ROUNDING_BOUND).all():
            raise RemoteProtocolError("opened sums are not integers: the total was altered")
        if np.abs(sums).max() > contributions * _UNIT:
            raise RemoteProtocolError("opened sums are too large for so many contributions")
        return sums.astype(np.int64)


def generate() -> SumKey:
    """Return a fresh key; drawn inside SEAL."""
    return SumKey("ckks", _form().secret_of(fresh_context()), PUBLIC)


def adder(public: bytes) -> RingAdder:
    """Return the coordinator's side; raises ``RemoteProtocolError`` for other parameters."""
    return RingAdder("ckks", SLOTS, PUBLIC, public)


@cache
def _form() -> ContextForm:
    return ContextForm.of(fresh_context(), _vector())


def fresh_context() -> Any:
    """Return a TenSEAL context of these parameters with a fresh secret key."""
    import tenseal  # noqa: PLC0415

    context = new_context(scheme=tenseal.SCHEME_TYPE.CKKS)
    context.global_scale = 2.0**SCALE_BITS
    return context


def _vector() -> Any:
    import tenseal  # noqa: PLC0415

    return tenseal._ts_cpp.CKKSVector
