"""Multiplication in GF(2^64) = GF(2)[x] / (x^64 + x^4 + x^3 + x + 1).

An element is a 64-bit word whose bit i is the coefficient of x^i; addition is exclusive or. The
polynomial is the lexicographically first irreducible one of degree 64 (G. Seroussi, "Table of
Low-Weight Binary Irreducible Polynomials", HPL-98-135, 1998).

A product costs the same for all operands in both twins: neither branches on them nor looks
anything up by them.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types

from protocols.kernels.jit import intrinsic, kernel
from protocols.kernels.lanes import I8, I32, I64, LANES, VECTOR, Value, constant, function

Words = npt.NDArray[np.uint64]

TAIL = 0x1B
"""x^64 modulo the polynomial: x^4 + x^3 + x + 1."""

_PAIR = ir.VectorType(I64, 2)
_BLOCK = 64
_ONE = np.uint64(1)
_TOP = np.uint64(63)
_TAIL = np.uint64(TAIL)


@intrinsic
def multiply_clmul(_context: Any, x: Any, y: Any) -> Any:
    """Return the product of two elements; for kernels on processors with ``cpu.CLMUL``."""

    def emit(_: Any, builder: Any, __: Any, arguments: Any) -> Value:
        clmul = function(builder, "llvm.x86.pclmulqdq", _PAIR, [_PAIR, _PAIR, I8])
        zero, tail = ir.Constant(_PAIR, [0, 0]), ir.Constant(_PAIR, [TAIL, 0])
        x, y = (builder.insert_element(zero, value, I32(0)) for value in arguments)
        product = builder.call(clmul, [x, y, I8(0x00)])
        # The high word times x^64 is the high word times the tail; what that pushes past bit 63
        # (four bits) once more.
        folded = builder.call(clmul, [product, tail, I8(0x01)])
        again = builder.call(clmul, [folded, tail, I8(0x01)])
        return builder.extract_element(builder.xor(builder.xor(product, folded), again), I32(0))

    return types.uint64(types.uint64, types.uint64), emit


@kernel
def _product_low(x: Any, y: Any) -> Any:
    """Return the low 64 bits of the carry-less product (T. Pornin, BearSSL, ``ghash_ctmul64``).

    Each operand is cut into four with three zero bits between two data bits. In an integer
    product of two such numbers the sum of column k is at most k / 4 + 1 <= 16, so that its carries
    end in the zero bits before the next data bit, but for the last column, whose carry leaves the
    word.
    """
    every_fourth = np.uint64(0x1111111111111111)
    x0, y0 = x & every_fourth, y & every_fourth
    x1, y1 = x & (every_fourth << np.uint64(1)), y & (every_fourth << np.uint64(1))
    x2, y2 = x & (every_fourth << np.uint64(2)), y & (every_fourth << np.uint64(2))
    x3, y3 = x & (every_fourth << np.uint64(3)), y & (every_fourth << np.uint64(3))
    z0 = (x0 * y0) ^ (x1 * y3) ^ (x2 * y2) ^ (x3 * y1)
    z1 = (x0 * y1) ^ (x1 * y0) ^ (x2 * y3) ^ (x3 * y2)
    z2 = (x0 * y2) ^ (x1 * y1) ^ (x2 * y0) ^ (x3 * y3)
    z3 = (x0 * y3) ^ (x1 * y2) ^ (x2 * y1) ^ (x3 * y0)
    return (
        (z0 & every_fourth)
        | (z1 & (every_fourth << np.uint64(1)))
        | (z2 & (every_fourth << np.uint64(2)))
        | (z3 & (every_fourth << np.uint64(3)))
    )


@kernel
def _reverse_bits(x: Any) -> Any:
    """Return the word with bit i moved to bit 63 - i."""
    pairs, nibbles = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
    octets, halves = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x00FF00FF00FF00FF)
    words = np.uint64(0x0000FFFF0000FFFF)
    x = ((x >> np.uint64(1)) & pairs) | ((x & pairs) << np.uint64(1))
    x = ((x >> np.uint64(2)) & nibbles) | ((x & nibbles) << np.uint64(2))
    x = ((x >> np.uint64(4)) & octets) | ((x & octets) << np.uint64(4))
    x = ((x >> np.uint64(8)) & halves) | ((x & halves) << np.uint64(8))
    x = ((x >> np.uint64(16)) & words) | ((x & words) << np.uint64(16))
    return (x >> np.uint64(32)) | (x << np.uint64(32))


@kernel
def multiply_portable(x: Any, y: Any) -> Any:
    """Return the product of two elements (``uint64``), on any processor."""
    low = _product_low(x, y)
    # The reversed operands' product is the reversed product, one bit further down.
    high = _reverse_bits(_product_low(_reverse_bits(x), _reverse_bits(y))) >> np.uint64(1)
    over = (high >> np.uint64(63)) ^ (high >> np.uint64(61)) ^ (high >> np.uint64(60))
    low ^= high ^ (high << np.uint64(1)) ^ (high << np.uint64(3)) ^ (high << np.uint64(4))
    return low ^ over ^ (over << np.uint64(1)) ^ (over << np.uint64(3)) ^ (over << np.uint64(4))


@intrinsic
def _scale_eight(_context: Any, factor: Any, source: Any, target: Any) -> Any:
    """XOR the factor's products with eight words at address ``source`` into those at ``target``."""

    def emit(context: Any, builder: Any, _: Any, arguments: Any) -> Value:
        three = [VECTOR, VECTOR, I8]
        clmul = function(builder, "llvm.x86.pclmulqdq.512", VECTOR, three)
        words, target = (
            builder.inttoptr(address, VECTOR.as_pointer()) for address in arguments[1:]
        )
        values = builder.load(words, align=8)
        one = builder.insert_element(constant(0), arguments[0], I32(0))
        factors = builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, LANES), [0] * 8))
        reduced = []
        for which in (0x00, 0x01):  # the even words' products, then the odd words'
            product = builder.call(clmul, [values, factors, I8(which)])
            folded = builder.call(clmul, [product, constant(TAIL), I8(0x01)])
            again = builder.call(clmul, [folded, constant(TAIL), I8(0x01)])
            reduced.append(builder.xor(builder.xor(product, folded), again))
        interleave = [0, 8, 2, 10, 4, 12, 6, 14]
        products = builder.shuffle_vector(
            *reduced, ir.Constant(ir.VectorType(I32, LANES), interleave)
        )
        builder.store(builder.xor(builder.load(target, align=8), products), target, align=8)
        return context.get_dummy_value()

    return types.void(types.uint64, types.intp, types.intp), emit


@kernel
def _scale_clmul(factor: Any, values: Words, out: Words) -> None:
    length = values.shape[0]
    source, target = np.intp(values.ctypes.data), np.intp(out.ctypes.data)
    whole = length - length % 8
    for start in range(0, whole, 8):
        _scale_eight(factor, source + 8 * start, target + 8 * start)
    for i in range(whole, length):
        out[i] ^= multiply_clmul(factor, values[i])


@kernel
def _scale_portable(factor: Any, values: Words, out: Words) -> None:
    """Shift and add, a block of elements at a time: the compiler makes vectors of the inner loop.

    A bit of the factor becomes a mask, so that every factor costs the same.
    """
    power, total = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint64)
    for start in range(0, values.shape[0], _BLOCK):
        length = min(_BLOCK, values.shape[0] - start)
        for j in range(length):
            power[j] = values[start + j]
            total[j] = np.uint64(0)
        for bit in range(64):
            wanted = np.uint64(0) - ((factor >> np.uint64(bit)) & _ONE)
            for j in range(_BLOCK):
                total[j] ^= power[j] & wanted
                power[j] = (power[j] << _ONE) ^ (_TAIL & (np.uint64(0) - (power[j] >> _TOP)))
        for j in range(length):
            out[start + j] ^= total[j]


def scale_into(factor: int, values: Words, out: Words, *, portable: bool) -> None:
    """Add ``factor`` times each of ``values`` to ``out``: out ^= factor * values.

    Both arrays are contiguous, of one length, and do not overlap unless they are the same one.
    """
    if values.shape != out.shape or values.ndim != 1:
        raise ValueError("values and out must be one-dimensional and of one length")
    if not (values.flags.c_contiguous and out.flags.c_contiguous):
        raise ValueError("values and out must be contiguous")
    scale = cast(Any, _scale_portable if portable else _scale_clmul)
    scale(np.uint64(factor), values, out)
