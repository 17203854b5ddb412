"""Fisher-Yates: the reduction of random words to positions, and the swaps. For any processor.

The portable twin is the loop of :meth:`protocols.suite.keystream.Keystream.permutation`, which
says what both compute.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.kernels.jit import kernel

Indices = npt.NDArray[np.int64]


@kernel
def reduce_draws(words: npt.NDArray[np.uint32], draws: Indices, rejected: Indices) -> Any:
    """Write word k modulo n - k to ``draws``, for the first n - 1 positions of n; return a count.

    n is one more than there are words. Words in the incomplete last interval of 2^32 are rejected;
    as many positions k of ``rejected`` as returned say which.
    """
    count = 0
    size = np.uint64(len(words) + 1)
    for k in range(len(words)):
        word = np.uint64(words[k])
        draw = word % size
        draws[k] = np.int64(draw)
        if word - draw > np.uint64(1 << 32) - size:
            rejected[count] = k
            count += 1
        size -= np.uint64(1)
    return count


@kernel
def swap(order: Indices, draws: Indices) -> None:
    """Swap position n - 1 - k with position ``draws[k]``, for each k in turn; n is the length."""
    last = len(order) - 1
    for k in range(len(draws)):
        chosen = draws[k]
        order[last], order[chosen] = order[chosen], order[last]
        last -= 1
