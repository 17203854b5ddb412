"""Numbers of the usual distributions, drawn from a suite's random stream.

The same stream gives the same numbers. Floating-point functions of the platform are used, so they
may differ in the last bit between machines; samples are made, not signed.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from protocols.suite import RandomStream

Floats = npt.NDArray[np.float64]


def uniforms(stream: RandomStream, *shape: int) -> Floats:
    """Return float64 uniform in (0, 1), never 0 or 1: 53 bits of the stream each."""
    bits = stream.words(math.prod(shape)) >> np.uint64(11)
    return ((bits.astype(np.float64) + 0.5) * 2.0**-53).reshape(shape)


def normals(stream: RandomStream, *shape: int) -> Floats:
    """Return standard normal float64 (Box and Muller 1958)."""
    radius = np.sqrt(-2 * np.log(uniforms(stream, *shape)))
    return np.asarray(radius * np.cos(2 * np.pi * uniforms(stream, *shape)))


def dirichlet(stream: RandomStream, concentration: float, places: int) -> Floats:
    """Return shares of a symmetric Dirichlet distribution: ``places`` float64 with sum 1."""
    # In logarithms: with a small concentration most gamma variates are below the least float.
    logs = np.array([_log_gamma_variate(stream, concentration) for _ in range(places)])
    shares = np.exp(logs - logs.max())
    return np.asarray(shares / shares.sum())


def _log_gamma_variate(stream: RandomStream, shape: float) -> float:
    """Return the logarithm of a gamma variate (Marsaglia and Tsang 2000, §6 for shapes below 1)."""
    if shape < 1:
        boost = math.log(float(uniforms(stream, 1)[0])) / shape
        return _log_gamma_variate(stream, shape + 1) + boost
    d = shape - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        x = float(normals(stream, 1)[0])
        v = (1 + c * x) ** 3
        if v > 0 and math.log(float(uniforms(stream, 1)[0])) < x * x / 2 + d - d * v + d * math.log(
            v
        ):
            return math.log(d * v)
