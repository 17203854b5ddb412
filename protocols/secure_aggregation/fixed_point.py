"""Numbers as the words that are added: updates in fixed point, and exact integers in limbs.

A word of ``value_bits`` bits is a signed integer v with |v| < 2^(value_bits - 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from protocols.errors import LocalProtocolError

Words = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

LIMB_BITS = 16
MIN_VALUE_BITS = LIMB_BITS + 1  # a limb is a word
MAX_VALUE_BITS = 53  # a word is an exact float64


def quantise(values: Values, bound: float, value_bits: int) -> Words:
    """Return round(clip(v, -bound, bound) / bound * (2^(value_bits - 1) - 1)) for each v.

    The error of a value within the bound is at most half a step, a step being
    bound / (2^(value_bits - 1) - 1). Halves are rounded to even. Raises ``LocalProtocolError`` for
    values that are not finite: nobody could see them once they are encrypted.
    """
    scale = _scale(bound, value_bits)
    if not np.isfinite(values).all():
        raise LocalProtocolError("an update holds values that are not finite: it diverged")
    return np.rint(np.clip(values, -bound, bound) / bound * scale).astype(np.int64)


def dequantise(words: Words, bound: float, value_bits: int) -> Values:
    """Return the number each word, or sum of words, stands for: the inverse of the scaling."""
    return words.astype(np.float64) * (bound / _scale(bound, value_bits))


def limbs(integers: Sequence[int], limbs_each: int) -> Words:
    """Return each integer as ``limbs_each`` words of 16 bits, the lowest first.

    The highest carries the sign: integers are in [-2^(16 limbs_each - 1), 2^(16 limbs_each - 1)).
    What :func:`from_limbs` makes of sums of such words is the sum of the integers, exactly.
    """
    if limbs_each < 1:
        raise LocalProtocolError("an integer takes at least one limb")
    half = 1 << (LIMB_BITS * limbs_each - 1)
    if not all(-half <= integer < half for integer in integers):
        raise LocalProtocolError(f"an integer does not fit {LIMB_BITS * limbs_each} bits")
    low = (1 << LIMB_BITS) - 1
    words = [
        integer >> LIMB_BITS * i if i == limbs_each - 1 else integer >> LIMB_BITS * i & low
        for integer in integers
        for i in range(limbs_each)
    ]
    return np.array(words, dtype=np.int64)


def from_limbs(words: Words, limbs_each: int) -> list[int]:
    """Return the integers whose limbs, or sums of limbs, these are."""
    if limbs_each < 1 or len(words) % limbs_each:
        raise LocalProtocolError(f"{len(words)} words are not integers of {limbs_each} limbs each")
    found = words.tolist()
    return [
        sum(word << LIMB_BITS * i for i, word in enumerate(found[start : start + limbs_each]))
        for start in range(0, len(found), limbs_each)
    ]


def _scale(bound: float, value_bits: int) -> int:
    if not MIN_VALUE_BITS <= value_bits <= MAX_VALUE_BITS:
        raise LocalProtocolError(
            f"words must have {MIN_VALUE_BITS} to {MAX_VALUE_BITS} bits, not {value_bits}"
        )
    if not 0 < bound < float("inf"):
        raise LocalProtocolError("a bound must be positive and finite")
    return (1 << (value_bits - 1)) - 1
