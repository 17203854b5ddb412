"""Eight 64-bit integers side by side (AVX-512), as LLVM instructions.

A :class:`Lanes` wraps the instruction builder that numba hands an intrinsic. Its values are
vectors of eight lanes; lane i of every vector belongs to item i of a batch, so that a loop over
items becomes one pass over vectors. ``multiply_low`` and ``multiply_high`` are the instructions
``vpmadd52luq`` and ``vpmadd52huq`` (AVX-512 IFMA): the low and the high 52 bits of the 104-bit
product of the operands' low 52 bits, added to an accumulator of 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from llvmlite import ir

LANES = 8
I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(I64, LANES)
VECTOR_BYTES = 64

Value: TypeAlias = Any
"""A vector in a register, as LLVM names it; llvmlite has no types to offer."""


def constant(value: int) -> Value:
    """Return the vector that holds ``value`` modulo 2^64 in every lane."""
    return ir.Constant(VECTOR, [value & (2**64 - 1)] * LANES)


def function(builder: Any, name: str, result: Any, arguments: Sequence[Any]) -> Any:
    """Return LLVM's function ``name``, declared in the builder's module if it was not yet."""
    known = builder.module.globals.get(name)
    if known is None:
        known = ir.Function(builder.module, ir.FunctionType(result, arguments), name)
    return known


class Lanes:
    """Emits arithmetic on vectors of eight 64-bit lanes."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        three = [VECTOR] * 3
        self._low = function(builder, "llvm.x86.avx512.vpmadd52l.uq.512", VECTOR, three)
        self._high = function(builder, "llvm.x86.avx512.vpmadd52h.uq.512", VECTOR, three)

    def load(self, base: Value, slot: Value, count: int) -> list[Value]:
        """Load ``count`` consecutive vectors of element ``slot`` at address ``base``.

        An element is ``count`` vectors, 64-byte aligned; both arguments are 64-bit integers.
        """
        pointer = self._pointer(base, slot, count)
        return [
            self.builder.load(self.builder.gep(pointer, [ir.Constant(I32, k)]), align=VECTOR_BYTES)
            for k in range(count)
        ]

    def store(self, base: Value, slot: Value, vectors: Sequence[Value]) -> None:
        """Store the vectors as element ``slot``."""
        pointer = self._pointer(base, slot, len(vectors))
        for k, vector in enumerate(vectors):
            place = self.builder.gep(pointer, [ir.Constant(I32, k)])
            self.builder.store(vector, place, align=VECTOR_BYTES)

    def multiply_low(self, accumulator: Value, x: Value, y: Value) -> Value:
        """Return accumulator + (x y mod 2^52), of the operands' low 52 bits."""
        return self.builder.call(self._low, [accumulator, x, y])

    def multiply_high(self, accumulator: Value, x: Value, y: Value) -> Value:
        """Return accumulator + floor(x y / 2^52), of the operands' low 52 bits."""
        return self.builder.call(self._high, [accumulator, x, y])

    def multiply(self, x: Value, factor: int) -> Value:
        """Return x times a small constant, modulo 2^64."""
        return self.builder.mul(x, constant(factor))

    def add(self, x: Value, y: Value) -> Value:
        """Return x + y modulo 2^64."""
        return self.builder.add(x, y)

    def subtract(self, x: Value, y: Value) -> Value:
        """Return x - y modulo 2^64."""
        return self.builder.sub(x, y)

    def shift_left(self, x: Value, bits: int) -> Value:
        """Return x 2^bits modulo 2^64."""
        return self.builder.shl(x, constant(bits))

    def shift_right(self, x: Value, bits: int) -> Value:
        """Return floor(x / 2^bits), x unsigned."""
        return self.builder.lshr(x, constant(bits))

    def shift_right_signed(self, x: Value, bits: int) -> Value:
        """Return floor(x / 2^bits), x a two's complement number."""
        return self.builder.ashr(x, constant(bits))

    def mask(self, x: Value, bits: int) -> Value:
        """Return x modulo 2^bits."""
        return self.builder.and_(x, constant((1 << bits) - 1))

    def _pointer(self, base: Value, slot: Value, count: int) -> Value:
        offset = self.builder.mul(slot, ir.Constant(I64, count * VECTOR_BYTES))
        return self.builder.inttoptr(self.builder.add(base, offset), VECTOR.as_pointer())
