"""SM4 (GB/T 32907-2016) in bulk: x -> E(x) xor x under one fixed key, and counter mode.

For processors with ``cpu.GFNI``. The S-box is the inversion of a finite field between two affine
maps (Liu, Ji, Hu, Ding, Lv, Pyshkin and Weinmann, "Analysis of the SMS4 Block Cipher", ACISP 2007,
§3), and so it is of AES's representation of that field, with the change of representation inside
the affine maps: two instructions for 64 S-boxes, without a table.

Sixteen blocks are four vectors, word w of every block in vector w; four such groups go through
the rounds together, because a round waits for the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types

from protocols.kernels.finite_bytes import inverse
from protocols.kernels.jit import intrinsic, kernel
from protocols.kernels.lanes import I8, I32, I64, Value, function
from protocols.kernels.word_lanes import WordLanes

Words = npt.NDArray[np.uint64]

KEY_BYTES = 16
ROUNDS = 32
GROUP_BLOCKS = 16
GROUP_BYTES = 16 * GROUP_BLOCKS
GROUP_WORDS = 2 * GROUP_BLOCKS
GROUPS = 4
STEP_WORDS = GROUPS * GROUP_WORDS

BEFORE, BEFORE_CONSTANT = 0x4C287DB91A22505D, 0x3E
AFTER, AFTER_CONSTANT = 0xF3AB34A974A6B589, 0xD3
"""S(x) = AFTER inverse(BEFORE x + BEFORE_CONSTANT) + AFTER_CONSTANT.

Matrices over GF(2) as ``gf2p8affineqb`` takes them: byte i, from the highest, is the row of the
result's bit i.
The tests compare all 256 values with the standard's table.
"""

FK = (0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC)
"""The system parameter (§7.3)."""


@cache
def substitute(byte: int) -> int:
    """Return the S-box's value."""
    return _affine(AFTER, inverse(_affine(BEFORE, byte) ^ BEFORE_CONSTANT)) ^ AFTER_CONSTANT


def _affine(matrix: int, byte: int) -> int:
    rows = matrix.to_bytes(8, "big")
    return sum(((rows[i] & byte).bit_count() & 1) << i for i in range(8))


def expand_key(key: bytes) -> npt.NDArray[np.uint32]:
    """Return the 32 round keys (§7.3) of a 16-byte key."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"an SM4 key is {KEY_BYTES} bytes")
    k = [int.from_bytes(key[4 * i : 4 * i + 4], "big") ^ FK[i] for i in range(4)]
    for number in range(ROUNDS):
        parameter = bytes((4 * number + j) * 7 % 256 for j in range(4))
        mixed = k[-3] ^ k[-2] ^ k[-1] ^ int.from_bytes(parameter, "big")
        t = int.from_bytes(bytes(substitute(byte) for byte in mixed.to_bytes(4, "big")), "big")
        k.append(k[-4] ^ t ^ _rotate(t, 13) ^ _rotate(t, 23))
    return np.array(k[4:], np.uint32)


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & 0xFFFFFFFF


Group = list[Value]
"""Four vectors; what is in a lane differs by step."""


class _Cipher:
    """Emits SM4 on groups of sixteen blocks."""

    def __init__(self, builder: Any, keys: Value) -> None:
        self.builder = builder
        self.lanes = WordLanes(builder, 32)
        self.bytes = ir.VectorType(I8, 64)
        three = [self.bytes, self.bytes, I8]
        self._affine = function(builder, "llvm.x86.vgf2p8affineqb.512", self.bytes, three)
        self._affine_of_inverse = function(
            builder, "llvm.x86.vgf2p8affineinvqb.512", self.bytes, three
        )
        self._keys = builder.inttoptr(keys, I32.as_pointer())

    def words_of(self, blocks: Group) -> Group:
        """Return the four words of every block; lane 4 i + j is of block 4 j + i."""
        return [self.lanes.reverse_bytes(word) for word in self.lanes.transpose(blocks)]

    def blocks_of(self, words: Group) -> Group:
        """Return the blocks of these words: the other way round."""
        return self.lanes.transpose([self.lanes.reverse_bytes(word) for word in words])

    def encrypt(self, groups: list[Group]) -> list[Group]:
        """Return the encrypted words of each group (§6.2)."""
        for number in range(ROUNDS):
            key = self._round_key(number)
            groups = [[x1, x2, x3, self._round(x0, x1, x2, x3, key)] for x0, x1, x2, x3 in groups]
        return [group[::-1] for group in groups]

    def _round(self, x0: Value, x1: Value, x2: Value, x3: Value, key: Value) -> Value:
        """Return F (§6.1, §6.2): X0 xor L(S(X1 xor X2 xor X3 xor key))."""
        lanes, builder = self.lanes, self.builder
        mixed = builder.bitcast(lanes.xor(x1, x2, x3, key), self.bytes)
        mapped = builder.call(self._affine, [mixed, self._matrix(BEFORE), I8(BEFORE_CONSTANT)])
        substituted = builder.call(
            self._affine_of_inverse, [mapped, self._matrix(AFTER), I8(AFTER_CONSTANT)]
        )
        b = builder.bitcast(substituted, lanes.vector)
        inner = lanes.xor(b, lanes.rotate(b, 8), lanes.rotate(b, 16))
        return lanes.xor(x0, b, lanes.rotate(inner, 2), lanes.rotate(b, 24))

    def _matrix(self, matrix: int) -> Value:
        return ir.Constant(self.bytes, list(matrix.to_bytes(8, "little")) * 8)

    def _round_key(self, number: int) -> Value:
        key = self.builder.load(self.builder.gep(self._keys, [I32(number)]), align=4)
        first = self.builder.insert_element(self.lanes.constant(0), key, I32(0))
        zeros = ir.Constant(ir.VectorType(I32, self.lanes.lanes), [0] * self.lanes.lanes)
        return self.builder.shuffle_vector(first, first, zeros)


def _emit_hash(
    builder: Any, source: Value, target: Value, keys: Value, *, groups: int, present: Value | None
) -> None:
    """Emit the hash of that many groups, or of the blocks in one group's ``present`` words."""
    cipher = _Cipher(builder, keys)
    words = [
        cipher.words_of(cipher.lanes.load(_group(builder, source, number), 4, present))
        for number in range(groups)
    ]
    for number, encrypted in enumerate(cipher.encrypt(words)):
        # Read once more: sixteen vectors would not stay in registers through the rounds.
        blocks = cipher.lanes.load(_group(builder, source, number), 4, present)
        hashed = [
            cipher.lanes.xor(x, y) for x, y in zip(cipher.blocks_of(encrypted), blocks, strict=True)
        ]
        cipher.lanes.store(_group(builder, target, number), hashed, present)


def _emit_counters(
    builder: Any, first: Value, target: Value, keys: Value, *, groups: int, present: Value | None
) -> None:
    """Emit the encryption of the blocks that count from ``first``, a 64-bit integer."""
    cipher = _Cipher(builder, keys)
    lanes = cipher.lanes.lanes
    long = ir.VectorType(I64, lanes)
    one = builder.insert_element(ir.Constant(long, ir.Undefined), first, I32(0))
    begin = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))
    words = []
    for number in range(groups):
        # The order of blocks that words_of has.
        order = [number * GROUP_BLOCKS + 4 * (lane % 4) + lane // 4 for lane in range(lanes)]
        counter = builder.add(begin, ir.Constant(long, order))
        high = builder.lshr(counter, ir.Constant(long, [32] * lanes))
        zero = cipher.lanes.constant(0)
        words.append(
            [zero, zero, *(builder.trunc(x, cipher.lanes.vector) for x in (high, counter))]
        )
    for number, encrypted in enumerate(cipher.encrypt(words)):
        blocks = cipher.blocks_of(encrypted)
        cipher.lanes.store(_group(builder, target, number), blocks, present)


def _group(builder: Any, address: Value, number: int) -> Value:
    return builder.add(address, I64(number * GROUP_BYTES))


def _steps(emit_blocks: Callable[..., None]) -> tuple[Any, Any]:
    """Return two functions for kernels: four groups whole, and a number of 64-bit words."""

    @intrinsic
    def step(_context: Any, source: Any, target: Any, keys: Any) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Value:
            emit_blocks(builder, *arguments, groups=GROUPS, present=None)
            return context.get_dummy_value()

        return types.void(types.int64, types.intp, types.intp), emit

    @intrinsic
    def rest(_context: Any, source: Any, target: Any, keys: Any, words: Any) -> Any:
        def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Value:
            *addresses, words = arguments
            emit_blocks(builder, *addresses, groups=1, present=builder.shl(words, I64(1)))
            return context.get_dummy_value()

        return types.void(types.int64, types.intp, types.intp, types.int64), emit

    return step, rest


_hash_step, _hash_rest = _steps(_emit_hash)
_counter_step, _counter_rest = _steps(_emit_counters)


@kernel
def hash_blocks(blocks: Words, out: Words, keys: Any) -> None:
    """Write E(x) xor x of each block to ``out``, which may be ``blocks`` but not overlap it else.

    Both have one size, two words a block, contiguous; ``keys`` is :func:`expand_key`'s.
    """
    source, target = np.int64(blocks.ctypes.data), np.intp(out.ctypes.data)
    round_keys, words = np.intp(keys.ctypes.data), blocks.size
    whole = words // STEP_WORDS * STEP_WORDS
    for start in range(0, whole, STEP_WORDS):
        _hash_step(source + 8 * start, target + 8 * start, round_keys)
    for start in range(whole, words, GROUP_WORDS):
        rest = min(GROUP_WORDS, words - start)
        _hash_rest(source + 8 * start, target + 8 * start, round_keys, rest)


@kernel
def count_blocks(first: Any, address: Any, length: Any, keys: Any) -> None:
    """Write the encryption of the blocks ``first``, ``first`` + 1, ... to ``length`` bytes there.

    A block is its number in big-endian order (NIST SP 800-38A §6.5, from counter block 0), below
    2^63; the bytes are whole blocks. An address, because it need not be that of whole words.
    """
    round_keys, words = np.intp(keys.ctypes.data), length // 8
    whole = words // STEP_WORDS * STEP_WORDS
    for start in range(0, whole, STEP_WORDS):
        _counter_step(first + start // 2, np.intp(address + 8 * start), round_keys)
    for start in range(whole, words, GROUP_WORDS):
        rest = min(GROUP_WORDS, words - start)
        _counter_rest(first + start // 2, np.intp(address + 8 * start), round_keys, rest)
