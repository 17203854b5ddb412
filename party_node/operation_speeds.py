"""How fast this machine computes with ciphertexts, by the very calls that a run makes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, get_args

import numpy as np

from models.cost import Operation, Operations
from protocols.paillier import Ciphertexts, PrivateKey, Summands, generate_private_key
from protocols.suite import RandomStream, Suite, get_suite

_Work: TypeAlias = Callable[[], int]
"""A call; returns how many operations it did."""

PUBLIC_SEED = b"fedcrm/speed/v1: anyone can make this key, and nothing is hidden under it"

_LARGE, _LARGE_COSTLY, _SMALL = 256, 64, 20
_SHORTEST_S, _LONGEST_S, _REPEATS = 0.03, 0.3, 5
_LOOKS = 16
_SHIFT_BITS = 64
_FACTOR_BITS = 32
_COSTLY = {"public_encryptions", "rerandomisations", "decryptions", "squarings", "factor_bits"}


@dataclass(frozen=True)
class Speeds:
    """What operations take on all cores the process may run on, by kind."""

    bits: int
    kernels: str
    microseconds: Mapping[Operation, float]
    """One operation of many in one call."""
    call_microseconds: Mapping[Operation, float]
    """What a call takes beyond its operations."""

    def seconds(self, counts: Operations) -> float:
        """Return how long these operations take, one after the other."""
        return sum(self.microseconds[kind] * count for kind, count in counts.items()) / 1e6

    def seconds_of_calls(self, calls: Operations) -> float:
        """Return how much longer they take because it needs so many calls."""
        return sum(self.call_microseconds[kind] * count for kind, count in calls.items()) / 1e6


def measure_operations(suite: Suite, bits: int) -> Speeds:
    """Return this machine's speeds with keys of ``bits``; measured once in a process.

    The key is made from a public seed and is never used for data. Raises
    :class:`protocols.errors.LocalProtocolError` for a size no key has.
    """
    return _measured(suite.name, suite.kernels, bits)


@lru_cache(maxsize=8)
def _measured(suite_name: str, kernels: str, bits: int) -> Speeds:
    suite = get_suite(suite_name, "portable" if kernels == "portable" else "auto")
    stream = suite.stream(suite.hash(PUBLIC_SEED), b"operation speeds")
    key = generate_private_key(bits, stream, suite)
    started = time.perf_counter()
    generate_private_key(bits, stream, suite)
    seconds: dict[Operation, float] = {"key_generations": time.perf_counter() - started}
    calls: dict[Operation, float] = {"key_generations": 0.0}
    for kind, make_work in _WORKS.items():
        large = _LARGE_COSTLY if kind in _COSTLY else _LARGE
        work = make_work(key, stream, large)
        count = work()
        seconds[kind] = _seconds(work) / count
        work = make_work(key, stream, _SMALL)
        count = work()
        calls[kind] = max(0.0, _seconds(work) - seconds[kind] * count)
    assert set(seconds) == set(get_args(Operation))
    return Speeds(bits, kernels, _in_microseconds(seconds), _in_microseconds(calls))


def _in_microseconds(seconds: Mapping[Operation, float]) -> dict[Operation, float]:
    return {kind: 1e6 * value for kind, value in seconds.items()}


def _seconds(work: _Work) -> float:
    """Return the time of a call that was made before: kernels and tables are loaded.

    The least of several: what else the machine does can only make a call longer.
    """
    times: list[float] = []
    while sum(times) < _SHORTEST_S or (len(times) < _REPEATS and sum(times) < _LONGEST_S):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


# Each of these prepares a call with ``batch`` ciphertexts, which returns how many operations it
# does.


def _encryptions(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    plaintexts = _plaintexts(stream, batch)
    return lambda: len(key.encrypt(plaintexts, stream))


def _public_encryptions(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    plaintexts = _plaintexts(stream, batch)
    return lambda: len(key.public_key.encrypt(plaintexts, stream))


def _rerandomisations(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    made = _ciphertexts(key, stream, batch)
    return lambda: len(key.public_key.rerandomise(made, stream))


def _decryptions(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    made = _ciphertexts(key, stream, batch)
    return lambda: len(key.decrypt(made))


def _preparations(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    made = _ciphertexts(key, stream, batch)

    def work() -> int:
        summands = Summands(key.public_key)
        summands.extend(made)
        return len(summands)

    return work


def _additions(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    summands = Summands(key.public_key)
    summands.extend(_ciphertexts(key, stream, batch))
    positions = np.concatenate([stream.permutation(batch) for _ in range(_LOOKS)])
    offsets = np.arange(0, len(positions) + 1, batch // 2, dtype=np.int64)

    def work() -> int:
        summands.sums(positions, offsets)
        return len(positions)

    return work


def _products(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    made, positions = _ciphertexts(key, stream, batch), stream.permutation(batch)
    # What is added is mostly gathered from a longer batch first.
    return lambda: len(key.public_key.add(made.take(positions), made))


def _subtractions(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    made = _ciphertexts(key, stream, batch)
    return lambda: len(key.public_key.subtract(made, made))


def _squarings(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    made = _ciphertexts(key, stream, batch)
    return lambda: _SHIFT_BITS * len(key.public_key.shift(made, _SHIFT_BITS))


def _factor_bits(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    made = _ciphertexts(key, stream, batch)
    top = 1 << (_FACTOR_BITS - 1)
    factors = [top + stream.below(top) for _ in range(batch)]
    return lambda: _FACTOR_BITS * len(key.public_key.multiply(made, factors))


def _encodings(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    made = _ciphertexts(key, stream, batch)
    return lambda: len(key.public_key.encode(made)) // key.public_key.ciphertext_bytes


def _decodings(key: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    data = key.public_key.encode(_ciphertexts(key, stream, batch))
    return lambda: len(key.public_key.decode(data))


def _table_cells(_: PrivateKey, stream: RandomStream, batch: int) -> _Work:
    """Add up the rows of one column by bin, and list the bins: 256 cells for a ciphertext."""
    rows = np.arange(256 * batch, dtype=np.int64)
    codes = (stream.permutation(len(rows)) & 31).astype(np.int16)
    weights = rows.astype(np.float64)

    def work() -> int:
        here = codes[rows].astype(np.int64)
        counts = np.bincount(here, minlength=32)
        sums = np.bincount(here, weights, minlength=32).cumsum().tolist()
        bins = [(total, bin_) for bin_, total in enumerate(sums) if counts[bin_]]
        return len(here) if sorted(bins) else 0

    return work


def _plaintexts(stream: RandomStream, count: int) -> list[int]:
    return [stream.below(1 << 128) for _ in range(count)]


def _ciphertexts(key: PrivateKey, stream: RandomStream, count: int) -> Ciphertexts:
    return key.encrypt(_plaintexts(stream, count), stream)


_WORKS: dict[Operation, Callable[[PrivateKey, RandomStream, int], _Work]] = {
    "encryptions": _encryptions,
    "public_encryptions": _public_encryptions,
    "rerandomisations": _rerandomisations,
    "decryptions": _decryptions,
    "preparations": _preparations,
    "additions": _additions,
    "products": _products,
    "subtractions": _subtractions,
    "squarings": _squarings,
    "factor_bits": _factor_bits,
    "encodings": _encodings,
    "decodings": _decodings,
    "table_cells": _table_cells,
}
