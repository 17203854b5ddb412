"""The loops of :mod:`protocols.kernels.weierstrass`: blocks of points, eight to a vector.

``work`` is a workspace, whose first slots are the named ones below and whose others a block's own;
``chain`` the addition chain of its field. Arrays of coordinates have shape (n, 4), four 64-bit
words a number, the most significant first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from protocols.kernels import weierstrass_points as points
from protocols.kernels.jit import kernel
from protocols.kernels.lanes import LANES
from protocols.kernels.limbs import LIMBS
from protocols.kernels.montgomery52 import Words, Work
from protocols.kernels.montgomery52_batch import (
    CHAIN_STEPS,
    Chain,
    get,
    invert_all,
    load,
    load_numbers,
    multiply_slots,
    power,
    put,
    store,
)
from protocols.kernels.weierstrass_points import ODD_MULTIPLES

Octets = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Digits = npt.NDArray[np.int8]

WINDOW_BITS = 5
WINDOWS = 52  # the fewest windows of 5 bits that hold a 256-bit scalar
BLOCK = 32
"""Vectors of eight points that share an inversion: their tables fit the second-level cache."""
ROOTS = 4
"""Vectors whose powers are computed side by side, so that the processor overlaps them."""

# Slots with one use each: vectors of digits, of signs and of results as masks; an element to hand
# over; the last addition's double (three slots); the table's entry (two).
DIGITS, SIGNS, VALID, SPARE, DOUBLED, ENTRY, NAMED = 0, 1, 2, 3, 4, 7, 9
TABLE_BYTES = 8 * LIMBS * 2 * ODD_MULTIPLES

MULTIPLY_SLOTS = NAMED + (2 * ODD_MULTIPLES + 3 + 18) * BLOCK + CHAIN_STEPS
GENERATOR_SLOTS = NAMED + 4 * BLOCK + CHAIN_STEPS
LIFT_SLOTS = NAMED + (1 + CHAIN_STEPS) * ROOTS
MAP_SLOTS = NAMED + 5 * BLOCK + (7 + CHAIN_STEPS) * ROOTS
ADD_SLOTS = NAMED + 6 * BLOCK + CHAIN_STEPS
"""What the kernels below need of a workspace."""


@kernel
def double_repeatedly(work: Work, total: int, times: int) -> None:
    """total = 2^times total."""
    for _ in range(times):
        points.double(work, total)


@kernel
def add_entry(work: Work, total: int, entry: int, signs: int) -> None:
    """total = total + or - entry; compiled once, not where it is called."""
    points.add(work, total, entry, signs)


@kernel
def replace_infinity(work: Work, total: int) -> None:
    """Mend the last addition, of ENTRY, where it met two equal points."""
    points.start(work, DOUBLED, ENTRY, SIGNS)
    double_repeatedly(work, DOUBLED, 1)
    points.replace_infinity(work, total, DOUBLED)


@kernel
def fill_tables(work: Work, chain: Chain, table: int, count: int, scratch: int) -> None:
    """Complete the odd multiples of ``count`` affine points, each the first of its table.

    Level by level, with one inversion for all points: from h odd multiples and 2 h P come the next
    h, and 4 h P. ``scratch`` is the first of 18 slots a point and ``CHAIN_STEPS`` more.
    """
    even, inverses = scratch, scratch + 2 * count
    for g in range(count):
        points.tangent_denominator(work, inverses + g, table + 2 * ODD_MULTIPLES * g)
    invert_all(work, chain, inverses, 1, count, inverses + count)
    for g in range(count):
        points.tangent(work, even + 2 * g, table + 2 * ODD_MULTIPLES * g, inverses + g)
    known = 1
    while known < ODD_MULTIPLES:
        last = 2 * known == ODD_MULTIPLES
        wanted = known if last else known + 1
        for g in range(count):
            entries, inverse = table + 2 * ODD_MULTIPLES * g, inverses + wanted * g
            for i in range(known):
                points.chord_denominator(work, inverse + i, even + 2 * g, entries + 2 * i)
            if not last:
                points.tangent_denominator(work, inverse + known, even + 2 * g)
        invert_all(work, chain, inverses, 1, wanted * count, inverses + wanted * count)
        for g in range(count):
            entries, inverse = table + 2 * ODD_MULTIPLES * g, inverses + wanted * g
            for i in range(known):
                out = entries + 2 * (known + i)
                points.chord(work, out, even + 2 * g, entries + 2 * i, inverse + i)
            if not last:
                points.tangent(work, even + 2 * g, even + 2 * g, inverse + known)
        known *= 2


@kernel
def put_digits(work: Work, digits: Digits, row: int, window: int) -> None:
    """Place one window's digits of eight scalars; a last row stands for those past it."""
    for lane in range(LANES):
        at = min(row + lane, len(digits) - 1)
        put(work, DIGITS, 0, lane, np.uint64(np.int64(digits[at, window])))


@kernel
def put_masks(work: Work, slot: int, flags: Octets | Flags, row: int) -> None:
    """Place 0 or all ones for eight flags; a last row stands for those past it."""
    for lane in range(LANES):
        at = min(row + lane, len(flags) - 1)
        put(work, slot, 0, lane, np.uint64(0) - np.uint64(flags[at]))


@kernel
def finish_block(
    work: Work,
    chain: Chain,
    totals: int,
    count: int,
    scratch: int,
    negative: Octets,
    rows: int,
    new_x: Words,
    new_y: Words,
) -> None:
    """Write ``count`` vectors of Jacobian totals as affine points, some of them negated."""
    invert_all(work, chain, totals + 2, 3, count, scratch)
    for g in range(count):
        put_masks(work, SIGNS, negative, rows + LANES * g)
        points.to_affine(work, totals + 3 * g, SIGNS)
        store(work, totals + 3 * g, new_x, rows + LANES * g, SPARE)
        store(work, totals + 3 * g + 1, new_y, rows + LANES * g, SPARE)


@kernel
def multiply_points(
    work: Work,
    chain: Chain,
    digits: Digits,
    negative: Octets,
    x: Words,
    y: Words,
    new_x: Words,
    new_y: Words,
) -> None:
    """Write the points' multiples by scalars as :func:`recode` left them, one or one a point."""
    table = NAMED
    totals = table + 2 * ODD_MULTIPLES * BLOCK
    scratch = totals + 3 * BLOCK
    vectors = (len(x) + LANES - 1) // LANES
    for block in range(0, vectors, BLOCK):
        count, rows = min(BLOCK, vectors - block), LANES * block
        for g in range(count):
            load(work, table + 2 * ODD_MULTIPLES * g, x, rows + LANES * g)
            load(work, table + 2 * ODD_MULTIPLES * g + 1, y, rows + LANES * g)
        fill_tables(work, chain, table, count, scratch)
        for g in range(count):
            total, entries = totals + 3 * g, table + 2 * ODD_MULTIPLES * g
            for window in range(WINDOWS - 1, -1, -1):
                put_digits(work, digits, rows + LANES * g, window)
                points.choose(work, ENTRY, SIGNS, entries, DIGITS)
                if window == WINDOWS - 1:
                    points.start(work, total, ENTRY, SIGNS)
                else:
                    double_repeatedly(work, total, WINDOW_BITS)
                    add_entry(work, total, ENTRY, SIGNS)
            replace_infinity(work, total)
        finish_block(work, chain, totals, count, scratch, negative, rows, new_x, new_y)


@kernel
def multiply_generator(
    work: Work,
    chain: Chain,
    tables: int,
    digits: Digits,
    negative: Octets,
    new_x: Words,
    new_y: Words,
) -> None:
    """Write the generator's multiples; ``tables`` is the address of its odd multiples.

    They are those of 32^i times the generator for each window i: limbs, one word each.
    """
    totals = NAMED
    scratch = totals + 3 * BLOCK
    vectors = (len(new_x) + LANES - 1) // LANES
    for block in range(0, vectors, BLOCK):
        count, rows = min(BLOCK, vectors - block), LANES * block
        for g in range(count):
            total = totals + 3 * g
            for window in range(WINDOWS - 1, -1, -1):
                put_digits(work, digits, rows + LANES * g, window)
                address = tables + window * TABLE_BYTES
                points.choose_base(work, ENTRY, SIGNS, address, DIGITS)
                if window == WINDOWS - 1:
                    points.start(work, total, ENTRY, SIGNS)
                else:
                    add_entry(work, total, ENTRY, SIGNS)
            replace_infinity(work, total)
        finish_block(work, chain, totals, count, scratch, negative, rows, new_x, new_y)


@kernel
def lift_points(work: Work, chain: Chain, x: Words, odd: Flags, y: Words) -> int:
    """Return the first row whose x is on no point, or -1; write the others' y."""
    squares, scratch = NAMED, NAMED + ROOTS
    invalid = -1
    vectors = (len(x) + LANES - 1) // LANES
    for block in range(0, vectors, ROOTS):
        count, rows = min(ROOTS, vectors - block), LANES * block
        for g in range(count):
            load(work, SPARE, x, rows + LANES * g)
            points.curve_equation(work, squares + g, SPARE)
        powers = power(work, chain, squares, count, scratch)
        for g in range(count):
            row = rows + LANES * g
            put_masks(work, SIGNS, odd, row)
            points.root(work, powers + g, VALID, powers + g, squares + g, SIGNS)
            store(work, powers + g, y, row, SPARE)
            for lane in range(min(LANES, len(x) - row)):
                if get(work, VALID, 0, lane) == 0 and invalid < 0:
                    invalid = row + lane
    return invalid


@kernel
def map_points(
    work: Work, chain: Chain, high: Words, low: Words, new_x: Words, new_y: Words
) -> None:
    """Write the simplified SWU map's points for the numbers high 2^256 + low, high below 2^128."""
    arguments, numerators = NAMED, NAMED + BLOCK
    denominators, states = numerators + 2 * BLOCK, numerators + 3 * BLOCK
    radicands, scratch = states + 5 * ROOTS, states + 6 * ROOTS
    vectors = (len(low) + LANES - 1) // LANES
    for block in range(0, vectors, BLOCK):
        count, rows = min(BLOCK, vectors - block), LANES * block
        for first in range(0, count, ROOTS):
            together = min(ROOTS, count - first)
            for r in range(together):
                g, state = first + r, states + 5 * r
                load_numbers(work, ENTRY, high, rows + LANES * g)
                load_numbers(work, SPARE, low, rows + LANES * g)
                points.field_element(work, arguments + g, ENTRY, SPARE)
                points.sswu_fraction(work, state, radicands + r, arguments + g)
            powers = power(work, chain, radicands, together, scratch)
            for r in range(together):
                g, state, numerator = first + r, states + 5 * r, numerators + 2 * (first + r)
                points.sswu_point(
                    work, numerator, denominators + g, state, powers + r, arguments + g
                )
        invert_all(work, chain, denominators, 1, count, scratch)
        for g in range(count):
            numerator, row = numerators + 2 * g, rows + LANES * g
            multiply_slots(work, numerator, numerator, denominators + g)
            store(work, numerator, new_x, row, SPARE)
            store(work, numerator + 1, new_y, row, SPARE)


@kernel
def add_points(
    work: Work,
    chain: Chain,
    x1: Words,
    y1: Words,
    x2: Words,
    y2: Words,
    new_x: Words,
    new_y: Words,
    infinite: Flags,
) -> None:
    """Write the pairs' sums, and where they are infinite."""
    pairs, inverses = NAMED, NAMED + 4 * BLOCK
    scratch = inverses + BLOCK
    vectors = (len(x1) + LANES - 1) // LANES
    for block in range(0, vectors, BLOCK):
        count, rows = min(BLOCK, vectors - block), LANES * block
        for g in range(count):
            pair, row = pairs + 4 * g, rows + LANES * g
            load(work, pair, x1, row)
            load(work, pair + 1, y1, row)
            load(work, pair + 2, x2, row)
            load(work, pair + 3, y2, row)
            points.any_denominator(work, inverses + g, VALID, pair, pair + 2)
            for lane in range(min(LANES, len(x1) - row)):
                infinite[row + lane] = get(work, VALID, 0, lane) != 0
        invert_all(work, chain, inverses, 1, count, scratch)
        for g in range(count):
            pair, row = pairs + 4 * g, rows + LANES * g
            points.any_sum(work, pair, pair, pair + 2, inverses + g)
            store(work, pair, new_x, row, SPARE)
            store(work, pair + 1, new_y, row, SPARE)


@kernel
def recode(scalars: Words, order: Words, digits: Digits, negative: Octets) -> None:
    """Write 52 odd digits of each scalar, lowest first, or of n - scalar where that one is odd.

    ``scalars`` has shape (m, 4), most significant word first, each in [1, n - 1]; digit i is bits
    5 i to 5 i + 5 of the odd number, the lowest of them taken as 1, less 32.
    """
    for i in range(len(scalars)):
        even = (scalars[i, 3] & np.uint64(1)) ^ np.uint64(1)
        negative[i] = even
        mask = np.uint64(0) - even
        borrow = np.uint64(0)
        odd = np.empty(5, np.uint64)
        odd[4] = np.uint64(0)
        for k in range(4):
            word, minuend = scalars[i, 3 - k], order[3 - k]
            difference = minuend - word - borrow
            borrow = ((~minuend & word) | (~(minuend ^ word) & difference)) >> np.uint64(63)
            odd[k] = word ^ ((word ^ difference) & mask)
        for window in range(WINDOWS - 1):
            at, shift = divmod(WINDOW_BITS * window, 64)
            bits = odd[at] >> np.uint64(shift)
            bits |= odd[at + 1] << np.uint64(63 - shift) << np.uint64(1)
            digits[i, window] = np.int64(bits & np.uint64(63) | np.uint64(1)) - 32
        digits[i, WINDOWS - 1] = 1
