"""Masks over vectors of words: the seeds' expansions, added and subtracted.

Bonawitz, Ivanov, Kreuter, Marcedone, McMahan, Patel, Ramage, Segal and Seth, "Practical Secure
Aggregation for Privacy-Preserving Machine Learning", CCS 2017, §4: party u sends

    y_u = x_u + PRG(b_u) + sum over v > u of PRG(s_uv) - sum over v < u of PRG(s_uv)   (mod R)

of its input x_u, so that in the sum of all y_u the pairwise masks cancel and only the self masks
stay, which are removed once their seeds b_u are known. Here R is the ``modulus``, and the caller
says which seeds are added and which subtracted.

**The expansion** PRG(seed) for a modulus R from 2 to 2^40. Let ``bits`` be the length of R - 1 in
bits and ``width`` the fewest bytes that hold them. The bytes of ``suite.stream(seed, INFO)`` are
cut into candidates of ``width`` bytes each, in order; a candidate is those bytes as an integer,
little endian, modulo 2^bits. Candidates that are R or more are passed over, and the k-th of the
others, from 0 on, is the mask of word k. So words are uniform modulo R exactly; for R = 2^32 none
is passed over, and a word costs four bytes of the stream.

A longer expansion of a seed begins with the shorter one: a seed serves one vector, ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.suite import RandomStream, Suite

Words = npt.NDArray[np.int64]

INFO = b"fedcrm/secure-aggregation/mask/1"
SEED_BYTES = 32
MAX_MODULUS = 1 << 40

_BLOCK_WORDS = 1 << 16
"""A block's sums and one expansion stay in the second-level cache; long enough for bulk reads."""
_CANDIDATE_BYTES = 8  # as which a candidate of any width is read


def add_masks(
    words: Words, modulus: int, plus: Sequence[bytes], minus: Sequence[bytes], suite: Suite
) -> Words:
    """Return ``words`` plus the expansions of ``plus``, less those of ``minus``.

    ``words`` are any 64-bit integers, shape (n,); the result is a new array, in [0, modulus).
    Seeds are 32 secret bytes. The module's text fixes the expansion. Beside the result, memory
    grows neither with n nor, but for a few kilobytes each, with the number of seeds. Raises
    ``ValueError`` for another shape, type, modulus or length of a seed.
    """
    _check(words, modulus)
    signed = [(seed, np.add) for seed in plus] + [(seed, np.subtract) for seed in minus]
    if any(len(seed) != SEED_BYTES for seed, _ in signed):
        raise ValueError(f"the seed of a mask must be {SEED_BYTES} bytes")
    expansions = [(_Expansion(suite.stream(seed, INFO), modulus), sign) for seed, sign in signed]
    masked = np.empty(len(words), np.int64)
    for start in range(0, len(words), _BLOCK_WORDS):
        # Below 2^40 each: millions of masks fit 64 bits before the one reduction.
        total = _reduced(words[start : start + _BLOCK_WORDS], modulus)
        for expansion, sign in expansions:
            sign(total, expansion.next(len(total)), out=total)
        masked[start : start + _BLOCK_WORDS] = _reduced(total, modulus)
    return masked


def remove_masks(
    words: Words, modulus: int, plus: Sequence[bytes], minus: Sequence[bytes], suite: Suite
) -> Words:
    """Return the words modulo ``modulus`` of which :func:`add_masks` with these seeds made these.

    In [0, modulus); :func:`centred` makes signed numbers of them. Raises as :func:`add_masks`.
    """
    return add_masks(words, modulus, minus, plus, suite)


def centred(words: Words, modulus: int) -> Words:
    """Return of each word the number that equals it modulo ``modulus`` and lies nearest to 0.

    From -R / 2 to R / 2 - 1 for an even modulus R, from -(R - 1) / 2 to (R - 1) / 2 for an odd
    one. Raises ``ValueError`` for another shape, type or modulus than :func:`add_masks` takes.
    """
    _check(words, modulus)
    half = modulus // 2
    return _reduced(_reduced(words, modulus) + half, modulus) - half


class _Expansion:
    """The words of one seed's expansion, read in order."""

    def __init__(self, stream: RandomStream, modulus: int) -> None:
        self._stream = stream
        self._modulus = modulus
        self._bits = (modulus - 1).bit_length()
        self._width = -(-self._bits // 8)
        self._left = np.empty(0, np.int64)  # accepted, and not yet read

    def next(self, count: int) -> npt.NDArray[Any]:
        """Return the next ``count`` words, as integers of some size."""
        parts, missing = [self._left], count - len(self._left)
        while missing > 0:
            parts.append(self._accepted(missing))
            missing -= len(parts[-1])
        words = parts[1] if len(parts) == 2 and not len(parts[0]) else np.concatenate(parts)
        self._left = words[count:].astype(np.int64)
        return words[:count]

    def _accepted(self, wanted: int) -> npt.NDArray[Any]:
        """Return what stays of so many candidates, or up to seven more."""
        eights = -(-wanted // 8)  # whose bytes are whole words of the stream
        octets = self._stream.words(self._width * eights).astype("<u8", copy=False).view(np.uint8)
        candidates: npt.NDArray[Any]
        if self._width in (1, 2, 4):
            candidates = octets.view(f"<u{self._width}")
        else:
            padded = np.empty(len(octets) + _CANDIDATE_BYTES, np.uint8)
            padded[: len(octets)] = octets
            candidates = np.ndarray((8 * eights,), "<i8", padded.data, strides=(self._width,))
        if self._bits % 8 or candidates.itemsize != self._width:
            candidates = candidates & ((1 << self._bits) - 1)
        if self._modulus == 1 << self._bits or candidates.max() < self._modulus:
            return candidates
        return candidates[candidates < self._modulus]


def _reduced(words: Words, modulus: int) -> Words:
    """Return each word modulo ``modulus``, in a new array."""
    # The same for a power of two, without the division.
    return words & (modulus - 1) if modulus & (modulus - 1) == 0 else words % modulus


def _check(words: Words, modulus: int) -> None:
    if words.dtype != np.int64 or words.ndim != 1:
        raise ValueError("words must be one row of 64-bit integers")
    if not 2 <= modulus <= MAX_MODULUS:
        raise ValueError("a modulus must be between 2 and 2^40")
