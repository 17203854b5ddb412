"""Arithmetic modulo the primes of SM2 and P-256, eight numbers at a time (AVX-512 IFMA).

Montgomery's multiplication (Math. Comp. 44 (1985), 519-521) with radix 2^52 and R = 2^260. Both
primes are -1 modulo 2^52, so the factor that Montgomery's reduction multiplies by is 1, and p + 1
has few limbs that are not 0: a round of the reduction is four or six multiply instructions.

A number x of the field is an :class:`Element`: five vectors that hold x R mod p, up to multiples
of p. Its limbs may be any signed 64-bit integers while it is only added; it is *tight* when each
limb is in [0, 2^52), which the multiply instructions need. Overflow is not argued case by case but
carried along: an element knows a bound of its value, in multiples of p, and one of its limbs'
magnitude; every rule that computes them is below, and an operation that would leave its range
raises ``ArithmeticError`` when a kernel is compiled, not when it runs. The rules rest on
2^256 - 2^225 < p < 2^256:

- *carry* makes an element tight: its value must be in [0, 16 p], which is below 2^260.
- *reduce*: x <= a p and y <= b p have x y <= a b p^2, and Montgomery's (x y + m p) / 2^260 with
  m < 2^260 is at most (a b / 16 + 1) p.
- *fold* takes a value in [0, 64 p] to at most (1 + 2^-20) p, by subtracting h p, h the bits from
  2^256 up as the highest limb tells them. What the lower limbs add, not being carried, is less than
  s 2^208 either way, s from the limbs' size; h is taken from the highest limb less s. So the rest
  is at least 0 and below 2^256 + 2 s 2^208, and h times 2^256 - p < 2^225 comes on top; for h = -1,
  when the value is below 2 s 2^208, the result is the value plus p.

A :func:`workspace` is an array of elements in memory, all tight and at most ``STORED`` times p. Its
type says which prime, so that numba compiles every kernel once for each prime it is used with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils

from protocols.kernels.jit import intrinsic
from protocols.kernels.lanes import I32, I64, LANES, VECTOR, VECTOR_BYTES, Lanes, Value, constant
from protocols.kernels.limbs import LIMBS, ZERO

LIMB_BITS = 52
R_BITS = LIMB_BITS * LIMBS
TOP_BITS = 256 - LIMB_BITS * (LIMBS - 1)
FOLDED = 1 + Fraction(1, 1 << 20)
STORED = 4
"""What a workspace holds is at most this many times p."""

Words = npt.NDArray[np.uint64]


class Prime:
    """A 256-bit prime that is -1 modulo 2^52, and what reduction needs of it."""

    def __init__(self, p: int) -> None:
        if p % (1 << LIMB_BITS) != (1 << LIMB_BITS) - 1 or not 2**256 - 2**225 < p < 2**256:
            raise ValueError("the prime must be -1 modulo 2^52 and just below 2^256")
        self.p = p
        self.successor = _limbs_below(p + 1, (1 << LIMB_BITS) - 1)
        self.complement = _limbs_below(2**256 - p, 1 << (LIMB_BITS - 1))

    def montgomery(self, value: int) -> int:
        """Return ``value`` as an element holds it."""
        return (value << R_BITS) % self.p


def _limbs_below(value: int, limit: int) -> list[int]:
    """Return five limbs of ``value``, one that would be ``limit`` or more less 2^52."""
    limbs = []
    for _ in range(LIMBS):
        limb = value % (1 << LIMB_BITS)
        limbs.append(limb if limb < limit else limb - (1 << LIMB_BITS))
        value = (value - limbs[-1]) >> LIMB_BITS
    return limbs


SM2 = Prime(0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF)
P256 = Prime(0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF)


class Sm2Work(NamedTuple):
    """The address of a :func:`workspace` modulo SM2's prime."""

    address: int


class P256Work(NamedTuple):
    """The address of a :func:`workspace` modulo P-256's prime."""

    address: int


Work: TypeAlias = Sm2Work | P256Work

PRIMES: dict[type, Prime] = {Sm2Work: SM2, P256Work: P256}


def workspace(elements: int) -> Words:
    """Return memory for so many elements, zero, shape (elements, 5, 8), 64-byte aligned."""
    count = elements * LIMBS * LANES
    memory = np.zeros(count + LANES, np.uint64)
    start = -memory.ctypes.data % VECTOR_BYTES // 8
    return memory[start : start + count].reshape(elements, LIMBS, LANES)


@dataclass(slots=True)
class Element:
    """Eight field elements x R mod p in registers: 0 <= value <= ``bound`` p in every lane."""

    limbs: list[Value]
    bound: Fraction
    size: int
    """No limb's magnitude is above this."""
    tight: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """Ten columns of a product not yet reduced; their value may be negative."""

    columns: list[Value]
    least: Fraction
    """The value is at least this many times p^2 ..."""
    most: Fraction
    """... and at most this many times p^2."""
    size: int


class Field:
    """Emits arithmetic on elements modulo one prime."""

    def __init__(self, builder: Any, prime: Prime, base: Value) -> None:
        self.lanes = Lanes(builder)
        self.prime = prime
        self.builder = builder
        self._base = base

    def load(self, slot: Value) -> Element:
        """Return the element in a workspace's slot."""
        limbs = self.lanes.load(self._base, slot, LIMBS)
        return Element(limbs, Fraction(STORED), 1 << LIMB_BITS, tight=True)

    def store(self, slot: Value, x: Element) -> None:
        """Write an element to a workspace's slot, folded first if it is too large."""
        if x.bound > STORED:
            x = self.fold(x)
        self.carry(x)
        self.lanes.store(self._base, slot, x.limbs)

    def load_vectors(self, slot: Value, count: int) -> list[Value]:
        """Return the first ``count`` vectors from a slot on, whatever they hold."""
        place = self.builder.mul(slot, ir.Constant(I64, LIMBS))
        return [
            self.lanes.load(self._base, self.builder.add(place, ir.Constant(I64, k)), 1)[0]
            for k in range(count)
        ]

    def store_vectors(self, slot: Value, vectors: Sequence[Value]) -> None:
        """Write vectors from the beginning of a slot on."""
        place = self.builder.mul(slot, ir.Constant(I64, LIMBS))
        for k, vector in enumerate(vectors):
            self.lanes.store(self._base, self.builder.add(place, ir.Constant(I64, k)), [vector])

    def spread_words(self, address: Value, count: int) -> list[Value]:
        """Return the 64-bit words from a byte address on, each in every lane of a vector."""
        pointer = self.builder.inttoptr(address, I64.as_pointer())
        return [
            self._spread(self.builder.load(self.builder.gep(pointer, [ir.Constant(I64, k)])))
            for k in range(count)
        ]

    def constant(self, value: int) -> Element:
        """Return the field element ``value`` in every lane."""
        return self.raw(self.prime.montgomery(value))

    def raw(self, value: int) -> Element:
        """Return the element whose limbs hold ``value`` itself, below p."""
        limbs = [constant(limb) for limb in limbs_of(value)]
        return Element(limbs, Fraction(1), 1 << LIMB_BITS, tight=True)

    def add(self, x: Element, y: Element) -> Element:
        """Return x + y."""
        limbs = [self.lanes.add(a, b) for a, b in zip(x.limbs, y.limbs, strict=True)]
        return _checked(Element(limbs, x.bound + y.bound, x.size + y.size))

    def subtract(self, x: Element, y: Element) -> Element:
        """Return x - y, as x - y + k p for the k that keeps it from being negative."""
        k = ceil(y.bound)
        limbs = [
            self.lanes.subtract(self.lanes.add(a, constant(c)), b)
            for a, b, c in zip(x.limbs, y.limbs, limbs_of(k * self.prime.p), strict=True)
        ]
        return _checked(Element(limbs, x.bound + k, x.size + y.size + (1 << LIMB_BITS)))

    def scale(self, x: Element, factor: int) -> Element:
        """Return x times a small positive constant."""
        limbs = [self.lanes.multiply(limb, factor) for limb in x.limbs]
        return _checked(Element(limbs, x.bound * factor, x.size * factor))

    def negate_where(self, mask: Value, x: Element) -> Element:
        """Return -x in the lanes where ``mask`` is all ones, x where it is 0."""
        k = ceil(x.bound)
        limbs = [
            self.lanes.add(
                self.lanes.subtract(self.builder.xor(limb, mask), mask),
                self.builder.and_(constant(c), mask),
            )
            for limb, c in zip(x.limbs, limbs_of(k * self.prime.p), strict=True)
        ]
        return _checked(Element(limbs, Fraction(k), x.size + (1 << LIMB_BITS)))

    def select(self, mask: Value, x: Element, y: Element) -> Element:
        """Return x in the lanes where ``mask`` is all ones, y where it is 0."""
        limbs = [
            self.builder.xor(b, self.builder.and_(self.builder.xor(a, b), mask))
            for a, b in zip(x.limbs, y.limbs, strict=True)
        ]
        size = max(x.size, y.size)
        return Element(limbs, max(x.bound, y.bound), size, tight=x.tight and y.tight)

    def multiply(self, x: Element, y: Element) -> Element:
        """Return x y."""
        return self.reduce(self.columns(x, y))

    def square(self, x: Element) -> Element:
        """Return x^2."""
        return self.reduce(self.square_columns(x))

    def columns(self, x: Element, y: Element) -> Columns:
        """Return the product of x and y before its reduction."""
        self.carry(x)
        self.carry(y)
        columns = [ZERO] * (2 * LIMBS)
        for i in range(LIMBS):
            for j in range(LIMBS):
                columns[i + j] = self.lanes.multiply_low(columns[i + j], x.limbs[i], y.limbs[j])
                columns[i + j + 1] = self.lanes.multiply_high(
                    columns[i + j + 1], x.limbs[i], y.limbs[j]
                )
        return Columns(columns, Fraction(0), x.bound * y.bound, 2 * LIMBS << LIMB_BITS)

    def square_columns(self, x: Element) -> Columns:
        """Return the square of x before its reduction."""
        self.carry(x)
        columns = [ZERO] * (2 * LIMBS)
        for i in range(LIMBS):
            for j in range(i + 1, LIMBS):
                columns[i + j] = self.lanes.multiply_low(columns[i + j], x.limbs[i], x.limbs[j])
                columns[i + j + 1] = self.lanes.multiply_high(
                    columns[i + j + 1], x.limbs[i], x.limbs[j]
                )
        columns = [c if c is ZERO else self.lanes.shift_left(c, 1) for c in columns]
        for i in range(LIMBS):
            limb = x.limbs[i]
            columns[2 * i] = self.lanes.multiply_low(columns[2 * i], limb, limb)
            columns[2 * i + 1] = self.lanes.multiply_high(columns[2 * i + 1], limb, limb)
        return Columns(columns, Fraction(0), x.bound * x.bound, 2 * LIMBS << LIMB_BITS)

    def subtract_columns(self, x: Columns, y: Columns, factor: int) -> Columns:
        """Return x - factor y, for a small positive factor."""
        columns = [
            self.lanes.subtract(a, self.lanes.multiply(b, factor))
            for a, b in zip(x.columns, y.columns, strict=True)
        ]
        least, most = x.least - factor * y.most, x.most - factor * y.least
        return Columns(columns, least, most, x.size + factor * y.size)

    def reduce(self, product: Columns) -> Element:
        """Return the product's columns divided by 2^260 modulo p (Montgomery's reduction).

        Round i makes column i a multiple of 2^52 by adding m_i p, m_i the column's low 52 bits:
        p is -1 there, so that -m_i is all that this column sees of it, and the rest is m_i times
        the limbs of p + 1.
        """
        columns, size = list(product.columns), product.size
        for i in range(LIMBS):
            # The multiply instructions read the low 52 bits of an operand, which are m_i.
            m = columns[i]
            for j, limb in enumerate(self.prime.successor):
                if limb > 0:
                    factor = constant(limb)
                    columns[i + j] = self.lanes.multiply_low(columns[i + j], m, factor)
                    columns[i + j + 1] = self.lanes.multiply_high(columns[i + j + 1], m, factor)
                elif limb < 0:
                    low = self.lanes.mask(m, LIMB_BITS)
                    columns[i + j] = self.lanes.subtract(columns[i + j], low)
            carried = self.lanes.shift_right_signed(m, LIMB_BITS)
            columns[i + 1] = self.lanes.add(columns[i + 1], carried)
        size += 2 * LIMBS << LIMB_BITS
        size += (size >> LIMB_BITS) + 1
        limbs, offset = columns[LIMBS:], ceil(-product.least / 16)
        if offset:
            multiple = limbs_of(offset * self.prime.p)
            limbs = [self.lanes.add(a, constant(c)) for a, c in zip(limbs, multiple, strict=True)]
            size += 1 << LIMB_BITS
        return _checked(Element(limbs, product.most / 16 + 1 + offset, size))

    def carry(self, x: Element) -> None:
        """Make x tight, in place."""
        if x.tight:
            return
        if x.bound > 16:
            raise ArithmeticError("an element at or above 16 p has no five limbs below 2^52")
        x.limbs, x.size, x.tight = self._carried(x.limbs), 1 << LIMB_BITS, True

    def fold(self, x: Element) -> Element:
        """Return x, below (1 + 2^-20) p."""
        if x.bound > 64:
            raise ArithmeticError("an element at or above 64 p is beyond folding")
        slack = (x.size >> LIMB_BITS) + 2
        top = self.lanes.subtract(x.limbs[-1], constant(slack))
        h = self.lanes.shift_right_signed(top, TOP_BITS)
        limbs = list(x.limbs)
        for k, limb in enumerate(self.prime.complement):
            factor = limb - (1 << TOP_BITS) if k == LIMBS - 1 else limb
            if factor:
                limbs[k] = self.lanes.add(limbs[k], self.lanes.multiply(h, factor))
        return _checked(Element(limbs, FOLDED, x.size + (1 << LIMB_BITS)))

    def canonical(self, x: Element) -> list[Value]:
        """Return the tight limbs of the number x stands for, in [0, p).

        The reduction of x by itself divides by R and gives at most p, and p only for a 0.
        """
        self.carry(x)
        product = Columns(x.limbs + [ZERO] * LIMBS, Fraction(0), Fraction(1, 1 << 200), x.size)
        number = self.reduce(product)
        self.carry(number)
        modulus = [constant(limb) for limb in limbs_of(self.prime.p)]
        less = self._carried(
            [self.lanes.subtract(a, b) for a, b in zip(number.limbs, modulus, strict=True)]
        )
        below = self.lanes.shift_right_signed(less[-1], 63)
        rest = Element(less, Fraction(1), 1 << LIMB_BITS)
        return self.select(below, number, rest).limbs

    def zero_mask(self, x: Element) -> Value:
        """Return all ones in the lanes where x is 0 modulo p, 0 in the others."""
        limbs = self.canonical(x)
        together = limbs[0]
        for limb in limbs[1:]:
            together = self.builder.or_(together, limb)
        return self.builder.sext(self.builder.icmp_unsigned("==", together, ZERO), VECTOR)

    def _carried(self, limbs: list[Value]) -> list[Value]:
        """Return limbs of the same value: in [0, 2^52) but for the highest, which is signed."""
        limbs = list(limbs)
        for k in range(LIMBS - 1):
            carried = self.lanes.shift_right_signed(limbs[k], LIMB_BITS)
            limbs[k] = self.lanes.mask(limbs[k], LIMB_BITS)
            limbs[k + 1] = self.lanes.add(limbs[k + 1], carried)
        return limbs

    def _spread(self, word: Value) -> Value:
        empty = ir.Constant(VECTOR, ir.Undefined)
        first = self.builder.insert_element(empty, word, ir.Constant(I64, 0))
        return self.builder.shuffle_vector(
            first, empty, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES)
        )

    def _sum(self, x: Value, y: Value) -> Value:
        if x is ZERO or y is ZERO:
            return y if x is ZERO else x
        return self.lanes.add(x, y)


def limbs_of(value: int) -> list[int]:
    """Return five limbs, all but the highest below 2^52."""
    low = [value >> LIMB_BITS * k & (1 << LIMB_BITS) - 1 for k in range(LIMBS - 1)]
    return [*low, value >> LIMB_BITS * (LIMBS - 1)]


def _checked(x: Element) -> Element:
    """Return x; raises ``ArithmeticError`` if its limbs might not fit 63 bits."""
    if x.size >> 62:
        raise ArithmeticError("limbs must stay below 2^62")
    return x


Operation = Callable[..., None]


def operation(emit: Operation) -> Any:
    """Return what kernels call as ``f(work, slot, ...)``, its instructions emitted by ``emit``.

    ``emit`` takes a :class:`Field` and the slot numbers; which prime is read from work's type.
    """

    def typing(_: Any, work: Any, *slots: Any) -> Any:
        prime = PRIMES[work.instance_class]

        def generate(context: Any, builder: Any, __: Any, arguments: Sequence[Value]) -> Value:
            base = builder.extract_value(arguments[0], 0)
            numbers = cgutils.unpack_tuple(builder, arguments[1])  # type: ignore[no-untyped-call]
            emit(Field(builder, prime, base), *numbers)
            return context.get_dummy_value()

        star = types.StarArgTuple.from_types(slots)  # type: ignore[no-untyped-call]
        return types.void(work, star), generate

    return intrinsic(typing)
