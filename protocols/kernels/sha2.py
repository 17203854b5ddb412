"""SHA-256 and SHA-512 (FIPS 180-4) of many messages at once, sixteen or eight to a pass."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numba import types

from protocols.kernels.hash_lanes import (
    BLOCK_WORDS,
    STATE_WORDS,
    Indices,
    Octets,
    digest_batch,
    load_blocks,
    next_blocks,
    take_digests,
)
from protocols.kernels.jit import intrinsic, kernel
from protocols.kernels.lanes import Value
from protocols.kernels.word_lanes import WordLanes


@dataclass(frozen=True, slots=True)
class Sha2:
    """One of the two functions: its word's bits, its rounds and its rotations (§4.1.2, §4.1.3).

    ``small`` gives two rotations and a shift, ``large`` three rotations, all to the right.
    """

    bits: int
    rounds: int
    large: tuple[tuple[int, int, int], tuple[int, int, int]]
    small: tuple[tuple[int, int, int], tuple[int, int, int]]


SHA256 = Sha2(32, 64, ((2, 13, 22), (6, 11, 25)), ((7, 18, 3), (17, 19, 10)))
SHA512 = Sha2(64, 80, ((28, 34, 39), (14, 18, 41)), ((1, 8, 7), (19, 61, 6)))


def _primes(count: int) -> list[int]:
    primes: list[int] = []
    candidate = 2
    while len(primes) < count:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return primes


def _root_fraction(number: int, degree: int, bits: int) -> int:
    """Return the first bits of the fractional part of the square (2) or cube (3) root."""
    scaled = number << degree * bits
    root = isqrt(scaled) if degree == 2 else _cube_root(scaled)
    return root & ((1 << bits) - 1)


def _cube_root(number: int) -> int:
    """Return the integer cube root, by Newton's method from above."""
    root = 1 << -(-number.bit_length() // 3)
    while True:
        smaller = (2 * root + number // (root * root)) // 3
        if smaller >= root:
            return root
        root = smaller


def initial_value(sha2: Sha2) -> list[int]:
    """Return H(0): of the square roots of the first eight primes (§5.3.3, §5.3.5)."""
    return [_root_fraction(prime, 2, sha2.bits) for prime in _primes(STATE_WORDS)]


def round_constants(sha2: Sha2) -> list[int]:
    """Return K: of the cube roots of the first primes, one a round (§4.2.2, §4.2.3)."""
    return [_root_fraction(prime, 3, sha2.bits) for prime in _primes(sha2.rounds)]


INITIAL_256 = np.array(initial_value(SHA256), np.uint32)
INITIAL_512 = np.array(initial_value(SHA512), np.uint64)


def _emit_compression(sha2: Sha2, builder: Any, state: Value, rows: Value) -> None:
    """Emit §6.2.2 (or §6.4.2) on the states and blocks, of a lane each, at these addresses."""
    lanes = WordLanes(builder, sha2.bits)
    before = lanes.load(state, STATE_WORDS)
    words = load_blocks(lanes, rows)
    a, b, c, d, e, f, g, h = before
    for number, constant in enumerate(round_constants(sha2)):
        if number >= BLOCK_WORDS:
            sixteen = words[number - BLOCK_WORDS :]
            first = _small_sigma(lanes, sha2.small[0], sixteen[1])
            second = _small_sigma(lanes, sha2.small[1], sixteen[14])
            words.append(lanes.sum(second, sixteen[9], first, sixteen[0]))
        t1 = lanes.sum(
            h,
            _large_sigma(lanes, sha2.large[1], e),
            lanes.choose(e, f, g),
            lanes.constant(constant),
            words[number],
        )
        t2 = lanes.sum(_large_sigma(lanes, sha2.large[0], a), lanes.majority(a, b, c))
        a, b, c, d, e, f, g, h = lanes.sum(t1, t2), a, b, c, lanes.sum(d, t1), e, f, g
    after = [a, b, c, d, e, f, g, h]
    lanes.store(state, [lanes.sum(x, y) for x, y in zip(before, after, strict=True)])


def _large_sigma(lanes: WordLanes, right: tuple[int, int, int], x: Value) -> Value:
    return lanes.xor(*(lanes.rotate(x, lanes.bits - bits) for bits in right))


def _small_sigma(lanes: WordLanes, right: tuple[int, int, int], x: Value) -> Value:
    first, second, shift = right
    turned = lanes.rotate(x, lanes.bits - first), lanes.rotate(x, lanes.bits - second)
    return lanes.xor(*turned, lanes.shift_right(x, shift))


@intrinsic
def _compress_256(_context: Any, state: Any, rows: Any) -> Any:
    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Value:
        _emit_compression(SHA256, builder, *arguments)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), emit


@intrinsic
def _compress_512(_context: Any, state: Any, rows: Any) -> Any:
    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Value:
        _emit_compression(SHA512, builder, *arguments)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), emit


@kernel
def _digest_256(
    state: Any, begin: Any, rows: Any, item: Any, position: Any, progress: Any,
    prefix: Any, head: Any, framed: Any, data_at: Any, offsets: Any, digests: Any,
) -> None:  # fmt: skip
    while next_blocks(
        state, begin, rows, item, position, progress, prefix, head, framed, data_at, offsets
    ):
        _compress_256(np.intp(state.ctypes.data), np.intp(rows.ctypes.data))
        take_digests(state, begin, rows, item, position, progress, prefix, framed, offsets, digests)


@kernel
def _digest_512(
    state: Any, begin: Any, rows: Any, item: Any, position: Any, progress: Any,
    prefix: Any, head: Any, framed: Any, data_at: Any, offsets: Any, digests: Any,
) -> None:  # fmt: skip
    while next_blocks(
        state, begin, rows, item, position, progress, prefix, head, framed, data_at, offsets
    ):
        _compress_512(np.intp(state.ctypes.data), np.intp(rows.ctypes.data))
        take_digests(state, begin, rows, item, position, progress, prefix, framed, offsets, digests)


def sha256_many(prefix: bytes, data: Octets, offsets: Indices, *, framed: bool) -> Octets:
    """Return SHA-256 digests, shape (n, 32), as :func:`protocols.kernels.sm3.digest_many`."""
    return digest_batch(_digest_256, INITIAL_256, prefix, data, offsets, framed=framed)


def sha512_many(prefix: bytes, data: Octets, offsets: Indices, *, framed: bool) -> Octets:
    """Return SHA-512 digests, shape (n, 64), as :func:`protocols.kernels.sm3.digest_many`."""
    return digest_batch(_digest_512, INITIAL_512, prefix, data, offsets, framed=framed)
