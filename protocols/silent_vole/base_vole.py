"""The base VOLE: one entry per tree, out of the 128 base transfers.

N. Gilboa, "Two Party RSA Key Generation", CRYPTO 1999, §4.1, over GF(2): delta beta is the sum of
x^j beta over the bits j of delta that are 1, and each transfer hands over one such term, masked.
The Receiver ends with c_i, the Sender with b_i, and c_i = b_i + delta beta_i in F.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.silent_vole.keys import purpose
from protocols.suite import Octets, Suite, Words

_LABEL = purpose("base vole")
_TAIL = np.uint64(0x1B)  # x^64 = x^4 + x^3 + x + 1


def correct(
    suite: Suite, pairs: Sequence[tuple[bytes, bytes]], values: Words
) -> tuple[bytes, Words]:
    """Return the Receiver's corrections for its values beta_i, and its c_i, shape (trees, 2)."""
    first = _terms(suite, [pair[0] for pair in pairs], len(values))
    second = _terms(suite, [pair[1] for pair in pairs], len(values))
    second ^= first
    second ^= values
    return second.astype("<u8", copy=False).tobytes(), _weighted_sum(first)


def apply(suite: Suite, keys: Sequence[bytes], bits: Octets, corrections: bytes) -> Words:
    """Return the Sender's b_i, shape (trees, 2); ``corrections`` are of checked length."""
    received = np.frombuffer(corrections, "<u8").reshape(len(keys), -1)
    terms = _terms(suite, keys, received.shape[1])
    terms ^= received & (np.uint64(0) - bits[:, None].astype(np.uint64))
    return _weighted_sum(terms)


def _terms(suite: Suite, keys: Sequence[bytes], count: int) -> Words:
    return np.stack([suite.stream(key, _LABEL).words(count) for key in keys])


def _weighted_sum(terms: Words) -> Words:
    """Return the sum of x^j times row j of each plane: rows 0 to 63 the low one, then the high."""
    planes = []
    for plane in terms.reshape(2, 64, -1):
        total = np.zeros(plane.shape[1], np.uint64)
        for row in plane[::-1]:  # Horner's rule
            carried = np.uint64(0) - (total >> np.uint64(63))
            total = (total << np.uint64(1)) ^ (carried & _TAIL) ^ row
        planes.append(total)
    return np.stack(planes, axis=1)
