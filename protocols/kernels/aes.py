"""AES-128 (FIPS 197) under one fixed key: x -> E(x) xor x, in bulk.

For processors with ``cpu.VAES``, whose instruction ``vaesenc`` is a round of four blocks.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types

from protocols.kernels.finite_bytes import inverse, multiply
from protocols.kernels.jit import intrinsic, kernel
from protocols.kernels.lanes import I32, I64, Value, function
from protocols.kernels.word_lanes import WordLanes

Words = npt.NDArray[np.uint64]

KEY_BYTES = 16
ROUNDS = 10
STEP_BLOCKS = 16
STEP_WORDS = 2 * STEP_BLOCKS
STEP_VECTORS = 4


def expand_key(key: bytes) -> Words:
    """Return the eleven round keys (§5.2), two words each, of a 16-byte key."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"an AES-128 key is {KEY_BYTES} bytes")
    words = [list(key[start : start + 4]) for start in range(0, KEY_BYTES, 4)]
    constant = 1
    while len(words) < 4 * (ROUNDS + 1):
        word = words[-1]
        if len(words) % 4 == 0:
            word = [_substitute(byte) for byte in word[1:] + word[:1]]
            word[0] ^= constant
            constant = multiply(constant, 2)
        words.append([old ^ new for old, new in zip(words[-4], word, strict=True)])
    return np.frombuffer(b"".join(bytes(word) for word in words), np.uint64)


@cache
def _substitute(byte: int) -> int:
    """Return the S-box's value, by its definition (§5.1.1)."""
    b = inverse(byte)
    doubled = b << 8 | b
    return b ^ (doubled >> 4 ^ doubled >> 5 ^ doubled >> 6 ^ doubled >> 7) & 0xFF ^ 0x63


def _emit_hash(
    builder: Any, source: Value, target: Value, keys: Value, present: Value | None
) -> None:
    """Emit the hash of sixteen blocks, or of those in the first ``present`` words."""
    lanes = WordLanes(builder, 64)
    two = [lanes.vector] * 2
    encrypt = function(builder, "llvm.x86.aesni.aesenc.512", lanes.vector, two)
    encrypt_last = function(builder, "llvm.x86.aesni.aesenclast.512", lanes.vector, two)
    blocks = lanes.load(source, STEP_VECTORS, present)
    mixed = [lanes.xor(block, _round_key(builder, keys, 0)) for block in blocks]
    for number in range(1, ROUNDS + 1):
        key = _round_key(builder, keys, number)
        step = encrypt if number < ROUNDS else encrypt_last
        mixed = [builder.call(step, [block, key]) for block in mixed]
    hashed = [lanes.xor(x, y) for x, y in zip(mixed, blocks, strict=True)]
    lanes.store(target, hashed, present)


def _round_key(builder: Any, keys: Value, number: int) -> Value:
    """Return a round key in each quarter of a vector."""
    pair = ir.VectorType(I64, 2)
    place = builder.gep(builder.inttoptr(keys, pair.as_pointer()), [I32(number)])
    key = builder.load(place, align=8)
    return builder.shuffle_vector(key, key, ir.Constant(ir.VectorType(I32, 8), [0, 1] * 4))


@intrinsic
def _hash_step(_context: Any, source: Any, target: Any, keys: Any) -> Any:
    """Hash the sixteen blocks at address ``source`` into ``target``."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Value:
        source, target, keys = arguments
        _emit_hash(builder, source, target, keys, None)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), emit


@intrinsic
def _hash_rest(_context: Any, source: Any, target: Any, keys: Any, words: Any) -> Any:
    """Hash the blocks, at most sixteen, in the ``words`` words at ``source``."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Value:
        source, target, keys, words = arguments
        _emit_hash(builder, source, target, keys, words)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.int64), emit


@kernel
def hash_blocks(blocks: Words, out: Words, keys: Words) -> None:
    """Write E(x) xor x of each block to ``out``, which may be ``blocks`` but not overlap it else.

    Both have one size, two words a block, contiguous; ``keys`` is :func:`expand_key`'s.
    """
    source, target = np.intp(blocks.ctypes.data), np.intp(out.ctypes.data)
    round_keys, words = np.intp(keys.ctypes.data), blocks.size
    whole = words // STEP_WORDS * STEP_WORDS
    for start in range(0, whole, STEP_WORDS):
        _hash_step(source + 8 * start, target + 8 * start, round_keys)
    if whole < words:
        _hash_rest(source + 8 * whole, target + 8 * whole, round_keys, words - whole)
