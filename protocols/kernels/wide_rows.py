"""Long numbers in memory: rows of limbs, eight of them transposed into lanes, and their bytes.

Numbers rest as *rows*: an array of shape (n, digits, width) of 52-bit limbs, lowest first, where
``width`` is the number of limbs rounded up to whole vectors and what is past the limbs has no
meaning. To compute with, eight rows are *packed*: shape (digits, width, 8), one lane to a row,
64-byte aligned. Rows past the end are copies of the last one: what is computed for them is the
same, and is written to the same place.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from protocols.kernels.jit import kernel
from protocols.kernels.lanes import LANES, VECTOR_BYTES
from protocols.kernels.wide_digits import gather, scatter
from protocols.kernels.wide_montgomery import LIMB_BITS

Words: TypeAlias = npt.NDArray[np.uint64]
Indices: TypeAlias = npt.NDArray[np.int64]
Windows: TypeAlias = npt.NDArray[np.uint16]


def memory(*shape: int) -> Words:
    """Return an array of zeros that starts at a multiple of 64 bytes."""
    count = int(np.prod(shape))
    words = np.zeros(count + LANES, np.uint64)
    start = -words.ctypes.data % VECTOR_BYTES // 8
    return words[start : start + count].reshape(shape)


@kernel
def address(array: npt.NDArray[Any]) -> int:
    """Return where the array begins, as a signed number: unsigned ones make floats of sums."""
    return np.int64(array.ctypes.data)  # type: ignore[return-value]


@kernel
def load(packed: int, rows: Words, first: int, last: int, addresses: Indices) -> None:
    """Pack rows first .. first + 8 of ``rows``; ``last`` stands in for those past it."""
    base, size = address(rows), rows.shape[1] * rows.shape[2]
    for lane in range(LANES):
        addresses[lane] = base + min(first + lane, last) * size * 8
    gather(packed, address(addresses), size // LANES)


@kernel
def store(packed: int, rows: Words, first: int, last: int, addresses: Indices) -> None:
    """Write what was packed by :func:`load` of the same numbers, or computed from it."""
    base, size = address(rows), rows.shape[1] * rows.shape[2]
    for lane in range(LANES):
        addresses[lane] = base + min(first + lane, last) * size * 8
    scatter(packed, address(addresses), size // LANES)


def words_from_octets(data: bytes, size: int) -> Words:
    """Return big-endian numbers of ``size`` bytes, a multiple of 8, as words, lowest first."""
    words = np.frombuffer(data, ">u8").reshape(-1, size // 8)
    return np.ascontiguousarray(words[:, ::-1], np.uint64)


def octets_from_words(words: Words) -> bytes:
    """Return numbers, a row of words each, lowest first, as big-endian bytes."""
    return words[:, ::-1].astype(">u8").tobytes()


@kernel
def all_below(words: Words, bound: Words) -> bool:
    """Return whether every number is below ``bound``, one number of as many words."""
    for row in range(len(words)):
        below = False
        for k in range(words.shape[1] - 1, -1, -1):
            if words[row, k] != bound[k]:
                below = words[row, k] < bound[k]
                break
        if not below:
            return False
    return True


@kernel
def limbs_from_words(rows: Words, words: Words, limbs: int, start: int, stop: int) -> None:
    """Write numbers, a row of words each, as limbs, so many to a digit; the rest is zero."""
    low, limb_bits, word_bits = np.uint64((1 << LIMB_BITS) - 1), np.uint64(52), np.uint64(64)
    for row in range(start, stop):
        held, filled, at = np.uint64(0), np.uint64(0), 0
        for digit in range(rows.shape[1]):
            for k in range(limbs):
                limb = held
                if filled < limb_bits:
                    word = words[row, at] if at < words.shape[1] else np.uint64(0)
                    at += 1
                    limb |= word << filled
                    held = word >> (limb_bits - filled)
                    filled += word_bits - limb_bits
                else:
                    held >>= limb_bits
                    filled -= limb_bits
                rows[row, digit, k] = limb & low
            for k in range(limbs, rows.shape[2]):
                rows[row, digit, k] = np.uint64(0)


@kernel
def words_from_limbs(words: Words, rows: Words, limbs: int, start: int, stop: int) -> None:
    """Write numbers of so many limbs to a digit as words; what has no room is dropped."""
    for row in range(start, stop):
        for k in range(words.shape[1]):
            words[row, k] = np.uint64(0)
        for digit in range(rows.shape[1]):
            for k in range(limbs):
                at = (digit * limbs + k) * LIMB_BITS
                word, shift = at >> 6, np.uint64(at & 63)
                if word < words.shape[1]:
                    words[row, word] |= rows[row, digit, k] << shift
                if shift > np.uint64(64 - LIMB_BITS) and word + 1 < words.shape[1]:
                    words[row, word + 1] |= rows[row, digit, k] >> (np.uint64(64) - shift)


@kernel
def windows_from_words(windows: Windows, words: Words, bits: int) -> None:
    """Write numbers as windows of so many bits, at most 16, lowest first."""
    low, wanted, word_bits = np.uint64((1 << bits) - 1), np.uint64(bits), np.uint64(64)
    for row in range(len(words)):
        held, filled, at = np.uint64(0), np.uint64(0), 0
        for k in range(windows.shape[1]):
            window = held
            if filled < wanted:
                word = words[row, at] if at < words.shape[1] else np.uint64(0)
                at += 1
                window |= word << filled
                held = word >> (wanted - filled)
                filled += word_bits - wanted
            else:
                held >>= wanted
                filled -= wanted
            windows[row, k] = np.uint16(window & low)
