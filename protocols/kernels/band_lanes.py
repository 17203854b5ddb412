"""Products of rows over GF(2) with columns of 64-bit words, eight rows at a time (AVX-512).

A row's coefficients for a group of eight neighbouring columns are one byte. Byte t of the group's
eight words is an 8 x 8 matrix over GF(2), and the sum of the words a row selects has as its byte t
that matrix times the row's byte: ``vgf2p8affineqb`` (Intel, "Galois Field New Instructions", 2018)
computes it for eight rows and all eight t at once. So a group's words are first turned into
matrices, once for all the rows that reach it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types

from protocols.kernels.jit import intrinsic
from protocols.kernels.lanes import I1, I8, I32, I64, LANES, VECTOR, Value, constant, function

ROW_WORDS = 4
GROUP_BYTES = 64
"""A group of eight columns, as words or as matrices."""
BUCKET_BYTES = 8 * GROUP_BYTES
RING_BUCKETS = 8
"""Buckets of 64 columns whose matrices :func:`decode_eight` finds: a power of two, at least 5."""
ROW_GROUPS = 32
"""Groups that a row reaches beyond its own."""
RING_GROUPS = 64
"""Groups whose matrices :func:`solve_eight` keeps."""

_OCTETS = ir.VectorType(I8, 64)
_ZERO = constant(0)
_SINGLE_BITS = constant(int.from_bytes(bytes(0x80 >> k for k in range(8)), "little"))
_NUMBERS = ir.Constant(VECTOR, [*range(LANES)])


@intrinsic
def trailing_zeros(_context: Any, x: Any) -> Any:
    """Return how many zero bits are below the lowest one of a word; 64 for zero. On any machine."""

    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Value:
        return builder.cttz(arguments[0], I1(0))

    return types.uint64(types.uint64), emit


@intrinsic
def bucket_matrices(_context: Any, words: Any, matrices: Any) -> Any:
    """Turn the 64 words at address ``words`` into eight groups' matrices at ``matrices``."""

    def emit(context: Any, builder: Any, _: Any, arguments: Any) -> Value:
        groups = _load(builder, arguments[0], 8)
        _store(builder, [_matrices(builder, group) for group in groups], arguments[1])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), emit


@intrinsic
def decode_eight(
    _context: Any,
    places: Any,
    low: Any,
    high: Any,
    ring: Any,
    bucket: Any,
    to_low: Any,
    to_high: Any,
) -> Any:
    """Store the products of eight rows, all of one bucket, with two planes of columns.

    All arguments but ``bucket`` are addresses: of the rows' places and coefficients, of a ring of
    ``RING_BUCKETS`` buckets' matrices, those of the one plane before those of the other, and of
    where eight words of each go.
    """

    def emit(context: Any, builder: Any, _: Any, arguments: Any) -> Value:
        places, low, high, ring, bucket, to_low, to_high = arguments
        rows = []
        for half in (low, high):
            x, y = _load(builder, half, 2)
            rows += [_shuffle(builder, x, y, range(first, 16, 2)) for first in (0, 1)]
        (place,) = _load(builder, places, 1)
        by = builder.and_(builder.lshr(place, constant(32)), constant(63))

        sums = [_ZERO, _ZERO]
        for k, word in enumerate(_moved_up(builder, rows, by)):
            slot = builder.and_(builder.add(bucket, I64(k)), I64(RING_BUCKETS - 1))
            base = builder.add(ring, builder.mul(slot, I64(2 * BUCKET_BYTES)))
            matrices = _load(builder, base, 16)
            for group, octets in enumerate(_octets_by_group(builder, word)):
                for plane in range(2):
                    product = _affine(builder, octets, matrices[8 * plane + group])
                    sums[plane] = builder.xor(sums[plane], product)
        for total, target in zip(sums, (to_low, to_high), strict=True):
            _store(builder, [_transpose_octets(builder, total)], target)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 7), emit


@intrinsic
def solve_eight(_context: Any, pivots: Any, solution: Any, later: Any, matrices: Any) -> Any:
    """Solve a group of eight columns whose later columns are solved; all arguments are addresses.

    ``pivots`` is that of eight pivots of five words; ``solution`` of the eight words to write;
    ``later`` of the next ``ROW_GROUPS`` groups' matrices. This group's go to ``matrices``, and
    once more ``RING_GROUPS`` groups further on, so that those of consecutive groups in a ring are
    consecutive in memory.
    """

    def emit(context: Any, builder: Any, _: Any, arguments: Any) -> Value:
        pivots, solution, later, matrices = arguments
        *rows, values = _columns_of(builder, _load(builder, pivots, ROW_WORDS + 1))
        (before,) = _load(builder, solution, 1)
        free = builder.icmp_unsigned("==", rows[0], _ZERO)
        values = builder.select(free, before, values)

        words = _moved_up(builder, rows, _NUMBERS)
        octets = [part for word in words for part in _octets_by_group(builder, word)]
        total = _ZERO
        # The next group was solved just now: what waits for it comes last.
        for k in range(ROW_GROUPS, 0, -1):
            (group,) = _load(builder, builder.add(later, I64(GROUP_BYTES * (k - 1))), 1)
            total = builder.xor(total, _affine(builder, octets[k], group))
        solved = builder.xor(values, _transpose_octets(builder, total))

        # Within the group, from the last column down: bit k of a row's first byte is the
        # coefficient of column k, its own column's left out.
        for k in range(LANES - 1, 0, -1):
            bits = ir.Constant(VECTOR, [0 if j == k else 1 << k for j in range(LANES)])
            selects = builder.icmp_unsigned("!=", builder.and_(words[0], bits), _ZERO)
            column = _shuffle(builder, solved, solved, [k] * LANES)
            solved = builder.xor(solved, builder.select(selects, column, _ZERO))
        _store(builder, [solved], solution)
        group = [_matrices(builder, solved)]
        _store(builder, group, matrices)
        _store(builder, group, builder.add(matrices, I64(RING_GROUPS * GROUP_BYTES)))
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), emit


def _matrices(builder: Any, words: Value) -> Value:
    """Return the matrices of a group: word t makes of a row's byte the sum's byte t.

    The instruction numbers a matrix's rows from the top byte down; applied to single bits it
    transposes.
    """
    gathered = _move_octets(builder, words, [8 * (7 - k % 8) + k // 8 for k in range(64)])
    return _affine(builder, _SINGLE_BITS, gathered)


def _octets_by_group(builder: Any, word: Value) -> list[Value]:
    """Return, for each byte of the eight rows' words, the eight rows' bytes in every word."""
    turned = _transpose_octets(builder, word)
    return [_shuffle(builder, turned, turned, [k] * LANES) for k in range(8)]


def _moved_up(builder: Any, words: Sequence[Value], by: Value) -> list[Value]:
    """Return numbers of 64-bit words, least significant first, times 2^by; one word more."""
    shift = function(builder, "llvm.fshl.v8i64", VECTOR, [VECTOR] * 3)
    edges = [_ZERO, *words, _ZERO]
    return [builder.call(shift, [above, below, by]) for below, above in itertools.pairwise(edges)]


def _columns_of(builder: Any, vectors: Sequence[Value]) -> list[Value]:
    """Return the columns of an 8 x ``len(vectors)`` table of words stored row by row."""
    width = len(vectors)
    columns = []
    for column in range(width):
        places = [divmod(width * row + column, LANES) for row in range(LANES)]
        gathered = vectors[0]
        for source in range(1, width):
            chosen = [
                LANES + lane if vector == source else (lane if source == 1 else row)
                for row, (vector, lane) in enumerate(places)
            ]
            gathered = _shuffle(builder, gathered, vectors[source], chosen)
        columns.append(gathered)
    return columns


def _affine(builder: Any, octets: Value, matrices: Value) -> Value:
    """Return each byte times the matrix in the word of its place."""
    name = "llvm.x86.vgf2p8affineqb.512"
    affine = function(builder, name, _OCTETS, [_OCTETS, _OCTETS, I8])
    arguments = [builder.bitcast(octets, _OCTETS), builder.bitcast(matrices, _OCTETS), I8(0)]
    return builder.bitcast(builder.call(affine, arguments), VECTOR)


def _transpose_octets(builder: Any, vector: Value) -> Value:
    """Return the vector with byte j of word i as byte i of word j."""
    return _move_octets(builder, vector, [8 * (k % 8) + k // 8 for k in range(64)])


def _move_octets(builder: Any, vector: Value, sources: Sequence[int]) -> Value:
    octets = builder.bitcast(vector, _OCTETS)
    return builder.bitcast(_shuffle(builder, octets, octets, sources), VECTOR)


def _shuffle(builder: Any, x: Value, y: Value, sources: Sequence[int]) -> Value:
    indices = ir.Constant(ir.VectorType(I32, len(sources)), [*sources])
    return builder.shuffle_vector(x, y, indices)


def _load(builder: Any, address: Value, count: int) -> list[Value]:
    """Load ``count`` consecutive vectors from any address."""
    base = builder.inttoptr(address, VECTOR.as_pointer())
    return [builder.load(builder.gep(base, [I32(k)]), align=8) for k in range(count)]


def _store(builder: Any, vectors: Sequence[Value], address: Value) -> None:
    base = builder.inttoptr(address, VECTOR.as_pointer())
    for k, vector in enumerate(vectors):
        builder.store(vector, builder.gep(base, [I32(k)]), align=8)
