"""Products modulo N and N^2 of numbers of a thousand bits and more, in eight lanes (AVX-512 IFMA).

Montgomery's multiplication (Math. Comp. 44 (1985), 519-521), radix 2^52, in the interleaved form:
N has at most L limbs, R = 2^(52 L), and each of L rounds adds one limb's multiple of the other
factor and the multiple of N that makes the lowest limb 0, then drops that limb.

**Pairs.** A number modulo N^2 is a pair of digits, x + N y, each a number modulo N. With
x a = R b - m N, b the Montgomery product of x and a, m the multiple of N that was added,

    (x + N y) a  =  R b + N (y a - m)   modulo N^2,

so that the product's digits, divided by R, are b and the Montgomery reduction of y a - m. A factor
of one digit costs two products of L limbs and two reductions; on numbers of 2 L limbs the same
would cost twice as much. A factor (a, d) of two digits adds a third product, x d, to the upper one.
-m is added as R - 1 - m, which has 2^52 - 1 less a limb of m for each limb; the 1 that is missing
and the R that is too much are put right at the two ends.

**Bounds.** R is at least 2^16 N (``SLACK_BITS``). Factors are below 2^6 N, their limbs below 2^52,
and at most two products are summed: then b is below (2^-3 + 1) N, and the upper digit, which has R
and N - 1 added, below (2^-3 + 3) N. In a *linear* map the variable factors are only bounded by R,
and the constants by N, so that its digits are below 5 N and 7 N. Columns are not carried while a
product is computed: each of at most 60 rounds adds at most ten halves of limb products to a column,
less than 2^62 in all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from protocols.kernels.jit import intrinsic
from protocols.kernels.lanes import I64, VECTOR, VECTOR_BYTES, Lanes, Value, constant

LIMB_BITS = 52
SLACK_BITS = 16
UNROLLED = 10
"""Limbs come in multiples of this: the loop over them is unrolled so far."""
MAX_LIMBS = 60

_ZERO = constant(0)
_LIMB_MASK = (1 << LIMB_BITS) - 1

Term = tuple[str, str]
"""A multiplicand and a multiplier, by the names of a product's operands."""


def vector_variable(builder: Any) -> Value:
    """Return a place for one vector that outlives a turn of a loop; LLVM makes it a register."""
    return cgutils.alloca_once(builder, VECTOR)  # type: ignore[no-untyped-call]


class _Rounds:
    """Emits the rounds of one or two products that advance together.

    ``digits`` says which products are summed for each digit of the result. With a modulus they are
    reduced, and what is subtracted from the second is the multiple of N that the first was given.
    """

    def __init__(
        self,
        builder: Any,
        operands: dict[str, Value],
        digits: Sequence[Sequence[Term]],
        limbs: Value,
    ) -> None:
        self._builder = builder
        self._lanes = Lanes(builder)
        self._digits = digits
        self._limbs = limbs
        self._pointers = {name: self._vectors(address) for name, address in operands.items()}
        self._multiplicands = sorted({x for terms in digits for x, _ in terms})
        self._multipliers = sorted({a for terms in digits for _, a in terms})
        self._columns = [builder.alloca(VECTOR, MAX_LIMBS) for _ in digits]
        for columns in self._columns:
            columns.align = VECTOR_BYTES
        self._inverse: Value = None

    def reduce(self, modulus: Value, results: Sequence[Value]) -> None:
        """Compute the reduced digits and write them, carried, to the addresses ``results``."""
        # A modulus is -1/N modulo 2^52, then N's limbs.
        vectors = self._vectors(modulus)
        self._inverse = self._read(vectors, I64(0))
        self._pointers["N"] = self._builder.gep(vectors, [I64(1)])
        self._multiplicands = [*self._multiplicands, "N"]
        with cgutils.for_range(self._builder, self._limbs) as loop:
            for columns in self._columns:
                self._write(columns, loop.index, _ZERO)
        if len(self._digits) == 2:
            self._write(self._columns[1], I64(0), constant(1))
        with cgutils.for_range(self._builder, self._limbs) as loop:
            self._round(loop.index)
        self._carry(self._columns[0], _ZERO, None, results[0])
        if len(self._digits) == 2:
            self._carry(self._columns[1], constant(-1), self._pointers["N"], results[1])

    def multiply(self, addend: Value, low: Value, high: Value) -> None:
        """Compute one digit's product plus ``addend``, unreduced; write its two halves."""
        added, dropped = self._vectors(addend), self._vectors(low)
        with cgutils.for_range(self._builder, self._limbs) as loop:
            self._write(self._columns[0], loop.index, self._read(added, loop.index))
        with cgutils.for_range(self._builder, self._limbs) as loop:
            (column,) = self._round(loop.index)
            self._write(dropped, loop.index, self._lanes.mask(column, LIMB_BITS))
        self._carry(self._columns[0], _ZERO, None, high)

    def _round(self, index: Value) -> list[Value]:
        """Add the multiples of one limb of each multiplier; return the columns dropped."""
        builder, lanes = self._builder, self._lanes
        factors = {name: self._read(self._pointers[name], index) for name in self._multipliers}
        before = {name: self._read(self._pointers[name], I64(0)) for name in self._multiplicands}
        dropped: list[Value] = []
        multiples: list[Value] = []
        for number, terms in enumerate(self._digits):
            column = self._read(self._columns[number], I64(0))
            for x, a in terms:
                column = lanes.multiply_low(column, before[x], factors[a])
            if number:
                complement = builder.xor(multiples[0], constant(_LIMB_MASK))
                column = lanes.add(column, lanes.mask(complement, LIMB_BITS))
            if self._inverse is not None:
                multiples.append(lanes.multiply_low(_ZERO, column, self._inverse))
                column = lanes.multiply_low(column, before["N"], multiples[-1])
            dropped.append(column)
        carries = [lanes.shift_right(column, LIMB_BITS) for column in dropped]
        self._advance(before, factors, multiples, carries)
        return dropped

    def _advance(
        self,
        before: dict[str, Value],
        factors: dict[str, Value],
        multiples: list[Value],
        carries: list[Value],
    ) -> None:
        """Add to every column but the lowest, each moving down by one.

        ``before`` are the multiplicands' lowest limbs. The loop is unrolled; from one turn to the
        next go the previous limbs and, into the first, the carries of the dropped columns.
        """
        builder, names = self._builder, sorted(before)
        handed = [vector_variable(builder) for _ in range(len(names) + len(carries))]

        def hand_on(values: Sequence[Value]) -> None:
            for place, value in zip(handed, values, strict=True):
                builder.store(value, place)

        def turn(first: Value, steps: int) -> dict[str, Value]:
            values = [builder.load(place) for place in handed]
            limbs, carried = dict(zip(names, values, strict=False)), values[len(names) :]
            for k in range(1, steps + 1):
                index = builder.add(first, I64(k))
                limbs = self._step(index, limbs, factors, multiples, carried if k == 1 else None)
            return limbs

        hand_on([*(before[name] for name in names), *carries])
        turns = builder.sub(builder.udiv(self._limbs, I64(UNROLLED)), I64(1))
        with cgutils.for_range(builder, turns) as loop:
            limbs = turn(builder.mul(loop.index, I64(UNROLLED)), UNROLLED)
            hand_on([*(limbs[name] for name in names), *(_ZERO for _ in carries)])
        limbs = turn(builder.mul(turns, I64(UNROLLED)), UNROLLED - 1)
        top = builder.sub(self._limbs, I64(1))
        for number, terms in enumerate(self._terms(factors, multiples)):
            column = _ZERO
            for x, factor in terms:
                column = self._lanes.multiply_high(column, limbs[x], factor)
            self._write(self._columns[number], top, column)

    def _step(
        self,
        index: Value,
        before: dict[str, Value],
        factors: dict[str, Value],
        multiples: list[Value],
        carried: list[Value] | None,
    ) -> dict[str, Value]:
        """Add to column ``index`` and move it down by one; return the multiplicands' limbs."""
        lanes = self._lanes
        limbs = {name: self._read(self._pointers[name], index) for name in self._multiplicands}
        for number, terms in enumerate(self._terms(factors, multiples)):
            column = self._read(self._columns[number], index)
            if carried is not None:
                column = lanes.add(column, carried[number])
            for x, factor in terms:
                column = lanes.multiply_high(column, before[x], factor)
                column = lanes.multiply_low(column, limbs[x], factor)
            self._write(self._columns[number], self._builder.sub(index, I64(1)), column)
        return limbs

    def _terms(
        self, factors: dict[str, Value], multiples: list[Value]
    ) -> list[list[tuple[str, Value]]]:
        """Return what each digit's columns are given: a multiplicand's name and its factor."""
        terms = [[(x, factors[a]) for x, a in digit] for digit in self._digits]
        for digit, multiple in zip(terms, multiples, strict=False):
            digit.append(("N", multiple))
        return terms

    def _carry(self, columns: Value, first: Value, addend: Value | None, out: Value) -> None:
        """Write the columns as limbs below 2^52, plus the addend and ``first``."""
        builder, lanes, vectors = self._builder, self._lanes, self._vectors(out)
        carry = vector_variable(builder)
        builder.store(first, carry)
        with cgutils.for_range(builder, self._limbs) as loop:
            column = lanes.add(self._read(columns, loop.index), builder.load(carry))
            if addend is not None:
                column = lanes.add(column, self._read(addend, loop.index))
            self._write(vectors, loop.index, lanes.mask(column, LIMB_BITS))
            builder.store(lanes.shift_right(column, LIMB_BITS), carry)

    def _vectors(self, address: Value) -> Value:
        return self._builder.inttoptr(address, VECTOR.as_pointer())

    def _read(self, pointer: Value, index: Value) -> Value:
        return self._builder.load(self._builder.gep(pointer, [index]), align=VECTOR_BYTES)

    def _write(self, pointer: Value, index: Value, value: Value) -> None:
        self._builder.store(value, self._builder.gep(pointer, [index]), align=VECTOR_BYTES)


Emit = Callable[[Any, list[Value]], None]


def subroutine(name: str, arguments: int, emit: Emit) -> Any:
    """Return what kernels call with so many 64-bit integers; ``emit`` writes its instructions.

    They are a function of their own in the machine code, once for each kernel that calls it.
    """

    def typing(_: Any, *given: Any) -> Any:
        if len(given) != arguments:
            raise TypeError(f"{name} takes {arguments} arguments")

        def generate(context: Any, builder: Any, __: Any, packed: Sequence[Value]) -> Value:
            values = cgutils.unpack_tuple(builder, packed[0])  # type: ignore[no-untyped-call]
            builder.call(declare(builder.module), values)
            return context.get_dummy_value()

        star = types.StarArgTuple.from_types(given)  # type: ignore[no-untyped-call]
        return types.void(star), generate

    def declare(module: Any) -> Any:
        known = module.globals.get(name)
        if known is not None:
            return known
        created = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * arguments), name)
        created.linkage = "internal"
        created.attributes.add("noinline")
        builder = ir.IRBuilder(created.append_basic_block())
        emit(builder, list(created.args))
        builder.ret_void()
        return created

    return intrinsic(typing)


def _product(name: str, operands: Sequence[str], digits: Sequence[Sequence[Term]]) -> Any:
    """Return what kernels call as ``f(*results, *operands, modulus, limbs)``.

    All but ``limbs`` are addresses: of a digit, ``limbs`` vectors, 64-byte aligned, or of a
    modulus, one vector more. Results may be operands. ``limbs`` is a multiple of ``UNROLLED``.
    """

    def emit(builder: Any, arguments: list[Value]) -> None:
        results, rest = arguments[: len(digits)], arguments[len(digits) :]
        *addresses, modulus, limbs = rest
        named = dict(zip(operands, addresses, strict=True))
        _Rounds(builder, named, digits, limbs).reduce(modulus, results)

    return subroutine(name, len(digits) + len(operands) + 2, emit)


def _emit_integer_product(builder: Any, arguments: list[Value]) -> None:
    low, high, x, a, addend, limbs = arguments
    _Rounds(builder, {"x": x, "a": a}, [[("x", "a")]], limbs).multiply(addend, low, high)


digit_product = _product("wide_digit_product", ["x", "a"], [[("x", "a")]])
"""``(out, x, a, modulus, limbs)``: x a / R modulo N."""

digit_products_sum = _product(
    "wide_digit_products_sum", ["x", "a", "y", "d"], [[("x", "a"), ("y", "d")]]
)
"""``(out, x, a, y, d, modulus, limbs)``: (x a + y d) / R modulo N."""

short_product = _product("wide_short_product", ["x", "y", "a"], [[("x", "a")], [("y", "a")]])
"""``(low, high, x, y, a, modulus, limbs)``: (x + N y) a / R modulo N^2."""

pair_product = _product(
    "wide_pair_product", ["x", "y", "a", "d"], [[("x", "a")], [("y", "a"), ("x", "d")]]
)
"""``(low, high, x, y, a, d, modulus, limbs)``: (x + N y) (a + N d) / R modulo N^2."""

linear_2 = _product(
    "wide_linear_2",
    ["a", "b", "a0", "a1", "b0", "b1"],
    [[("a0", "a"), ("b0", "b")], [("a1", "a"), ("b1", "b")]],
)
"""``(low, high, a, b, a0, a1, b0, b1, modulus, limbs)``: the sum of each digit of a and b times its
own pair, / R modulo N^2."""

linear_4 = _product(
    "wide_linear_4",
    ["a", "b", "c", "d", "a0", "a1", "b0", "b1", "c0", "c1", "d0", "d1"],
    [
        [("a0", "a"), ("b0", "b"), ("c0", "c"), ("d0", "d")],
        [("a1", "a"), ("b1", "b"), ("c1", "c"), ("d1", "d")],
    ],
)
"""As :data:`linear_2` for four digits."""

integer_product = subroutine("wide_integer_product", 6, _emit_integer_product)
"""``(low, high, x, a, addend, limbs)``: x a + addend, unreduced, two halves of ``limbs`` each."""
