"""Steps between products: rows gathered into lanes, carries, differences, one subtraction of N.

Everything here is linear in the length of a number, where a product is quadratic. Digits are
*packed*: one vector of eight lanes to a limb, 64-byte aligned; all arguments of what kernels call
are addresses or counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from protocols.kernels.lanes import (
    I32,
    I64,
    LANES,
    VECTOR,
    VECTOR_BYTES,
    Lanes,
    Value,
    constant,
    function,
)
from protocols.kernels.wide_montgomery import LIMB_BITS, subroutine, vector_variable
from protocols.kernels.word_lanes import WordLanes

_WORD_BITS = 64
_ZERO, _ONE = constant(0), constant(1)


def _row_pointers(builder: Any, addresses: Value) -> list[Value]:
    first = builder.inttoptr(addresses, I64.as_pointer())
    return [builder.load(builder.gep(first, [I64(lane)])) for lane in range(LANES)]


def _emit_gather(builder: Any, arguments: list[Value]) -> None:
    out, addresses, blocks = arguments
    words = WordLanes(builder, _WORD_BITS)
    rows = _row_pointers(builder, addresses)
    with cgutils.for_range(builder, blocks) as loop:
        offset = builder.mul(loop.index, I64(VECTOR_BYTES))
        vectors = [words.load(builder.add(row, offset), 1)[0] for row in rows]
        place = builder.add(out, builder.mul(offset, I64(LANES)))
        words.store(place, words.transpose(vectors))


def _emit_scatter(builder: Any, arguments: list[Value]) -> None:
    packed, addresses, blocks = arguments
    words = WordLanes(builder, _WORD_BITS)
    rows = _row_pointers(builder, addresses)
    with cgutils.for_range(builder, blocks) as loop:
        offset = builder.mul(loop.index, I64(VECTOR_BYTES))
        vectors = words.load(builder.add(packed, builder.mul(offset, I64(LANES))), LANES)
        for row, vector in zip(rows, words.transpose(vectors), strict=True):
            words.store(builder.add(row, offset), [vector])


def _emit_prefetch(builder: Any, arguments: list[Value]) -> None:
    addresses, lines = arguments
    pointer = ir.IntType(8).as_pointer()
    fetch = function(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, I32, I32, I32])
    for row in _row_pointers(builder, addresses):
        with cgutils.for_range(builder, lines) as loop:
            address = builder.add(row, builder.mul(loop.index, I64(VECTOR_BYTES)))
            # To be read, kept in the nearest cache, data.
            builder.call(fetch, [builder.inttoptr(address, pointer), I32(0), I32(3), I32(1)])


def _emit_add_rows(builder: Any, arguments: list[Value]) -> None:
    sums, addresses, offset, blocks = arguments
    words = WordLanes(builder, _WORD_BITS)
    size = builder.mul(blocks, I64(VECTOR_BYTES))
    for lane, row in enumerate(_row_pointers(builder, addresses)):
        place = builder.add(sums, builder.mul(size, I64(lane)))
        with cgutils.for_range(builder, blocks) as loop:
            at = builder.mul(loop.index, I64(VECTOR_BYTES))
            (addend,) = words.load(builder.add(builder.add(row, offset), at), 1)
            (total,) = words.load(builder.add(place, at), 1)
            words.store(builder.add(place, at), [builder.add(total, addend)])


class _Columns:
    """Reads and writes packed digits, and goes over their limbs with a carry."""

    def __init__(self, builder: Any, limbs: Value) -> None:
        self._builder = builder
        self._lanes = Lanes(builder)
        self._limbs = limbs

    def carry(self, out: Value, first: Value, column: Callable[[Value], Value]) -> Value:
        """Write tight limbs of the signed columns, plus ``first``; return what is carried out."""
        builder = self._builder
        carried = vector_variable(builder)
        builder.store(first, carried)
        with cgutils.for_range(builder, self._limbs) as loop:
            total = self._lanes.add(column(loop.index), builder.load(carried))
            self.write(out, loop.index, self._lanes.mask(total, LIMB_BITS))
            builder.store(self._lanes.shift_right_signed(total, LIMB_BITS), carried)
        return builder.load(carried)

    def read(self, address: Value, index: Value) -> Value:
        """Return one limb."""
        return self._builder.load(self._place(address, index), align=VECTOR_BYTES)

    def write(self, address: Value, index: Value, value: Value) -> None:
        """Write one limb."""
        self._builder.store(value, self._place(address, index), align=VECTOR_BYTES)

    def _place(self, address: Value, index: Value) -> Value:
        return self._builder.gep(self._builder.inttoptr(address, VECTOR.as_pointer()), [index])


def _emit_scale(builder: Any, arguments: list[Value]) -> None:
    out, x, factor, limbs = arguments
    columns, multiple = _Columns(builder, limbs), _spread(builder, factor)
    columns.carry(out, _ZERO, lambda k: builder.mul(columns.read(x, k), multiple))


def _emit_subtract(builder: Any, arguments: list[Value]) -> None:
    out, x, y, multiple, small, modulus, limbs = arguments
    columns, factor = _Columns(builder, limbs), _spread(builder, multiple)
    n = builder.add(modulus, I64(VECTOR_BYTES))

    def column(k: Value) -> Value:
        added = builder.add(columns.read(x, k), builder.mul(columns.read(n, k), factor))
        return builder.sub(added, columns.read(y, k))

    columns.carry(out, builder.sub(_ZERO, _spread(builder, small)), column)


def _emit_subtract_once(builder: Any, arguments: list[Value]) -> None:
    flag, x, added, spare, modulus, limbs = arguments
    columns = _Columns(builder, limbs)
    n = builder.add(modulus, I64(VECTOR_BYTES))
    columns.carry(x, columns.read(added, I64(0)), lambda k: columns.read(x, k))
    below = columns.carry(
        spare, _ZERO, lambda k: builder.sub(columns.read(x, k), columns.read(n, k))
    )
    with cgutils.for_range(builder, limbs) as loop:
        kept = builder.and_(columns.read(x, loop.index), below)
        less = builder.and_(columns.read(spare, loop.index), builder.not_(below))
        columns.write(x, loop.index, builder.or_(kept, less))
    columns.write(flag, I64(0), builder.add(below, _ONE))


def _spread(builder: Any, scalar: Value) -> Value:
    """Return the vector that holds a 64-bit integer in every lane."""
    first = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, I32(0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))


gather = subroutine("wide_gather", 3, _emit_gather)
"""``(packed, addresses, blocks)``: pack 8 * blocks words from each of the eight ``addresses``."""

scatter = subroutine("wide_scatter", 3, _emit_scatter)
"""``(packed, addresses, blocks)``: write packed words to the eight ``addresses``."""

prefetch = subroutine("wide_prefetch", 2, _emit_prefetch)
"""``(addresses, lines)``: have so many cache lines from each of the eight addresses fetched."""


add_rows = subroutine("wide_add_rows", 4, _emit_add_rows)
"""``(sums, addresses, offset, blocks)``: add 8 * blocks words at ``offset`` from each of the eight
addresses to eight rows of as many at ``sums``, without carrying."""

scale = subroutine("wide_scale", 4, _emit_scale)
"""``(out, x, factor, limbs)``: x times a small positive factor, tight, which x need not be."""

subtract = subroutine("wide_subtract", 7, _emit_subtract)
"""``(out, x, y, multiple, small, modulus, limbs)``: x - y + multiple N - small, tight.

It must not be negative, nor R or above."""

subtract_once = subroutine("wide_subtract_once", 6, _emit_subtract_once)
"""``(flag, x, added, spare, modulus, limbs)``: x += added, then x -= N where it is not below N.

``added`` is one vector, of 0 or 1; ``flag`` becomes 1 where N was subtracted and 0 elsewhere;
``spare`` is one digit of memory."""
