"""Arithmetic modulo N and N^2 on rows of numbers, eight at a time.

Rows are those of :mod:`protocols.kernels.wide_rows`, the products those of
:mod:`protocols.kernels.wide_montgomery`: a number z modulo N^2 is a *pair*, the two digits of z R.
A kernel does rows ``start`` to ``stop``, ``start`` a multiple of eight, in memory of the caller's:
threads share nothing but what they read. Array bounds and values are the caller's to keep.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from protocols.kernels.jit import kernel
from protocols.kernels.lanes import LANES, VECTOR_BYTES
from protocols.kernels.wide_digits import scale, subtract, subtract_once
from protocols.kernels.wide_montgomery import (
    digit_product,
    digit_products_sum,
    integer_product,
    linear_2,
    linear_4,
    pair_product,
    short_product,
)
from protocols.kernels.wide_rows import Indices, Words, address, load, memory, store


class Modulus(NamedTuple):
    """What the products are told of N."""

    vectors: Words
    """-1/N modulo 2^52, then N's limbs, each in eight lanes: shape (1 + width, 8)."""
    limbs: int
    """A multiple of ten."""
    one: Words
    """R as a pair modulo N^2, shape (1, 2, width)."""


class Scratch(NamedTuple):
    """Memory of one thread's own."""

    packed: Words
    """Digits of eight numbers, shape (slots, width, 8)."""
    addresses: Indices


SLOTS = 14
"""Digits that the kernels here need in a :class:`Scratch`."""


def new_scratch(width: int, slots: int = SLOTS) -> Scratch:
    """Return memory for ``slots`` packed digits."""
    return Scratch(memory(slots, width, LANES), np.zeros(LANES, np.int64))


@kernel
def multiply_rows(
    out: Words,
    left: Words,
    right: Words,
    step: int,
    modulus: Modulus,
    scratch: Scratch,
    start: int,
    stop: int,
) -> None:
    """out = left right, pairs; ``step`` 0 takes the first of ``right`` for all, 1 each its own."""
    size = left.shape[2] * VECTOR_BYTES
    x, a, m = address(scratch.packed), address(scratch.packed) + 2 * size, address(modulus.vectors)
    for row in range(start, stop, LANES):
        load(x, left, row, stop - 1, scratch.addresses)
        load(a, right, row * step, (stop - 1) * step, scratch.addresses)
        pair_product(x, x + size, x, x + size, a, a + size, m, modulus.limbs)
        store(x, out, row, stop - 1, scratch.addresses)


@kernel
def square(x: int, times: int, spare: int, size: int, modulus: Modulus) -> None:
    """Square the pair packed at ``x`` so many times; ``spare`` is one digit."""
    for _ in range(times):
        # (x + N y)^2 is (x + N 2y) x: a short product.
        scale(spare, x + size, 2, modulus.limbs)
        short_product(x, x + size, x, spare, x, address(modulus.vectors), modulus.limbs)


@kernel
def square_rows(
    out: Words,
    rows: Words,
    times: int,
    modulus: Modulus,
    scratch: Scratch,
    start: int,
    stop: int,
) -> None:
    """out = rows^(2^times), pairs."""
    size = rows.shape[2] * VECTOR_BYTES
    x = address(scratch.packed)
    for row in range(start, stop, LANES):
        load(x, rows, row, stop - 1, scratch.addresses)
        square(x, times, x + 2 * size, size, modulus)
        store(x, out, row, stop - 1, scratch.addresses)


@kernel
def add_multiple(x: int, slope: int, one: int, size: int, modulus: Modulus) -> None:
    """Multiply the pair at ``x`` by 1 + N t, where ``slope`` is t R and ``one`` R modulo N.

    The factor adds x t to the upper digit; the rest is a way to keep that digit small.
    """
    m = address(modulus.vectors)
    digit_products_sum(x + size, x + size, one, x, slope, m, modulus.limbs)


@kernel
def add_multiples(
    out: Words,
    rows: Words,
    multiples: Words,
    factor: Words,
    modulus: Modulus,
    scratch: Scratch,
    start: int,
    stop: int,
) -> None:
    """out = rows (1 + N t), pairs; t R is the product of one of ``multiples`` and ``factor``.

    ``multiples`` has shape (n, 1, width) and ``factor`` (1, 1, width).
    """
    size, m = rows.shape[2] * VECTOR_BYTES, address(modulus.vectors)
    x = address(scratch.packed)
    t, f, one = x + 2 * size, x + 3 * size, x + 4 * size
    load(f, factor, 0, 0, scratch.addresses)
    load(one, modulus.one, 0, 0, scratch.addresses)
    for row in range(start, stop, LANES):
        load(x, rows, row, stop - 1, scratch.addresses)
        load(t, multiples, row, stop - 1, scratch.addresses)
        digit_product(t, t, f, m, modulus.limbs)
        add_multiple(x, t, one, size, modulus)
        store(x, out, row, stop - 1, scratch.addresses)


@kernel
def pairs_from_integers(
    out: Words,
    halves: Words,
    constants: Words,
    modulus: Modulus,
    scratch: Scratch,
    start: int,
    stop: int,
) -> None:
    """Make pairs of integers below R^2, which are low + R high.

    ``constants`` are two pairs, those of R and of R^2: shape (2, 2, width).
    """
    size, m = out.shape[2] * VECTOR_BYTES, address(modulus.vectors)
    x = address(scratch.packed)
    a, b = x + 2 * size, x + 4 * size
    load(a, constants, 0, 0, scratch.addresses)
    load(b, constants, 1, 1, scratch.addresses)
    for row in range(start, stop, LANES):
        load(x, halves, row, stop - 1, scratch.addresses)
        linear_2(
            x, x + size, x, x + size, a, a + size, b, b + size, m, modulus.limbs
        )  # fmt: skip
        store(x, out, row, stop - 1, scratch.addresses)


@kernel
def plain(x: int, unit: int, spare: int, size: int, modulus: Modulus) -> None:
    """Make of the pair at ``x`` the number's own two digits, both in [0, N).

    ``unit`` is one packed digit, 1, and ``spare`` two.
    """
    m, limbs, zero = address(modulus.vectors), modulus.limbs, unit + VECTOR_BYTES
    short_product(x, x + size, x, x + size, unit, m, limbs)
    subtract_once(spare, x, zero, spare + size, m, limbs)
    # At most 2 N, of a product by 1, and a carry: so three times, and only the first adds it.
    subtract_once(spare, x + size, spare, spare + size, m, limbs)
    subtract_once(spare, x + size, zero, spare + size, m, limbs)
    subtract_once(spare, x + size, zero, spare + size, m, limbs)


@kernel
def write_unit(unit: Words) -> None:
    """Make a packed digit 1."""
    unit[:] = np.uint64(0)
    unit[0] = np.uint64(1)


@kernel
def digits_from_pairs(
    out: Words, rows: Words, modulus: Modulus, scratch: Scratch, start: int, stop: int
) -> None:
    """Write the numbers' own two digits, both in [0, N)."""
    size = rows.shape[2] * VECTOR_BYTES
    x = address(scratch.packed)
    write_unit(scratch.packed[2])
    for row in range(start, stop, LANES):
        load(x, rows, row, stop - 1, scratch.addresses)
        plain(x, x + 2 * size, x + 3 * size, size, modulus)
        store(x, out, row, stop - 1, scratch.addresses)


@kernel
def integers_from_pairs(
    out: Words, rows: Words, modulus: Modulus, scratch: Scratch, start: int, stop: int
) -> None:
    """Write integers below N^2 as low + R high."""
    size = rows.shape[2] * VECTOR_BYTES
    x = address(scratch.packed)
    unit, n = x + 2 * size, address(modulus.vectors) + VECTOR_BYTES
    write_unit(scratch.packed[2])
    for row in range(start, stop, LANES):
        load(x, rows, row, stop - 1, scratch.addresses)
        plain(x, unit, x + 3 * size, size, modulus)
        integer_product(x, x + size, n, x + size, x, modulus.limbs)
        store(x, out, row, stop - 1, scratch.addresses)


@kernel
def running_products(
    products: Words, rows: Words, modulus: Modulus, scratch: Scratch, start: int, stop: int
) -> None:
    """Write, lane by lane, the products of the lower digits up to each eight rows.

    That of k numbers is divided by R k - 1 times. ``products`` has shape (groups, width, 8), or
    (1, width, 8) for the last one alone.
    """
    size = rows.shape[2] * VECTOR_BYTES
    x, m = address(scratch.packed), address(modulus.vectors)
    load(x, rows, start, stop - 1, scratch.addresses)
    scale(address(products), x, 1, modulus.limbs)
    before, after = address(products), address(products)
    for row in range(start + LANES, stop, LANES):
        load(x, rows, row, stop - 1, scratch.addresses)
        if len(products) > 1:
            after = before + size
        digit_product(after, before, x, m, modulus.limbs)
        before = after


@kernel
def invert_products(
    products: Words,
    inverse: Words,
    rows: Words,
    modulus: Modulus,
    scratch: Scratch,
    start: int,
    stop: int,
) -> None:
    """Replace :func:`running_products` by R^2 / x of each lower digit x.

    Montgomery's trick (Math. Comp. 48 (1987), §10.3.1). ``inverse`` is R^2 divided by the last of
    the products; it is overwritten.
    """
    size = rows.shape[2] * VECTOR_BYTES
    x, m = address(scratch.packed), address(modulus.vectors)
    u = address(inverse)
    for group in range(len(products) - 1, 0, -1):
        place = address(products) + group * size
        load(x, rows, start + group * LANES, stop - 1, scratch.addresses)
        digit_product(place, u, place - size, m, modulus.limbs)
        digit_product(u, u, x, m, modulus.limbs)
    scale(address(products), u, 1, modulus.limbs)


@kernel
def split_rows(
    out: Words,
    rows: Words,
    inverses: Words,
    modulus: Modulus,
    scratch: Scratch,
    start: int,
    stop: int,
) -> None:
    """Write x and t R of each pair (x, y), where x + N y is x (1 + N t).

    ``inverses`` are those of :func:`invert_products` for the same rows.
    """
    size = rows.shape[2] * VECTOR_BYTES
    x, m = address(scratch.packed), address(modulus.vectors)
    for row in range(start, stop, LANES):
        inverse = address(inverses) + (row - start) // LANES * size
        load(x, rows, row, stop - 1, scratch.addresses)
        digit_product(x + size, x + size, inverse, m, modulus.limbs)
        store(x, out, row, stop - 1, scratch.addresses)


@kernel
def invert_rows(
    out: Words,
    rows: Words,
    inverses: Words,
    modulus: Modulus,
    scratch: Scratch,
    start: int,
    stop: int,
) -> None:
    """out = 1 / rows, pairs; ``inverses`` are those of :func:`invert_products` for the same rows.

    An inverse v modulo N gives v (2 - z v), the inverse of z modulo N^2.
    """
    size = rows.shape[2] * VECTOR_BYTES
    x, m, limbs = address(scratch.packed), address(modulus.vectors), modulus.limbs
    one, two = x + 2 * size, x + 4 * size
    load(one, modulus.one, 0, 0, scratch.addresses)
    scale(two, one, 2, limbs)
    scale(two + size, one + size, 2, limbs)
    for row in range(start, stop, LANES):
        inverse = address(inverses) + (row - start) // LANES * size
        load(x, rows, row, stop - 1, scratch.addresses)
        short_product(x, x + size, x, x + size, inverse, m, limbs)
        # What the lower digit is given, 2 N, is 2 too much in the upper one.
        subtract(x, two, x, 2, 0, m, limbs)
        subtract(x + size, two + size, x + size, 4, 2, m, limbs)
        short_product(x, x + size, x, x + size, inverse, m, limbs)
        store(x, out, row, stop - 1, scratch.addresses)


@kernel
def change_modulus(
    out: Words,
    rows: Words,
    constants: Words,
    modulus: Modulus,
    scratch: Scratch,
    start: int,
    stop: int,
) -> None:
    """Make pairs modulo P^2 of pairs modulo N^2, where P divides N and has half its limbs.

    The quarters of a row are digits to base R of P; ``constants`` are the pairs modulo P^2 of
    what each stands for: shape (4, 2, width of ``out``).
    """
    inner, size = rows.shape[2] * VECTOR_BYTES, out.shape[2] * VECTOR_BYTES
    limbs, half = modulus.limbs, modulus.limbs * VECTOR_BYTES
    x, m = address(scratch.packed), address(modulus.vectors)
    k = x + 2 * inner
    for place in range(4):
        load(k + 2 * place * size, constants, place, place, scratch.addresses)
    for row in range(start, stop, LANES):
        load(x, rows, row, stop - 1, scratch.addresses)
        linear_4(
            x, x + size, x, x + half, x + inner, x + inner + half,
            k, k + size, k + 2 * size, k + 3 * size,
            k + 4 * size, k + 5 * size, k + 6 * size, k + 7 * size, m, limbs,
        )  # fmt: skip
        store(x, out, row, stop - 1, scratch.addresses)


@kernel
def join_moduli(
    out: Words,
    modulo_p: Words,
    modulo_q: Words,
    constants: Words,
    modulus: Modulus,
    scratch: Scratch,
    start: int,
    stop: int,
) -> None:
    """Make pairs modulo N^2 of pairs modulo P^2 and Q^2, N = P Q, by Chinese remainders.

    ``constants`` are the pairs modulo N^2 of what the four digits stand for: shape (4, 2, width).
    """
    size, limbs, m = out.shape[2] * VECTOR_BYTES, modulus.limbs, address(modulus.vectors)
    digits = address(scratch.packed)
    k = digits + 4 * size
    for place in range(4):
        load(k + 2 * place * size, constants, place, place, scratch.addresses)
        scratch.packed[place] = np.uint64(0)
    a, b, sums = digits, digits + 2 * size, digits + 12 * size
    short = modulo_p.shape[2] * VECTOR_BYTES
    for row in range(start, stop, LANES):
        for factor in range(2):
            pairs = modulo_q if factor else modulo_p
            load(sums, pairs, row, stop - 1, scratch.addresses)
            for digit in range(2):
                place = digits + (2 * factor + digit) * size
                scale(place, sums + digit * short, 1, limbs // 2)
        linear_4(
            sums, sums + size, a, a + size, b, b + size,
            k, k + size, k + 2 * size, k + 3 * size,
            k + 4 * size, k + 5 * size, k + 6 * size, k + 7 * size, m, limbs,
        )  # fmt: skip
        store(sums, out, row, stop - 1, scratch.addresses)
