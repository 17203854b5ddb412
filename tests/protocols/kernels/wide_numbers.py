"""Numbers for the wide kernels' tests: moduli about limb boundaries, and edges of every size."""

from __future__ import annotations

import pytest
from gmpy2 import gcd
from hypothesis import strategies as st

from protocols.kernels import cpu

needs_ifma = pytest.mark.skipif(not cpu.has(cpu.IFMA), reason="needs AVX-512 IFMA")

FULL_LIMB = (1 << 52) - 1
MODULI = [
    3,
    (1 << 52) - 1,
    (1 << 52) + 1,
    (1 << 504) - 1,  # ten limbs, no bit more
    (1 << 504) + 1,  # twenty
    (1 << 1024) - 105,  # a prime
    (1 << 1023) + 1155,
    (1 << 1536) - 1,
    (1 << 2048) - 1,
    (1 << 2047) + 1,
    (1 << 3104) - 1,
]
MODULUS_IDS = [f"{n.bit_length()} bits, ends in {n % 1000}" for n in MODULI]


def integers_below(bound: int) -> st.SearchStrategy[int]:
    """Numbers in [0, bound), of limbs that are all zeros or all ones, near the ends, or any."""
    count = -(-bound.bit_length() // 52)
    limbs = st.lists(st.sampled_from([0, 1, FULL_LIMB]), min_size=count, max_size=count)
    patterns = limbs.map(lambda ks: sum(k << 52 * i for i, k in enumerate(ks)) % bound)
    near = st.integers(0, 3).map(lambda d: (bound - d) % bound)
    return st.one_of(patterns, near, st.integers(0, bound - 1))


def units_below(n: int) -> st.SearchStrategy[int]:
    """Numbers in (0, n^2) coprime with n."""
    return integers_below(n * n).filter(lambda value: gcd(value, n) == 1)
