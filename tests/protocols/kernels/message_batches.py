"""Batches of messages for the hash kernels, and what they must give, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from protocols.suite import get_suite

VECTORS = Path(__file__).parents[2] / "vectors" / "suite"
PREFIXES = (0, 1, 30, 55, 56, 59, 60, 63, 64, 65, 111, 112, 123, 124, 127, 128, 129, 200)
"""Lengths on both sides of where padding, framing and blocks end, for both block sizes."""


def vectors(name: str) -> list[dict]:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))["vectors"]


def column(values: list[bytes], before: bytes = b"", after: bytes = b"") -> tuple:
    """The values as a column's data and offsets, which begin and end inside the data."""
    data = np.frombuffer(before + b"".join(values) + after, np.uint8)
    offsets = np.cumsum([len(before), *map(len, values)], dtype=np.int64)
    return data, offsets


def made(lengths: list[int], name: bytes) -> list[bytes]:
    stream = get_suite("intl").stream(bytes(32), name)
    return [stream.bytes(length) for length in lengths]


def expected(
    digest: Callable[[bytes], bytes], prefix: bytes, values: list[bytes], framed: bool
) -> list[bytes]:
    return [
        digest(prefix + (len(value).to_bytes(4, "big") if framed else b"") + value)
        for value in values
    ]


def rows(digests: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in digests]
