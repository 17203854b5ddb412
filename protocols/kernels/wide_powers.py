"""Powers and long products modulo N^2 on rows of numbers, eight at a time.

Pairs and rows are those of :mod:`protocols.kernels.wide_montgomery_batch`. Where many factors are
known ahead, each is held as *split*, x and t R with x + N y = x (1 + N t): because
(1 + N s)(1 + N t) = 1 + N (s + t) modulo N^2, a product takes one short product for each x, and
the t are added as rows, at most ``MOST_ADDED`` of them before they are carried.
"""

from __future__ import annotations

import numpy as np

from protocols.kernels.jit import kernel
from protocols.kernels.lanes import LANES, VECTOR_BYTES
from protocols.kernels.wide_digits import add_rows, gather, prefetch, scale
from protocols.kernels.wide_montgomery import pair_product, short_product
from protocols.kernels.wide_montgomery_batch import Modulus, Scratch, add_multiple, square
from protocols.kernels.wide_rows import Indices, Windows, Words, address, load, store

MOST_ADDED = 448
"""A sum of so many t, each below 9/8 N, is below 2^9 N."""

BLOCK = 32
"""Groups of eight powers that :func:`fixed_base_powers` advances together."""


@kernel
def _finish_split(x: int, sums: int, one: int, modulus: Modulus, scratch: Scratch) -> None:
    """Multiply the pair at ``x`` by 1 + N t; ``sums`` are eight rows, of t R in each lane.

    ``one`` is R modulo N, and the digit after it is overwritten.
    """
    width = scratch.packed.shape[1]
    for lane in range(LANES):
        scratch.addresses[lane] = sums + lane * width * 8
    slope = one + width * VECTOR_BYTES
    gather(slope, address(scratch.addresses), width // LANES)
    scale(slope, slope, 1, modulus.limbs)
    add_multiple(x, slope, one, width * VECTOR_BYTES, modulus)


@kernel
def fixed_base_powers(
    out: Words,
    table: Words,
    windows: Windows,
    bits: int,
    modulus: Modulus,
    scratch: Scratch,
    states: Words,
    start: int,
    stop: int,
) -> None:
    """out = the products of one entry of each row of ``table``, which ``windows`` choose.

    ``table`` holds 2^bits split entries to a row, ``windows`` (n, rows); ``states`` has shape
    (BLOCK, 3, width, 8). A row of the table serves a block of powers before the next is read.
    """
    width = out.shape[2]
    size, entry, blocks = width * VECTOR_BYTES, 2 * width * 8, width // LANES
    a, m, base = address(scratch.packed), address(modulus.vectors), address(table)
    one, addresses = a + size, address(scratch.addresses)
    rows, last = windows.shape[1], stop - 1
    for first in range(start, stop, LANES * BLOCK):
        groups = min(BLOCK, (stop - first + LANES - 1) // LANES)
        states[:groups, 2] = np.uint64(0)
        for k in range(rows):
            for group in range(groups):
                x = address(states) + 3 * group * size
                for lane in range(LANES):
                    row = min(first + group * LANES + lane, last)
                    place = (k << bits) + np.int64(windows[row, k])
                    scratch.addresses[lane] = base + place * entry
                if k == 0:
                    gather(x, addresses, blocks)
                    states[group, 1] = np.uint64(0)
                else:
                    gather(a, addresses, blocks)
                add_rows(x + 2 * size, addresses, width * 8, blocks)
                if group + 1 < groups or k + 1 < rows:
                    # The next entries come from memory while this product is computed.
                    ahead = k if group + 1 < groups else k + 1
                    following = (group + 1) % groups
                    for lane in range(LANES):
                        row = min(first + following * LANES + lane, last)
                        place = (ahead << bits) + np.int64(windows[row, ahead])
                        scratch.addresses[lane] = base + place * entry
                    prefetch(addresses, 2 * blocks)
                if k:
                    short_product(x, x + size, x, x + size, a, m, modulus.limbs)
        load(one, modulus.one, 0, 0, scratch.addresses)
        for group in range(groups):
            x = address(states) + 3 * group * size
            _finish_split(x, x + 2 * size, one, modulus, scratch)
            store(x, out, first + group * LANES, last, scratch.addresses)


@kernel
def segment_products(
    out: Words,
    rows: Words,
    split: bool,
    positions: Indices,
    begins: Indices,
    counts: Indices,
    modulus: Modulus,
    scratch: Scratch,
    start: int,
    stop: int,
) -> None:
    """out[k] = the product of rows ``positions[begins[k]]`` and on, ``counts[k]`` of them.

    A count is at least 1, and at most ``MOST_ADDED`` where the rows are ``split``; they are pairs
    otherwise. Eight segments advance together, fastest if they are as long.
    """
    width = out.shape[2]
    size, entry, blocks = width * VECTOR_BYTES, 2 * width * 8, width // LANES
    x, m, base = address(scratch.packed), address(modulus.vectors), address(rows)
    a, sums, one = x + 2 * size, x + 4 * size, x + 5 * size
    addresses, neutral = address(scratch.addresses), address(modulus.one)
    load(one, modulus.one, 0, 0, scratch.addresses)
    for first in range(start, stop, LANES):
        most = 0
        for lane in range(LANES):
            most = max(most, counts[min(first + lane, stop - 1)])
        scratch.packed[1] = np.uint64(0)
        scratch.packed[4] = np.uint64(0)
        for step in range(most):
            for lane in range(LANES):
                segment = min(first + lane, stop - 1)
                if step < counts[segment]:
                    place = positions[begins[segment] + step]
                    scratch.addresses[lane] = base + place * entry
                else:
                    scratch.addresses[lane] = neutral
            if split:
                gather(a if step else x, addresses, blocks)
                add_rows(sums, addresses, width * 8, blocks)
                if step:
                    short_product(x, x + size, x, x + size, a, m, modulus.limbs)
            else:
                gather(a if step else x, addresses, 2 * blocks)
                if step:
                    pair_product(x, x + size, x, x + size, a, a + size, m, modulus.limbs)
        if split:
            _finish_split(x, sums, one, modulus, scratch)
        store(x, out, first, stop - 1, scratch.addresses)


@kernel
def shared_powers(
    out: Words,
    rows: Words,
    windows: Windows,
    bits: int,
    modulus: Modulus,
    scratch: Scratch,
    table: Words,
    start: int,
    stop: int,
) -> None:
    """out = rows^e, pairs, for one e of so many windows of ``bits`` bits, lowest first.

    ``table`` has shape (2^bits, 2, width, 8).
    """
    size = rows.shape[2] * VECTOR_BYTES
    x, m, powers = address(scratch.packed), address(modulus.vectors), address(table)
    for row in range(start, stop, LANES):
        load(x, rows, row, stop - 1, scratch.addresses)
        _powers_up_to(powers, x, 1 << bits, size, modulus, scratch)
        top = powers + 2 * size * np.int64(windows[len(windows) - 1])
        scale(x, top, 1, modulus.limbs)
        scale(x + size, top + size, 1, modulus.limbs)
        for k in range(len(windows) - 2, -1, -1):
            square(x, bits, x + 2 * size, size, modulus)
            if windows[k]:
                a = powers + 2 * size * np.int64(windows[k])
                pair_product(x, x + size, x, x + size, a, a + size, m, modulus.limbs)
        store(x, out, row, stop - 1, scratch.addresses)


@kernel
def own_powers(
    out: Words,
    rows: Words,
    windows: Windows,
    bits: int,
    modulus: Modulus,
    scratch: Scratch,
    table: Words,
    start: int,
    stop: int,
) -> None:
    """out = rows^e, pairs, each with an e of its own: ``windows`` has shape (n, count).

    ``table`` has shape (2^bits, 2, width, 8).
    """
    size = rows.shape[2] * VECTOR_BYTES
    x, m, powers = address(scratch.packed), address(modulus.vectors), address(table)
    a = x + 2 * size
    for row in range(start, stop, LANES):
        load(x, rows, row, stop - 1, scratch.addresses)
        _powers_up_to(powers, x, 1 << bits, size, modulus, scratch)
        for k in range(windows.shape[1] - 1, -1, -1):
            for lane in range(LANES):
                window = windows[min(row + lane, stop - 1), k]
                for digit in range(2):
                    for limb in range(modulus.limbs):
                        scratch.packed[2 + digit, limb, lane] = table[window, digit, limb, lane]
            if k == windows.shape[1] - 1:
                scale(x, a, 1, modulus.limbs)
                scale(x + size, a + size, 1, modulus.limbs)
            else:
                square(x, bits, x + 4 * size, size, modulus)
                pair_product(x, x + size, x, x + size, a, a + size, m, modulus.limbs)
        store(x, out, row, stop - 1, scratch.addresses)


@kernel
def _powers_up_to(
    powers: int, x: int, count: int, size: int, modulus: Modulus, scratch: Scratch
) -> None:
    """Write the powers 0 .. count - 1 of the pair at ``x``, packed one after the other."""
    m, pair = address(modulus.vectors), 2 * size
    load(powers, modulus.one, 0, 0, scratch.addresses)
    for k in range(1, count):
        place = powers + k * pair
        before = place - pair
        pair_product(place, place + size, before, before + size, x, x + size, m, modulus.limbs)
