"""One key of each size for the whole run: making them is the slow part."""

from __future__ import annotations

from functools import cache

from protocols.paillier import PrivateKey, generate_private_key
from protocols.suite import RandomStream, get_suite

SUITE = get_suite("gm")


def stream(purpose: bytes, number: int = 0) -> RandomStream:
    return SUITE.stream(number.to_bytes(32, "big"), purpose)


@cache
def private_key(bits: int = 2048) -> PrivateKey:
    return generate_private_key(bits, stream(b"test key"), SUITE)
