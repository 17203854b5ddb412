"""Samples to measure: small tied ones by Hypothesis, large ones by reproducible draws."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy.special import ndtri


@st.composite
def samples(draw: Any, smallest_class: int = 1) -> tuple[list[int], list[float]]:
    """Labels with both classes and scores with many ties."""
    few = st.sampled_from([-2.5, 0.0, 0.25, 0.5, 1.0, 7.0])
    number = st.one_of(few, st.floats(-1e6, 1e6).map(lambda x: round(x, 3)))
    positives = draw(st.lists(number, min_size=smallest_class, max_size=25))
    negatives = draw(st.lists(number, min_size=smallest_class, max_size=25))
    rows = [(1, s) for s in positives] + [(0, s) for s in negatives]
    rows = draw(st.permutations(rows))
    return [label for label, _ in rows], [score for _, score in rows]


class Draws:
    """Reproducible draws from a seed: SHAKE-256 read as 52-bit fractions, counted up per call."""

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self.calls = 0

    def uniform(self, size: int) -> np.ndarray:
        """Uniform in (0, 1), exclusive at both ends."""
        self.calls += 1
        data = hashlib.shake_256(self.seed + self.calls.to_bytes(8, "big")).digest(8 * size)
        return ((np.frombuffer(data, dtype=">u8") >> 12).astype(float) + 0.5) / 2.0**52

    def normal(self, size: int) -> np.ndarray:
        """Standard normal."""
        return ndtri(self.uniform(size))

    def resample(self, rows: np.ndarray) -> np.ndarray:
        """As many of ``rows`` as there are, with replacement."""
        return rows[(self.uniform(rows.size) * rows.size).astype(int)]
