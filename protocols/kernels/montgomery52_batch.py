"""Kernels on workspaces of field elements: products, powers, inversions, loading, storing.

``work`` names a workspace (:class:`protocols.kernels.montgomery52.Sm2Work` and its sibling), and
slots are numbers of its elements, eight field elements each. Nothing here looks at a value to
decide what to do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types

from protocols.kernels.jit import intrinsic, kernel
from protocols.kernels.lanes import I64, LANES, Value
from protocols.kernels.limbs import LIMBS
from protocols.kernels.montgomery52 import P256, SM2, Field, Prime, Words, Work, operation

Chain = npt.NDArray[np.int64]

CHAINS: dict[Prime, Chain] = {
    SM2: np.array(
        [
            (0, 1, 0),  # 1: 2^2 - 1
            (1, 1, 0),  # 2: 2^3 - 1
            (2, 3, 2),  # 3: 2^6 - 1
            (3, 6, 3),  # 4: 2^12 - 1
            (4, 3, 2),  # 5: 2^15 - 1
            (5, 15, 5),  # 6: 2^30 - 1
            (6, 1, 0),  # 7: 2^31 - 1
            (7, 1, 0),  # 8: 2^32 - 1
            (7, 33, 8),
            (9, 32, 8),
            (10, 32, 8),
            (11, 32, 8),
            (12, 64, 8),
            (13, 30, 6),
        ],
        dtype=np.int64,
    ),
    P256: np.array(
        [
            (0, 1, 0),  # 1: 2^2 - 1
            (1, 1, 0),  # 2: 2^3 - 1
            (2, 3, 2),  # 3: 2^6 - 1
            (3, 6, 3),  # 4: 2^12 - 1
            (4, 3, 2),  # 5: 2^15 - 1
            (5, 15, 5),  # 6: 2^30 - 1
            (6, 2, 1),  # 7: 2^32 - 1
            (7, 32, 0),
            (8, 128, 7),
            (9, 32, 7),
            (10, 30, 6),
        ],
        dtype=np.int64,
    ),
}
"""An addition chain for (p - 3) / 4, whose power gives roots, quotients' roots and inverses.

Step 0 is the argument x; step i is a row (j, k, l): step j squared k times, times step l. The last
step is x^((p - 3) / 4).
"""

CHAIN_STEPS = 1 + max(len(chain) for chain in CHAINS.values())

LOW_WORD = (1 << 52) - 1


@operation
def _multiply(field: Field, out: Value, x: Value, y: Value) -> None:
    field.store(out, field.multiply(field.load(x), field.load(y)))


@operation
def _square(field: Field, out: Value, x: Value) -> None:
    field.store(out, field.square(field.load(x)))


@operation
def _copy(field: Field, out: Value, x: Value) -> None:
    field.store(out, field.load(x))


@operation
def _to_montgomery(field: Field, x: Value) -> None:
    """x R from the number x: the reduction divides x R^2 by R."""
    field.store(x, field.multiply(field.load(x), field.constant(1 << LIMBS * 52)))


@operation
def _from_montgomery(field: Field, out: Value, x: Value) -> None:
    field.store_vectors(out, field.canonical(field.load(x)))


def _place(builder: Any, arguments: Any) -> Value:
    """Return the pointer to one lane of one limb: arguments are work, slot, limb, lane."""
    work, slot, limb, lane = arguments
    vector = builder.add(builder.mul(slot, ir.Constant(I64, LIMBS)), limb)
    index = builder.add(builder.mul(vector, ir.Constant(I64, LANES)), lane)
    address = builder.add(builder.extract_value(work, 0), builder.mul(index, ir.Constant(I64, 8)))
    return builder.inttoptr(address, I64.as_pointer())


@intrinsic
def put(_: Any, work: Any, slot: Any, limb: Any, lane: Any, value: Any) -> Any:
    """Write one lane of one limb."""

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Value:
        builder.store(arguments[4], _place(builder, arguments[:4]))
        return context.get_dummy_value()

    place = [types.int64] * 3
    return types.void(work, *place, types.uint64), generate


@intrinsic
def get(_: Any, work: Any, slot: Any, limb: Any, lane: Any) -> Any:
    """Return one lane of one limb."""

    def generate(_context: Any, builder: Any, _: Any, arguments: Any) -> Value:
        return builder.load(_place(builder, arguments))

    return types.uint64(work, *[types.int64] * 3), generate


@kernel
def multiply_slots(work: Work, out: int, x: int, y: int) -> None:
    """out = x y."""
    _multiply(work, out, x, y)


@kernel
def copy(work: Work, out: int, x: int) -> None:
    """out = x."""
    _copy(work, out, x)


@kernel
def square_many(work: Work, out: int, x: int, count: int, times: int) -> None:
    """out + i = (x + i)^(2^times) for i < count, times at least 1; side by side, for speed."""
    for i in range(count):
        _square(work, out + i, x + i)
    for _ in range(times - 1):
        for i in range(count):
            _square(work, out + i, out + i)


@kernel
def power(work: Work, chain: Chain, x: int, count: int, scratch: int) -> int:
    """Raise slots x .. x + count to (p - 3) / 4; return the first slot of the results.

    ``scratch`` is the first of ``CHAIN_STEPS * count`` slots, the results' among them.
    """
    for step in range(len(chain)):
        base, times, factor = chain[step]
        source = x if base == 0 else scratch + (base - 1) * count
        other = x if factor == 0 else scratch + (factor - 1) * count
        out = scratch + step * count
        square_many(work, out, source, count, times)
        for i in range(count):
            _multiply(work, out + i, out + i, other + i)
    return scratch + (len(chain) - 1) * count


@kernel
def invert_all(work: Work, chain: Chain, first: int, stride: int, count: int, scratch: int) -> None:
    """Replace slots first, first + stride, ... (count of them, none 0) by their inverses.

    Montgomery's trick (Math. Comp. 48 (1987), §10.3.1), eight at a time; a 0 would spoil its
    lane of all of them. ``scratch`` is the first of ``count + CHAIN_STEPS`` slots.
    """
    _copy(work, scratch, first)
    for i in range(1, count):
        _multiply(work, scratch + i, scratch + i - 1, first + i * stride)
    product, chained = scratch + count - 1, scratch + count
    root = power(work, chain, product, 1, chained)
    # 4 (p - 3) / 4 + 1 = p - 2.
    square_many(work, chained, root, 1, 2)
    _multiply(work, chained, chained, product)
    for i in range(count - 1, 0, -1):
        element = first + i * stride
        _multiply(work, scratch + i, chained, scratch + i - 1)
        _multiply(work, chained, chained, element)
        _copy(work, element, scratch + i)
    _copy(work, first, chained)


@kernel
def load(work: Work, slot: int, words: Words, row: int) -> None:
    """Load numbers as :func:`load_numbers` does and make field elements of them."""
    load_numbers(work, slot, words, row)
    _to_montgomery(work, slot)


@kernel
def load_numbers(work: Work, slot: int, words: Words, row: int) -> None:
    """Load rows row .. row + 8 of ``words``; the last row stands in past the end.

    ``words`` has shape (n, 4), most significant word first; a number may be p and above.
    """
    low = np.uint64(LOW_WORD)
    for lane in range(LANES):
        at = min(row + lane, len(words) - 1)
        a, b, c, d = words[at, 3], words[at, 2], words[at, 1], words[at, 0]
        put(work, slot, 0, lane, a & low)
        put(work, slot, 1, lane, (a >> np.uint64(52) | b << np.uint64(12)) & low)
        put(work, slot, 2, lane, (b >> np.uint64(40) | c << np.uint64(24)) & low)
        put(work, slot, 3, lane, (c >> np.uint64(28) | d << np.uint64(36)) & low)
        put(work, slot, 4, lane, d >> np.uint64(16))


@kernel
def store(work: Work, slot: int, words: Words, row: int, scratch: int) -> None:
    """Write a slot to rows row .. row + 8 of ``words``, as far as there are; canonical.

    ``scratch`` is one slot.
    """
    _from_montgomery(work, scratch, slot)
    for lane in range(min(LANES, len(words) - row)):
        a, b = get(work, scratch, 0, lane), get(work, scratch, 1, lane)
        c, d = get(work, scratch, 2, lane), get(work, scratch, 3, lane)
        e = get(work, scratch, 4, lane)
        words[row + lane, 3] = a | b << np.uint64(52)
        words[row + lane, 2] = b >> np.uint64(12) | c << np.uint64(40)
        words[row + lane, 1] = c >> np.uint64(24) | d << np.uint64(28)
        words[row + lane, 0] = d >> np.uint64(36) | e << np.uint64(16)
