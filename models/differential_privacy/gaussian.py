"""Gaussian noise from a suite's stream: a cipher's key stream, never a library's generator.

A float64 sample is one of few values among those around it, and which ones depends on how it was
made: the low bits of a noisy sum can tell neighbouring sums apart whatever the noise multiplier
(Mironov, "On Significance of the Least Significant Bits for Differential Privacy", CCS 2012; for
Gaussians Jin, McMurtry, Rubinstein and Ohrimenko, arXiv 2112.05307, 2021). Against this each
sample is the sum of four, halved: the method of Holohan and Braghin (arXiv 2107.10138, 2021, §5.1
with n = 2), as in Opacus' secure mode, which puts the attack's cost at 2^159 trials. It is no proof
of differential privacy of the floating-point numbers, and timing is not hidden.
"""

from __future__ import annotations

import numpy as np

from models.table import Floats
from protocols.suite import RandomStream

SUMMED = 4
BLOCK = 1 << 16


def gaussian(stream: RandomStream, count: int) -> Floats:
    """Return the next ``count`` samples of the standard normal distribution, shape (count,).

    Box and Muller (Ann. Math. Statist. 29, 1958) on uniforms of 53 bits: no sample of one lies
    beyond 8.6. Each result is half the sum of :data:`SUMMED` samples.
    """
    found = np.empty(count)
    for start in range(0, count, BLOCK):
        part = found[start : start + BLOCK]
        pairs = -(-len(part) // 2)
        samples = _box_muller(stream, SUMMED * pairs).reshape(SUMMED, 2 * pairs)
        part[:] = samples.sum(axis=0)[: len(part)] / 2
    return found


def _box_muller(stream: RandomStream, pairs: int) -> Floats:
    """Return 2 * ``pairs`` independent samples."""
    uniform = (stream.words(2 * pairs) >> np.uint64(11)).reshape(2, pairs) * 2.0**-53
    # 1 - u is in (0, 1], so that its logarithm is finite.
    radius = np.sqrt(-2 * np.log1p(-uniform[0]))
    angle = (2 * np.pi) * uniform[1]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
