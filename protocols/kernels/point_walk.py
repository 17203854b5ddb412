"""Walks along a line of points of a curve, with an index of x-coordinates. For any processor.

For baby-step giant-step (D. Shanks, "Class number, a theory of factorization, and genera", Proc.
Symp. Pure Math. 20 (1971)): a block is a centre C and the points C + R and C - R for a table of
points R. A pair shares the inverse of x_C - x_R, and a block one inversion (Montgomery, Math.
Comp. 48 (1987), §10.3.1): 3.5 multiplications a point, y not being computed. What is walked is
known to who walks, so that nothing here hides it.

Numbers are modulo a 256-bit prime p that is -1 modulo 2^64, in Montgomery form with R = 2^256 and
below p: rows of four 64-bit words, the least significant first. ``memory`` holds them, and
``address`` is where it begins; its rows are ``PRIME``, ``CENTRE`` (x and y), a working row, then
the table: ``count`` points R_1, R_2, ... and the stride from a centre to the next, x and y of each;
then ``count + 2`` working rows.

The index is an open hash table of 64-bit words, 0 where free: 32 bits of x above 32 of what it is
the x of. So a hit may be another point's, and who gets it checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils

from protocols.kernels.jit import intrinsic, kernel

Words = npt.NDArray[np.uint64]
Hits = npt.NDArray[np.int64]

I64, I128, I256, I320 = (ir.IntType(bits) for bits in (64, 128, 256, 320))
WORDS = 4
WORD_BITS = 64
MONTGOMERY_BITS = WORDS * WORD_BITS

PRIME, CENTRE, INVERSE, TABLE = 0, 1, 3, 4


def memory_rows(count: int) -> int:
    """Return how many rows of memory a walk with a table of ``count`` points needs."""
    return TABLE + 3 * (count + 1) + 1


def words(numbers: Sequence[int]) -> Words:
    """Return the numbers, below 2^256, as rows of memory."""
    octets = b"".join(number.to_bytes(8 * WORDS, "little") for number in numbers)
    return np.frombuffer(octets, "<u8").reshape(len(numbers), WORDS)


class _Field:
    """Emits arithmetic modulo the prime in the memory's first row."""

    def __init__(self, builder: Any, base: Any) -> None:
        self.builder = builder
        self._base = base
        self.prime = self.load(ir.Constant(I64, PRIME))

    def load(self, row: Any) -> Any:
        return self.builder.load(self._pointer(row), align=8)

    def store(self, row: Any, x: Any) -> None:
        self.builder.store(x, self._pointer(row), align=8)

    def add(self, x: Any, y: Any) -> Any:
        wide = self.builder.add(self.builder.zext(x, I320), self.builder.zext(y, I320))
        return self._below_prime(wide)

    def subtract(self, x: Any, y: Any) -> Any:
        difference = self.builder.sub(x, y)
        negative = self.builder.icmp_unsigned("<", x, y)
        more = self.builder.select(negative, self.prime, ir.Constant(I256, 0))
        return self.builder.add(difference, more)

    def square(self, x: Any) -> Any:
        return self.multiply(x, x)

    def multiply(self, x: Any, y: Any) -> Any:
        """Return x y / 2^256: Montgomery's reduction after each word of y.

        As p is -1 modulo 2^64, the factor of p that clears the lowest word is that word, and the
        cleared word carries just as much.
        """
        left, prime = self._words(x), self._words(self.prime)
        total = [ir.Constant(I64, 0)] * (WORDS + 1)
        for factor in self._words(y):
            carry = ir.Constant(I64, 0)
            for k in range(WORDS):
                total[k], carry = self._multiply_add(left[k], factor, total[k], carry)
            total[WORDS], above = self._sum(total[WORDS], carry)
            m = carry = total[0]
            for k in range(1, WORDS):
                total[k - 1], carry = self._multiply_add(prime[k], m, total[k], carry)
            total[WORDS - 1], carry = self._sum(total[WORDS], carry)
            total[WORDS] = self.builder.add(above, carry)
        return self._below_prime(self._joined(total))

    def low_word(self, x: Any) -> Any:
        return self.builder.trunc(x, I64)

    def _below_prime(self, wide: Any) -> Any:
        """Return a number below 2 p less p if it is not below p."""
        modulus = self.builder.zext(self.prime, I320)
        less = self.builder.sub(wide, modulus)
        below = self.builder.icmp_unsigned("<", wide, modulus)
        return self.builder.trunc(self.builder.select(below, wide, less), I256)

    def _multiply_add(self, x: Any, y: Any, z: Any, carry: Any) -> tuple[Any, Any]:
        """Return the low and the high word of x y + z + carry, which two words hold."""
        x, y, z, carry = (self.builder.zext(word, I128) for word in (x, y, z, carry))
        return self._halves(self.builder.add(self.builder.add(self.builder.mul(x, y), z), carry))

    def _sum(self, x: Any, y: Any) -> tuple[Any, Any]:
        return self._halves(
            self.builder.add(self.builder.zext(x, I128), self.builder.zext(y, I128))
        )

    def _halves(self, wide: Any) -> tuple[Any, Any]:
        high = self.builder.lshr(wide, ir.Constant(I128, WORD_BITS))
        return self.builder.trunc(wide, I64), self.builder.trunc(high, I64)

    def _words(self, x: Any) -> list[Any]:
        return [
            self.builder.trunc(self.builder.lshr(x, ir.Constant(I256, WORD_BITS * k)), I64)
            for k in range(WORDS)
        ]

    def _joined(self, words: Sequence[Any]) -> Any:
        joined = self.builder.zext(words[0], I320)
        for k, word in enumerate(words[1:], 1):
            shifted = self.builder.shl(
                self.builder.zext(word, I320), ir.Constant(I320, WORD_BITS * k)
            )
            joined = self.builder.or_(joined, shifted)
        return joined

    def _pointer(self, row: Any) -> Any:
        offset = self.builder.mul(row, ir.Constant(I64, 8 * WORDS))
        return self.builder.inttoptr(self.builder.add(self._base, offset), I256.as_pointer())


def _operation(emit: Callable[..., Sequence[Any] | None], returned: Any = types.void) -> Any:
    """Return what kernels call as ``f(address, row, ...)``, its instructions emitted by ``emit``.

    ``emit`` takes a :class:`_Field` and the rows' numbers, and returns the words of the result.
    """

    def typing(_: Any, address: Any, *rows: Any) -> Any:

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            numbers = cgutils.unpack_tuple(builder, arguments[1])  # type: ignore[no-untyped-call]
            words = emit(_Field(builder, arguments[0]), *numbers)
            if words is None:
                return context.get_dummy_value()
            return context.make_tuple(builder, signature.return_type, words)

        star = types.StarArgTuple.from_types(rows)  # type: ignore[no-untyped-call]
        return returned(types.int64, star), generate

    return intrinsic(typing)


def _run_of(field: _Field, out: Any, point: Any) -> None:
    """out = x_C - x of ``point``."""
    centre = field.load(ir.Constant(I64, CENTRE))
    field.store(out, field.subtract(centre, field.load(point)))


def _product(field: _Field, out: Any, x: Any, y: Any) -> None:
    """out = x y."""
    field.store(out, field.multiply(field.load(x), field.load(y)))


def _two_x(field: _Field, point: Any, inverse: Any) -> Sequence[Any]:
    """Return the low words of x of C + R and of C - R, the inverse of x_C - x_R given."""
    x, y = field.load(ir.Constant(I64, CENTRE)), field.load(ir.Constant(I64, CENTRE + 1))
    x_r, y_r = field.load(point), field.load(field.builder.add(point, ir.Constant(I64, 1)))
    run, both = field.load(inverse), field.add(x, x_r)
    words = []
    for rise in (field.subtract(y, y_r), field.add(y, y_r)):
        slope = field.multiply(rise, run)
        words.append(field.low_word(field.subtract(field.square(slope), both)))
    return words


def _move(field: _Field, point: Any, inverse: Any) -> None:
    """C = C + R, the inverse of x_C - x_R given."""
    x, y = field.load(ir.Constant(I64, CENTRE)), field.load(ir.Constant(I64, CENTRE + 1))
    x_r, y_r = field.load(point), field.load(field.builder.add(point, ir.Constant(I64, 1)))
    slope = field.multiply(field.subtract(y, y_r), field.load(inverse))
    new_x = field.subtract(field.square(slope), field.add(x, x_r))
    field.store(ir.Constant(I64, CENTRE), new_x)
    new_y = field.subtract(field.multiply(slope, field.subtract(x, new_x)), y)
    field.store(ir.Constant(I64, CENTRE + 1), new_y)


run_of = _operation(_run_of)
product = _operation(_product)
two_x = _operation(_two_x, types.UniTuple(types.uint64, 2))  # type: ignore[no-untyped-call]
move = _operation(_move)


@kernel
def multiply_rows(address: int, out: int, x: int, y: int) -> None:
    """out = x y; compiled once, not where it is called."""
    product(address, out, x, y)


@kernel
def invert(memory: Words, address: int, row: int) -> None:
    """INVERSE = the inverse of another row, which is not 0: its power p - 2 (Fermat)."""
    for word in range(WORDS):
        memory[INVERSE, word] = memory[row, word]
    # The highest bit of p, 1, is taken by the copy; the others follow from the highest down.
    for bit in range(WORD_BITS * WORDS - 2, -1, -1):
        word, place = divmod(bit, WORD_BITS)
        multiply_rows(address, INVERSE, INVERSE, INVERSE)
        # p - 2 is p with its lowest word, all ones, less 2.
        exponent = memory[PRIME, word] - (np.uint64(2) if word == 0 else np.uint64(0))
        if exponent >> np.uint64(place) & np.uint64(1):
            multiply_rows(address, INVERSE, INVERSE, row)


@kernel
def fill_table(memory: Words, address: int, count: int) -> None:
    """Complete the table of multiples R, 2 R, ... of its first point; CENTRE is 2 R, and spent.

    No sum here is of equal points, 2 R being given: count is far below the group's order.
    """
    run = TABLE + 2 * (count + 1)
    for k in range(1, count):
        for word in range(WORDS):
            memory[TABLE + 2 * k, word] = memory[CENTRE, word]
            memory[TABLE + 2 * k + 1, word] = memory[CENTRE + 1, word]
        run_of(address, run, TABLE)
        invert(memory, address, run)
        move(address, TABLE, INVERSE)


@kernel
def start_block(memory: Words, address: int, count: int) -> int:
    """Prepare the block around the centre; return -1, or the first R that is C or its opposite.

    Working row k gets the product of x_C - x_R over the first k points R, the stride being the
    last; INVERSE gets the inverse of the product of all.
    """
    products = TABLE + 2 * (count + 1)
    run_of(address, products, TABLE)
    for k in range(count + 1):
        row = products + k
        if k > 0:
            run_of(address, INVERSE, TABLE + 2 * k)
            multiply_rows(address, row, row - 1, INVERSE)
        if (memory[row, 0] | memory[row, 1] | memory[row, 2] | memory[row, 3]) == np.uint64(0):
            return k
    invert(memory, address, products + count)
    return -1


@kernel
def inverse_of(address: int, count: int, k: int, run: int) -> int:
    """Return the row of the inverse of x_C - x_R for R number k; call from ``count`` down to 0.

    ``run`` is a spare row.
    """
    products = TABLE + 2 * (count + 1)
    if k == 0:
        return INVERSE
    multiply_rows(address, products + k, INVERSE, products + k - 1)
    run_of(address, run, TABLE + 2 * k)
    multiply_rows(address, INVERSE, INVERSE, run)
    return products + k


@kernel
def insert(index: Words, word: np.uint64, number: int) -> None:
    """Enter ``number`` under the low word of its x; the index must have a free place."""
    mask = np.uint64(len(index) - 1)
    place = word & mask
    while index[place] != np.uint64(0):
        place = (place + np.uint64(1)) & mask
    index[place] = word >> np.uint64(32) << np.uint64(32) | np.uint64(number)


@kernel
def fill_index(memory: Words, address: int, count: int, blocks: int, index: Words) -> None:
    """Enter 1, 2, ... for G, 2 G, ... where the table's points are G, 2 G, ... count G.

    Then come ``blocks`` blocks, the first centre 2 count G and the stride (2 count + 1) G: from
    (2 count + 1) G on, the first move would be from a point to its double. The length of ``index``
    is a power of two, and greater than what is entered.
    """
    spare = TABLE + 3 * (count + 1)
    for k in range(count):
        insert(index, memory[TABLE + 2 * k, 0], k + 1)
    stride = 2 * count + 1
    for block in range(blocks):
        centre = 2 * count + stride * block
        start_block(memory, address, count)
        insert(index, memory[CENTRE, 0], centre)
        stride_inverse = inverse_of(address, count, count, spare)
        for k in range(count - 1, -1, -1):
            plus, minus = two_x(address, TABLE + 2 * k, inverse_of(address, count, k, spare))
            insert(index, plus, centre + k + 1)
            insert(index, minus, centre - k - 1)
        move(address, TABLE + 2 * count, stride_inverse)


@kernel
def find(index: Words, word: np.uint64) -> Any:
    """Return a number entered under a word such as this, or 0."""
    mask = np.uint64(len(index) - 1)
    place = word & mask
    while index[place] != np.uint64(0):
        if index[place] >> np.uint64(32) == word >> np.uint64(32):
            return np.int64(index[place] & np.uint64((1 << 32) - 1))
        place = (place + np.uint64(1)) & mask
    return 0


@kernel
def search(
    memory: Words, address: int, count: int, blocks: int, index: Words, hits: Hits
) -> tuple[int, int]:
    """Look up C and C + R and C - R, block after block, for the table's points R.

    Stops after ``blocks`` blocks, or after the first one with a hit; returns how many it did and
    the number of hits. A hit is a row of ``hits``, at most 2 count + 1 in a block: k, or -k for
    C - R_k, or 0 for C, and the number found. If C is R or its opposite, there is one hit, k and
    0; k is then count + 1 for the stride, and the centre has not been moved.
    """
    spare = TABLE + 3 * (count + 1)
    for block in range(blocks):
        found = 0
        special = start_block(memory, address, count)
        if special >= 0:
            hits[0, 0], hits[0, 1] = special + 1, 0
            return block + 1, 1
        number = find(index, memory[CENTRE, 0])
        if number:
            hits[found, 0], hits[found, 1] = 0, number
            found += 1
        stride_inverse = inverse_of(address, count, count, spare)
        for k in range(count - 1, -1, -1):
            plus, minus = two_x(address, TABLE + 2 * k, inverse_of(address, count, k, spare))
            number = find(index, plus)
            if number:
                hits[found, 0], hits[found, 1] = k + 1, number
                found += 1
            number = find(index, minus)
            if number:
                hits[found, 0], hits[found, 1] = -k - 1, number
                found += 1
        move(address, TABLE + 2 * count, stride_inverse)
        if found:
            return block + 1, found
    return blocks, 0
