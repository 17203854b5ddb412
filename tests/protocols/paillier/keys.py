"""One key of each size for the whole run, under both kernels: making them is the slow part."""

from __future__ import annotations

from functools import cache

import pytest

from protocols.paillier import PrivateKey, generate_private_key
from protocols.suite import RandomStream, get_suite

SUITE = get_suite("gm", "portable")
VECTOR_SUITE = get_suite("gm")

both_kernels = pytest.mark.parametrize(
    "kernels",
    [
        "portable",
        pytest.param(
            "avx512",
            marks=pytest.mark.skipif(VECTOR_SUITE.kernels != "avx512", reason="needs AVX-512 IFMA"),
        ),
    ],
)


def stream(purpose: bytes, number: int = 0) -> RandomStream:
    return SUITE.stream(number.to_bytes(32, "big"), purpose)


@cache
def private_key(bits: int = 2048, kernels: str = "portable", randomness="exact") -> PrivateKey:
    """The same primes for both kernels and both kinds of randomness."""
    if (kernels, randomness) == ("portable", "exact"):
        return generate_private_key(bits, stream(b"test key"), SUITE)
    suite = SUITE if kernels == "portable" else VECTOR_SUITE
    return PrivateKey.from_bytes(private_key(bits).to_bytes(), suite, randomness)
