"""Arithmetic modulo p = 2^255 - 19, eight numbers at a time (AVX-512 IFMA).

An *element* is five vectors, limb k worth 2^(51 k); lane i of every vector belongs to number i. No
operation branches on a value or addresses memory by one. Limbs come in three ranges:

- **wide**, any limbs below 2^64: what :func:`product`, :func:`squared` and a sum of such return;
- **tight**, limbs below 2^51 + 2^18: what :func:`carry` makes of wide ones, and what the products
  take, as IFMA reads the low 52 bits of an operand only;
- **canonical**, limbs below 2^51 and the number below p: what :func:`freeze` makes of tight ones.

*Products.* x_i y_j is worth 2^(51 (i + j)). Its low 52 bits count in column i + j; what is above is
worth 2^52 = 2 2^51 and counts twice in column i + j + 1. Column k + 5 is worth 2^255 = 19 (mod p)
times column k. Every half is below 2^52, so the largest folded column, number 0, is below
(1 + 19 (4 + 2 5)) 2^52 = 267 2^52 < 2^61.

*Differences.* x - y of wide elements needs the limbs of y below those of 2^10 p, which are at least
2^61 - 19 2^10 and so above 267 2^52: y is a product or tight. With x a product or tight as well, a
limb of x + 2^10 p - y lies between 0 and 2^62.

*Carries.* A limb below 2^64 passes less than 2^13 on, the last one 19 times that to the first:
below 2^51 + 19 2^13 < 2^51 + 2^18.

**In memory** elements stand one after the other, 320 bytes each, in a work area
(:func:`work_area`), and are named by their number there, their *slot*. The functions from
:func:`multiply` on are for kernels and take the area's address and slots; an output may be one of
the inputs. Elements in memory are tight unless said otherwise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types

from protocols.kernels.jit import intrinsic, kernel
from protocols.kernels.lanes import (
    I32,
    I64,
    LANES,
    VECTOR,
    VECTOR_BYTES,
    Lanes,
    Value,
    constant,
)
from protocols.kernels.limbs import LIMBS, ZERO

Words: TypeAlias = npt.NDArray[np.uint64]
Steps: TypeAlias = npt.NDArray[np.int64]
Element: TypeAlias = list[Value]
Slot: TypeAlias = int | np.signedinteger[Any]

LIMB_BITS = 51
P = 2**255 - 19
FOLD = 19
ELEMENT_WORDS = LIMBS * LANES
ELEMENT_BYTES = LIMBS * VECTOR_BYTES
NUMBER_WORDS = 4
UNIFORM_WORDS = 6
_BIAS = [2**61 - FOLD * 2**10] + [2**61 - 2**10] * 4
"""The limbs of 2^10 p."""


def product(lanes: Lanes, x: Element, y: Element) -> Element:
    """Return x y, wide, of tight elements."""

    def column(k: int) -> Value:
        total = ZERO
        for i in range(max(0, k - LIMBS), min(k, LIMBS)):
            total = lanes.multiply_high(total, x[i], y[k - 1 - i])
        total = _twice(lanes, total)
        for i in range(max(0, k - LIMBS + 1), min(k + 1, LIMBS)):
            total = lanes.multiply_low(total, x[i], y[k - i])
        return total

    return _fold(lanes, column)


def squared(lanes: Lanes, x: Element) -> Element:
    """Return x^2, wide, of a tight element, with 15 of the 25 partial products."""

    def column(k: int) -> Value:
        total = ZERO
        for i in range(max(0, k - LIMBS), k // 2):
            total = lanes.multiply_high(total, x[i], x[k - 1 - i])
        total = _twice(lanes, total)
        for i in range(max(0, k - LIMBS + 1), (k + 1) // 2):
            total = lanes.multiply_low(total, x[i], x[k - i])
        if k % 2:
            total = lanes.multiply_high(total, x[k // 2], x[k // 2])
        total = _twice(lanes, total)
        if k % 2 == 0 and k < 2 * LIMBS - 1:
            total = lanes.multiply_low(total, x[k // 2], x[k // 2])
        return total

    return _fold(lanes, column)


def _twice(lanes: Lanes, x: Value) -> Value:
    return x if x is ZERO else lanes.add(x, x)


def _fold(lanes: Lanes, column: Callable[[int], Value]) -> Element:
    # Few sums are alive at a time this way: they and the operands fit the 32 registers.
    return [lanes.add(lanes.multiply(column(k + LIMBS), FOLD), column(k)) for k in range(LIMBS)]


def carry(lanes: Lanes, x: Element) -> Element:
    """Return the wide element tight."""
    over = [lanes.shift_right(limb, LIMB_BITS) for limb in x]
    rest = [lanes.mask(limb, LIMB_BITS) for limb in x]
    first = lanes.multiply_low(rest[0], over[-1], constant(FOLD))
    return [first, *(lanes.add(rest[k], over[k - 1]) for k in range(1, LIMBS))]


def plus(lanes: Lanes, x: Element, y: Element) -> Element:
    """Return x + y, tight; each is a product or tight."""
    return carry(lanes, [lanes.add(a, b) for a, b in zip(x, y, strict=True)])


def minus(lanes: Lanes, x: Element, y: Element) -> Element:
    """Return x - y, tight; each is a product or tight."""
    biased = [lanes.add(limb, constant(bias)) for limb, bias in zip(x, _BIAS, strict=True)]
    return carry(lanes, [lanes.subtract(a, b) for a, b in zip(biased, y, strict=True)])


def plus_multiple(lanes: Lanes, x: Element, factor: int, y: Element) -> Element:
    """Return x + factor y, tight, of tight elements and a factor below 2^20.

    A limb of y times the factor is below 2^72: its high half is below 2^20, nothing is wide.
    """
    multiplier = constant(factor)
    high = [lanes.multiply_high(ZERO, limb, multiplier) for limb in y]
    shifted = [lanes.multiply(high[-1], 2 * FOLD), *(lanes.add(v, v) for v in high[:-1])]
    started = [lanes.add(a, b) for a, b in zip(x, shifted, strict=True)]
    return carry(
        lanes, [lanes.multiply_low(a, b, multiplier) for a, b in zip(started, y, strict=True)]
    )


def freeze(lanes: Lanes, x: Element) -> Element:
    """Return the tight element canonical.

    After the first pass of carries the number is below 2^255 + 2^19, so that subtracting p once
    at most is enough: p is subtracted where adding 19 reaches 2^255.
    """
    x = _carry_in_order(lanes, x)
    x[0] = lanes.multiply_low(x[0], lanes.shift_right(x[-1], LIMB_BITS), constant(FOLD))
    x[-1] = lanes.mask(x[-1], LIMB_BITS)
    over = lanes.shift_right(lanes.add(x[0], constant(FOLD)), LIMB_BITS)
    for limb in x[1:]:
        over = lanes.shift_right(lanes.add(limb, over), LIMB_BITS)
    x[0] = lanes.multiply_low(x[0], over, constant(FOLD))
    x = _carry_in_order(lanes, x)
    x[-1] = lanes.mask(x[-1], LIMB_BITS)
    return x


def _carry_in_order(lanes: Lanes, x: Element) -> Element:
    x = list(x)
    for k in range(LIMBS - 1):
        x[k + 1] = lanes.add(x[k + 1], lanes.shift_right(x[k], LIMB_BITS))
        x[k] = lanes.mask(x[k], LIMB_BITS)
    return x


def _from_words(lanes: Lanes, words: list[Value], limbs: int) -> list[Value]:
    """Return bits 51 k to 51 k + 50 of a little-endian number, for each k below ``limbs``."""
    found = []
    for k in range(limbs):
        word, shift = divmod(LIMB_BITS * k, 64)
        limb = lanes.shift_right(words[word], shift)
        if shift + LIMB_BITS > 64 and word + 1 < len(words):
            limb = lanes.add(limb, lanes.shift_left(words[word + 1], 64 - shift))
        found.append(lanes.mask(limb, LIMB_BITS))
    return found


def _to_words(lanes: Lanes, x: Element) -> list[Value]:
    """Return the canonical element as four little-endian words."""
    words = []
    for word in range(NUMBER_WORDS):
        total = ZERO
        for k, limb in enumerate(x):
            at = LIMB_BITS * k - 64 * word
            if 0 <= at < 64:
                total = lanes.add(total, lanes.shift_left(limb, at))
            elif -LIMB_BITS < at < 0:
                total = lanes.add(total, lanes.shift_right(limb, -at))
        words.append(total)
    return words


def broadcast(lanes: Lanes, word: Value) -> Value:
    """Return the vector with a 64-bit integer in every lane."""
    builder = lanes.builder
    undefined = ir.Constant(VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, word, ir.Constant(I32, 0))
    everywhere = ir.Constant(ir.VectorType(I32, LANES), [0] * LANES)
    return builder.shuffle_vector(one, undefined, everywhere)


def operation(emit: Callable[..., None]) -> Any:
    """Return ``emit(lanes, base, *slots)`` as what a kernel can call, with 64-bit integers.

    Each further argument of ``emit`` is an argument of the call. The function that calls it stands
    by itself in the machine code, with a stack whose vectors are on cache lines: LLVM does not
    see to that for the registers it spills, and a ladder takes a tenth longer without.
    """
    names = list(inspect.signature(emit).parameters)[1:]

    def typed(_context: Any, *arguments: Any) -> Any:
        def generate(context: Any, builder: Any, _: Any, values: Any) -> Value:
            builder.function.attributes.alignstack = VECTOR_BYTES
            builder.function.attributes.add("noinline")
            emit(Lanes(builder), *values)
            return context.get_dummy_value()

        return types.void(*[types.int64] * len(arguments)), generate

    kind = inspect.Parameter.POSITIONAL_ONLY
    typed.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind) for name in ["context", *names]]
    )
    typed.__name__ = emit.__name__
    return intrinsic(typed)


@operation
def _multiply(lanes: Lanes, base: Value, out: Value, x: Value, y: Value) -> None:
    left, right = lanes.load(base, x, LIMBS), lanes.load(base, y, LIMBS)
    lanes.store(base, out, carry(lanes, product(lanes, left, right)))


@operation
def _square(lanes: Lanes, base: Value, out: Value, x: Value) -> None:
    lanes.store(base, out, carry(lanes, squared(lanes, lanes.load(base, x, LIMBS))))


@operation
def _add(lanes: Lanes, base: Value, out: Value, x: Value, y: Value) -> None:
    lanes.store(base, out, plus(lanes, lanes.load(base, x, LIMBS), lanes.load(base, y, LIMBS)))


@operation
def _subtract(lanes: Lanes, base: Value, out: Value, x: Value, y: Value) -> None:
    lanes.store(base, out, minus(lanes, lanes.load(base, x, LIMBS), lanes.load(base, y, LIMBS)))


@operation
def _copy(lanes: Lanes, base: Value, out: Value, x: Value) -> None:
    lanes.store(base, out, lanes.load(base, x, LIMBS))


@operation
def _fill(lanes: Lanes, base: Value, slot: Value, number: Value) -> None:
    lanes.store(base, slot, [broadcast(lanes, number), *[ZERO] * (LIMBS - 1)])


@operation
def _unpack(lanes: Lanes, base: Value, slot: Value) -> None:
    words = lanes.load(base, slot, LIMBS)[:NUMBER_WORDS]
    lanes.store(base, slot, _from_words(lanes, words, LIMBS))


@operation
def _unpack_uniform(lanes: Lanes, base: Value, slot: Value) -> None:
    after = lanes.builder.add(slot, ir.Constant(I64, 1))
    words = (lanes.load(base, slot, LIMBS) + lanes.load(base, after, LIMBS))[:UNIFORM_WORDS]
    low = _from_words(lanes, words, 8)
    # Limbs 5 to 7 are worth 2^255 = 19 times limbs 0 to 2; the sums are below 20 2^51.
    for k, limb in enumerate(low[LIMBS:]):
        low[k] = lanes.add(low[k], lanes.multiply(limb, FOLD))
    lanes.store(base, slot, carry(lanes, low[:LIMBS]))


@operation
def _pack(lanes: Lanes, base: Value, out: Value, x: Value) -> None:
    words = _to_words(lanes, freeze(lanes, lanes.load(base, x, LIMBS)))
    lanes.store(base, out, [*words, ZERO])


@kernel
def multiply(base: int, out: Slot, x: Slot, y: Slot) -> None:
    """Store x y in slot ``out``."""
    _multiply(base, out, x, y)


@kernel
def copy(base: int, out: Slot, x: Slot) -> None:
    """Store x in slot ``out``."""
    _copy(base, out, x)


@kernel
def square(base: int, out: Slot, x: Slot) -> None:
    """Store x^2 in slot ``out``."""
    _square(base, out, x)


@kernel
def add(base: int, out: Slot, x: Slot, y: Slot) -> None:
    """Store x + y in slot ``out``."""
    _add(base, out, x, y)


@kernel
def subtract(base: int, out: Slot, x: Slot, y: Slot) -> None:
    """Store x - y in slot ``out``."""
    _subtract(base, out, x, y)


@kernel
def fill(base: int, slot: Slot, number: int) -> None:
    """Store one number below 2^51 in all lanes of a slot."""
    _fill(base, slot, number)


@kernel
def _transpose(work: Words, slot: Slot, rows: Words, first: int) -> None:
    last = rows.shape[0] - 1
    for lane in range(LANES):
        row = min(first + lane, last)
        for k in range(rows.shape[1]):
            work[ELEMENT_WORDS * slot + LANES * k + lane] = rows[row, k]


@kernel
def load(work: Words, slot: Slot, rows: Words, first: int) -> None:
    """Load eight numbers, ``rows`` of four little-endian words, from row ``first`` on.

    Bit 255 is dropped, and a number from p on is taken modulo p, as RFC 7748 §5 has it. Past the
    last row, lanes repeat it.
    """
    _transpose(work, slot, rows, first)
    _unpack(work.ctypes.data, slot)


@kernel
def load_uniform(work: Words, slot: Slot, rows: Words, first: int) -> None:
    """Load eight numbers modulo p, ``rows`` of six little-endian words, as :func:`load` does.

    Slot ``slot + 1`` is overwritten.
    """
    _transpose(work, slot, rows, first)
    _unpack_uniform(work.ctypes.data, slot)


@kernel
def canonical_words(work: Words, out: Slot, x: Slot) -> None:
    """Store the numbers as words: word k of lane i is ``work[40 out + 8 k + i]``, k below 4."""
    _pack(work.ctypes.data, out, x)


@kernel
def store(work: Words, x: Slot, rows: Words, first: int, scratch: Slot) -> int:
    """Write eight canonical numbers to ``rows`` from row ``first`` on, as many as there are rows.

    Returns how many of them are 0.
    """
    _pack(work.ctypes.data, scratch, x)
    zeros = 0
    for lane in range(min(LANES, rows.shape[0] - first)):
        bits = np.uint64(0)
        for k in range(NUMBER_WORDS):
            word = work[ELEMENT_WORDS * scratch + LANES * k + lane]
            rows[first + lane, k] = word
            bits |= word
        if bits == 0:
            zeros += 1
    return zeros


_TO_2_250_LESS_1 = [
    (2, 0, 1, -1),  # 2
    (3, 2, 2, 0),  # 9
    (4, 3, 0, 2),  # 11
    (1, 4, 1, 3),  # 31 = 2^5 - 1
    (3, 1, 5, 1),  # 2^10 - 1
    (1, 3, 10, 3),  # 2^20 - 1
    (5, 1, 20, 1),  # 2^40 - 1
    (1, 5, 10, 3),  # 2^50 - 1
    (3, 1, 50, 1),  # 2^100 - 1
    (5, 3, 100, 3),  # 2^200 - 1
    (3, 5, 50, 1),  # 2^250 - 1
]
INVERSE = np.array([*_TO_2_250_LESS_1, (1, 3, 5, 4)])
"""To the power p - 2 = 32 (2^250 - 1) + 11: the inverse, or 0 of 0. See :func:`power`."""
CHARACTER = np.array([*_TO_2_250_LESS_1, (5, 2, 1, 2), (1, 3, 4, 5)])
"""To the power (p - 1) / 2 = 16 (2^250 - 1) + 6: 1 of a square, -1 of none, 0 of 0 (Euler)."""
POWER_REGISTERS = 5


@kernel
def power(base: int, steps: Steps, x: Slot, count: int, free: Slot) -> None:
    """Store a power of each of ``count`` elements from slot x on, at slot ``free`` and on.

    A step (out, a, times, b) sets register out to a^(2^times) b; without b where that is -1.
    Register 0 is x, unchanged; register r from 1 on is the ``count`` slots at
    ``free + (r - 1) * count``, and register 1 the result. Where times is not 0, b is not out.
    The elements are independent, so that one's latency is spent on the others.
    """
    for step in range(steps.shape[0]):
        out, a, times, b = steps[step]
        to = free + (out - 1) * count
        source = x if a == 0 else free + (a - 1) * count
        factor = x if b == 0 else free + (b - 1) * count
        for _ in range(times):
            for i in range(count):
                _square(base, to + i, source + i)
            source = to
        if b >= 0:
            for i in range(count):
                _multiply(base, to + i, source + i, factor + i)


def work_area(slots: int) -> Words:
    """Return room for elements, on a cache line's boundary, its content undefined."""
    raw = np.empty(slots * ELEMENT_WORDS + LANES - 1, np.uint64)
    skipped = -raw.ctypes.data % VECTOR_BYTES // 8
    return raw[skipped : skipped + slots * ELEMENT_WORDS]
