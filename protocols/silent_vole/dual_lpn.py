"""Compression: what dual LPN makes of sparse noise, and of both parties' shares of it.

An expand-convolute code with systematic generator matrix G = [I | E A] and rate 1/2 (Raghuraman,
Rindal, Tanguy, CRYPTO 2023; SPEC.md §4): E A is the product of two convolutions, then the sum of
one entry from each of seven regions. The Receiver's noise e becomes a = G e; its leaves and the
Sender's, which differ by delta e, become c = G(b' + delta e) and b = G b', so that c = b + delta a.
The code is public and fixed: its randomness is a block cipher over a counter, under keys derived
from this protocol's version.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from protocols.roles import Progress, Role
from protocols.silent_vole.keys import public_hash
from protocols.silent_vole.parameters import CONVOLUTION_PASSES, EXPANDER_WEIGHT, Parameters
from protocols.suite import Indices, Suite, Words

STEP = "compress"


def allocate_leaves(parameters: Parameters) -> Words:
    """Return room for all trees' leaves, shape (length, 2), and what compression needs after."""
    from protocols.kernels.expand_convolute import MARGIN, allocate  # noqa: PLC0415 - loads numba

    return allocate(parameters.length + MARGIN, 2)


def compress(suite: Suite, parameters: Parameters, leaves: Words) -> Role[tuple[Words, Words]]:
    """Return G times the Sender's leaves, as the two planes b_low and b_high.

    ``leaves`` is from :func:`allocate_leaves`, filled, and is overwritten.
    """
    yield from _encode(suite, parameters, leaves, None)
    return _planes(leaves, parameters.size)


def compress_with_noise(
    suite: Suite, parameters: Parameters, leaves: Words, places: Indices, values: Words
) -> Role[tuple[Words, Words, Words]]:
    """Return G times the noise, and times the Receiver's leaves as two planes: a, c_low, c_high.

    The noise is zero but for ``values`` at ``places``. ``leaves`` as for :func:`compress`.
    """
    from protocols.kernels.expand_convolute import MARGIN, allocate  # noqa: PLC0415 - loads numba

    noise = (allocate(parameters.outputs, 1), allocate(parameters.parity + MARGIN, 1))
    after = places >= parameters.outputs
    noise[0][places[~after], 0] = values[~after]
    noise[1][places[after] - parameters.outputs, 0] = values[after]
    yield from _encode(suite, parameters, leaves, noise)
    a = noise[0][: parameters.size, 0]
    del noise
    return a, *_planes(leaves, parameters.size)


def _encode(
    suite: Suite, parameters: Parameters, leaves: Words, noise: tuple[Words, Words] | None
) -> Role[None]:
    """Multiply by G in place: the first ``size`` entries become the result."""
    from protocols.kernels import expand_convolute  # noqa: PLC0415 - loads numba

    portable = suite.kernels == "portable"
    head, parity = leaves[: parameters.size], leaves[parameters.outputs :]
    head_noise, parity_noise = (None, None) if noise is None else noise
    if head_noise is not None:
        head_noise = head_noise[: parameters.size]
    steps = CONVOLUTION_PASSES + EXPANDER_WEIGHT
    randomness = _Randomness(suite, parameters.parity)

    for number in range(CONVOLUTION_PASSES):
        taps = randomness.words(f"taps {number}", parameters.parity)
        expand_convolute.convolve(parity, parity_noise, taps, portable=portable)
        yield Progress(STEP, number + 1, steps)
    for number, region in enumerate(_regions(parameters.parity)):
        random = randomness.words(f"region {number}", parameters.size)
        expand_convolute.expand(
            (head, head_noise), (parity, parity_noise), region, random, portable=portable
        )
        yield Progress(STEP, CONVOLUTION_PASSES + number + 1, steps)


def _regions(length: int) -> Iterator[range]:
    bounds = [length * number // EXPANDER_WEIGHT for number in range(EXPANDER_WEIGHT + 1)]
    return (range(start, stop) for start, stop in itertools.pairwise(bounds))


class _Randomness:
    """The code's random 32-bit words, a part at a time in one place."""

    def __init__(self, suite: Suite, largest: int) -> None:
        self._suite = suite
        blocks = -(-largest // 4)
        self._counters = np.zeros((blocks, 2), np.uint64)
        self._counters[:, 0] = np.arange(blocks, dtype=np.uint64)
        self._hashed = np.empty_like(self._counters)

    def words(self, part: str, count: int) -> npt.NDArray[np.uint32]:
        """Return the first ``count`` words of ``part``; the last answer is overwritten.

        They are the hashes of the blocks 0, 1, 2 ..., all little endian.
        """
        blocks = -(-count // 4)
        hashed = self._hashed[:blocks]
        public_hash(self._suite, part).hash_blocks(self._counters[:blocks], hashed)
        return hashed.reshape(-1).view("<u4")[:count].astype(np.uint32, copy=False)


def _planes(pairs: Words, size: int) -> tuple[Words, Words]:
    return pairs[:size, 0].copy(), pairs[:size, 1].copy()
