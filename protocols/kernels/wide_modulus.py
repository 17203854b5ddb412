"""One modulus N and what is computed modulo N and N^2 by the kernels, for callers in Python.

The arrays passed about are *pairs*: rows of shape (n, 2, width), each number z modulo N^2 as the
two digits of z R (:mod:`protocols.kernels.wide_montgomery`). Batches are cut into slices of
whole eights, one for each core this process may use; what a result is does not depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np
from gmpy2 import invert, mpz, powmod
from numba import config

from protocols.kernels import wide_powers
from protocols.kernels.lanes import LANES
from protocols.kernels.wide_montgomery import LIMB_BITS, MAX_LIMBS, SLACK_BITS, UNROLLED
from protocols.kernels.wide_montgomery_batch import (
    Modulus,
    Scratch,
    add_multiples,
    change_modulus,
    digits_from_pairs,
    integers_from_pairs,
    invert_products,
    invert_rows,
    join_moduli,
    multiply_rows,
    new_scratch,
    pairs_from_integers,
    running_products,
    split_rows,
    square_rows,
)
from protocols.kernels.wide_rows import (
    Indices,
    Windows,
    Words,
    all_below,
    limbs_from_words,
    memory,
    octets_from_words,
    windows_from_words,
    words_from_limbs,
    words_from_octets,
)

Pairs: TypeAlias = Words

LEAST_WORK_US = 500.0
"""Less work than this, in microseconds, is not worth another thread."""
SLICES = 4
"""For each thread, so that one with harder numbers does not keep the others waiting."""
SHARED_POWER_BITS = 5
TABLE_ROWS = 16
"""Rows of a table that are made at once: what that takes besides the table is a few rows more."""
PIECE = 256
"""A segment is multiplied in pieces of at most so many factors, for the lanes to be even."""
PAIRS_TOGETHER = 16
"""So many products of pieces of a segment are multiplied one after the other."""


def most_threads() -> int:
    """Return on how many cores this process may compute, as numba found it when it was loaded."""
    return int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]


def in_slices(count: int, each_us: float, compute: Callable[[int, int], None]) -> None:
    """Call ``compute(start, stop)`` for slices that make up ``range(count)``, side by side.

    ``each_us`` says about how long one takes; all slices but the last are whole eights.
    """
    threads = max(1, min(most_threads(), int(count * each_us / LEAST_WORK_US)))
    if threads == 1:
        if count:
            compute(0, count)
        return
    size = max(1, -(-count // (SLICES * threads * LANES))) * LANES
    slices = [(start, min(start + size, count)) for start in range(0, count, size)]
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(compute, *part) for part in slices]:
            done.result()


class WideModulus:
    """An odd N of at most 3,104 bits, and arithmetic modulo its square."""

    def __init__(self, n: int | mpz) -> None:
        self.n = mpz(n)
        self.limbs = -(-(self.n.bit_length() + SLACK_BITS) // (LIMB_BITS * UNROLLED)) * UNROLLED
        if self.n < 3 or self.n % 2 == 0 or self.limbs > MAX_LIMBS:
            raise ValueError("the modulus must be odd, at least 3 and at most 3,104 bits long")
        self.width = -(-self.limbs // LANES) * LANES
        self.r = mpz(1) << (LIMB_BITS * self.limbs)
        vectors = memory(1 + self.width, LANES)
        vectors[0] = int(-invert(self.n, mpz(1) << LIMB_BITS) % (1 << LIMB_BITS))
        vectors[1:] = self.digit(self.n)[0, 0][:, np.newaxis]
        self.modulus = Modulus(vectors, self.limbs, self.pair(self.r))
        # z = low + R high, so z R takes R and R^2; each is R times itself before a reduction.
        self._integer = np.concatenate([self.pair(self.r**2), self.pair(self.r**3)])
        self._to_digit = self.digit(self.r * self.r % self.n)
        self._product_us = (self.limbs / 40) ** 2 * 0.4

    def digit(self, value: mpz | int) -> Words:
        """Return an integer below R as one digit, shape (1, 1, width)."""
        words = -(-(LIMB_BITS * self.limbs) // 64)
        return self.digits(int(value).to_bytes(8 * words, "big"), 8 * words)

    def pair(self, value: mpz | int) -> Pairs:
        """Return the two digits of an integer modulo N^2, as it is, shape (1, 2, width)."""
        high, low = divmod(int(value) % int(self.n) ** 2, int(self.n))
        return np.concatenate([self.digit(low), self.digit(high)], axis=1)

    def digits(self, data: bytes, size: int) -> Words:
        """Return big-endian integers below R of ``size`` bytes as digits, shape (n, 1, width)."""
        words = words_from_octets(data, size)
        rows = memory(len(words), 1, self.width)
        limbs_from_words(rows, words, self.limbs, 0, len(words))
        return rows

    def pairs(self, data: bytes, size: int) -> Pairs | None:
        """Return big-endian integers of ``size`` bytes; None if one is not below N^2."""
        words = words_from_octets(data, size)
        bound = words_from_octets(int(self.n**2).to_bytes(size, "big"), size)[0]
        if not all_below(words, bound):
            return None
        out, modulus = memory(len(words), 2, self.width), self.modulus

        def compute(start: int, stop: int) -> None:
            limbs_from_words(out, words, self.limbs, start, stop)
            pairs_from_integers(out, out, self._integer, modulus, self._scratch(), start, stop)

        in_slices(len(words), self._product_us, compute)
        return out

    def octets(self, pairs: Pairs, size: int) -> bytes:
        """Return the integers in [0, N^2), big endian, ``size`` bytes each."""
        words = np.empty((len(pairs), size // 8), np.uint64)

        def compute(start: int, stop: int) -> None:
            integers = memory(stop - start, 2, self.width)
            part = pairs[start:stop]
            scratch = self._scratch()
            integers_from_pairs(integers, part, self.modulus, scratch, 0, stop - start)
            words_from_limbs(words[start:stop], integers, self.limbs, 0, stop - start)

        in_slices(len(pairs), self._product_us, compute)
        return octets_from_words(words)

    def own_digits(self, pairs: Pairs) -> tuple[list[mpz], list[mpz]]:
        """Return all x and all y in [0, N) of numbers x + N y."""
        out = self._map(pairs, digits_from_pairs)
        low, high = (np.ascontiguousarray(out[:, k : k + 1]) for k in (0, 1))
        return self.integers(low), self.integers(high)

    def integers(self, digits: Words) -> list[mpz]:
        """Return digits, shape (n, 1, width), as the integers they are."""
        words = np.empty((len(digits), -(-LIMB_BITS * self.limbs // 64)), np.uint64)
        words_from_limbs(words, digits, self.limbs, 0, len(digits))
        data, size = words.tobytes(), 8 * words.shape[1]
        return [mpz.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)]

    def ones(self, count: int) -> Pairs:
        """Return ``count`` ones."""
        out = memory(count, 2, self.width)
        out[:] = self.modulus.one
        return out

    def take(self, pairs: Words, positions: Indices) -> Words:
        """Return the rows at ``positions``."""
        out = memory(len(positions), *pairs.shape[1:])
        # numpy checks the positions once more unless it is told not to.
        np.take(pairs, positions, axis=0, out=out, mode="clip")
        return out

    def join(self, parts: Sequence[Words]) -> Words:
        """Return the parts, at least one, as one array of rows."""
        if len(parts) == 1:
            return parts[0]
        out = memory(sum(len(part) for part in parts), *parts[0].shape[1:])
        np.concatenate(parts, axis=0, out=out)
        return out

    def multiply(self, left: Pairs, right: Pairs) -> Pairs:
        """Return the products; one number on the right stands for as many as are on the left."""
        step = 1 if len(right) == len(left) else 0
        return self._map(left, multiply_rows, right, step)

    def square(self, pairs: Pairs, times: int) -> Pairs:
        """Return the numbers to the power of 2^times."""
        return self._map(pairs, square_rows, times, each=max(1, times))

    def add_multiples(self, pairs: Pairs, multiples: Words) -> Pairs:
        """Return each number times 1 + N m, m one of the ``digits``."""
        return self._map(pairs, add_multiples, multiples, self._to_digit)

    def divide(self, left: Pairs, right: Pairs) -> Pairs:
        """Return the quotients; on the right are units."""
        return self.multiply(left, self._with_inverses(right, invert_rows))

    def split(self, pairs: Pairs) -> Words:
        """Return units as rows of x and t R, where the unit is x (1 + N t)."""
        return self._with_inverses(pairs, split_rows)

    def _with_inverses(self, pairs: Pairs, kernel: Callable[..., None]) -> Words:
        out = memory(len(pairs), 2, self.width)

        def compute(start: int, stop: int) -> None:
            scratch = self._scratch()
            products = memory(-(-(stop - start) // LANES), self.width, LANES)
            running_products(products, pairs, self.modulus, scratch, start, stop)
            inverse = self._packed(self._inverses(self._lanes(products[-1])))
            invert_products(products, inverse, pairs, self.modulus, scratch, start, stop)
            kernel(out, pairs, products, self.modulus, scratch, start, stop)

        in_slices(len(pairs), 3 * self._product_us, compute)
        return out

    def _inverses(self, values: Sequence[mpz]) -> list[mpz]:
        """Return R^2 / value for each, by one inversion."""
        product, before = mpz(1), []
        for value in values:
            before.append(product)
            product = product * value % self.n
        inverse, found = invert(product, self.n) * self.r**2 % self.n, []
        for value, others in zip(reversed(values), reversed(before), strict=True):
            found.append(inverse * others % self.n)
            inverse = inverse * value % self.n
        return found[::-1]

    def product_of_digits(self, pairs: Pairs) -> mpz:
        """Return a number that shares with N what the product of all numbers shares with it."""
        if not len(pairs):
            return mpz(1)
        products = memory(1, self.width, LANES)
        running_products(products, pairs, self.modulus, self._scratch(), 0, len(pairs))
        product = mpz(1)
        for value in self._lanes(products[0]):
            product = product * value % self.n
        return product

    def powers(self, pairs: Pairs, exponents: Sequence[int]) -> Pairs:
        """Return each number to the power of its own exponent, which is not negative."""
        bits = max((int(e).bit_length() for e in exponents), default=0)
        window = min(range(1, 7), key=lambda w: (1 << w) + bits + -(-bits // w))
        size = max(8, -(-bits // 64) * 8)
        words = words_from_octets(b"".join(int(e).to_bytes(size, "big") for e in exponents), size)
        windows = np.empty((len(pairs), max(1, -(-bits // window))), np.uint16)
        windows_from_words(windows, words, window)
        return self._map_powers(pairs, wide_powers.own_powers, windows, window, bits)

    def shared_powers(self, pairs: Pairs, exponent: mpz) -> Pairs:
        """Return each number to the power of one exponent, at least 0."""
        bits = exponent.bit_length()
        size = max(8, -(-bits // 64) * 8)
        words = words_from_octets(int(exponent).to_bytes(size, "big"), size)
        windows = np.empty((1, max(1, -(-bits // SHARED_POWER_BITS))), np.uint16)
        windows_from_words(windows, words, SHARED_POWER_BITS)
        kernel = wide_powers.shared_powers
        return self._map_powers(pairs, kernel, windows[0], SHARED_POWER_BITS, bits)

    def _map_powers(
        self, pairs: Pairs, kernel: Callable[..., None], windows: Windows, window: int, bits: int
    ) -> Pairs:
        out = memory(len(pairs), 2, self.width)

        def compute(start: int, stop: int) -> None:
            table, scratch = memory(1 << window, 2, self.width, LANES), self._scratch()
            kernel(
                out, pairs, windows, window, self.modulus, scratch, table, start, stop
            )  # fmt: skip

        in_slices(len(pairs), (1 + bits) * self._product_us, compute)
        return out

    def table(self, base: mpz, rows: int, bits: int) -> Words:
        """Return what :meth:`fixed_base` takes for powers of ``base`` of rows * bits bits."""
        if rows > wide_powers.MOST_ADDED:
            raise ValueError(f"a table has at most {wide_powers.MOST_ADDED} rows")
        steps = [base]
        for _ in range(rows - 1):
            steps.append(powmod(steps[-1], 1 << bits, self.n**2))
        size = -(-2 * self.n.bit_length() // 64) * 8
        bases = self.pairs(b"".join(int(s).to_bytes(size, "big") for s in steps), size)
        assert bases is not None
        table = memory(rows << bits, 2, self.width)
        for first in range(0, rows, TABLE_ROWS):
            part = bases[first : first + TABLE_ROWS]
            table[first << bits : (first + len(part)) << bits] = self.split(
                self._first_powers(part, bits)
            )
        return table

    def _first_powers(self, bases: Pairs, bits: int) -> Pairs:
        """Return the powers 0 .. 2^bits - 1 of each base, in order."""
        rows, step = len(bases), bases
        powers = self.ones(rows).reshape(rows, 1, 2, self.width)
        for _ in range(bits):
            count = powers.shape[1]
            flat = powers.reshape(rows * count, 2, self.width)
            more = self.multiply(flat, np.repeat(step, count, axis=0))
            powers = np.concatenate([powers, more.reshape(powers.shape)], axis=1)
            step = self.square(step, 1)
        return powers.reshape(-1, 2, self.width)

    def powers_of_base(self, table: Words, exponents: bytes, size: int, bits: int) -> Pairs:
        """Return powers of a table's base; exponents are ``size`` bytes each, big endian.

        ``size`` is a multiple of 8, and no exponent has more bits than the table was made for.
        """
        words = words_from_octets(exponents, size)
        windows = np.empty((len(words), len(table) >> bits), np.uint16)
        windows_from_words(windows, words, bits)
        return self.fixed_base(table, windows, bits)

    def fixed_base(self, table: Words, windows: Windows, bits: int) -> Pairs:
        """Return powers of a table's base; exponents are windows of ``bits`` bits, lowest first."""
        out = memory(len(windows), 2, self.width)

        def compute(start: int, stop: int) -> None:
            scratch, states = self._scratch(), memory(wide_powers.BLOCK, 3, self.width, LANES)
            wide_powers.fixed_base_powers(
                out, table, windows, bits, self.modulus, scratch, states, start, stop
            )  # fmt: skip

        in_slices(len(windows), windows.shape[1] * self._product_us, compute)
        return out

    def segment_products(self, split: Words, positions: Indices, offsets: Indices) -> Pairs:
        """Return the product of each segment ``positions[offsets[k]:offsets[k + 1]]`` of units.

        The units are :meth:`split`. Segments are cut into pieces, eight of about one length
        advance together, and the products of a segment's pieces are multiplied in the end.
        """
        products = self._pieces(split, True, positions, offsets, PIECE)
        while True:
            rows, offsets = products
            if (offsets[1:] - offsets[:-1]).max(initial=0) <= 1:
                break
            places = np.arange(len(rows), dtype=np.int64)
            products = self._pieces(rows, False, places, offsets, PAIRS_TOGETHER)
        out = self.ones(len(offsets) - 1)
        out[offsets[1:] > offsets[:-1]] = rows
        return out

    def _pieces(
        self, rows: Words, split: bool, positions: Indices, offsets: Indices, most: int
    ) -> tuple[Pairs, Indices]:
        """Return the products of pieces of the segments, in order, and each segment's pieces.

        A piece is at most ``most`` positions long; those of segment k are ``[offsets[k]`` to
        ``offsets[k + 1]]`` of the offsets that are returned.
        """
        lengths = offsets[1:] - offsets[:-1]
        numbers = -(-lengths // most)
        ends = np.concatenate([[0], np.cumsum(numbers)]).astype(np.int64)
        segment = np.repeat(np.arange(len(lengths)), numbers)
        within = (np.arange(ends[-1]) - ends[segment]) * most
        begins, counts = offsets[segment] + within, np.minimum(lengths[segment] - within, most)
        order = np.argsort(-counts, kind="stable")
        begins, counts = begins[order], counts[order]
        products = memory(len(order), 2, self.width)

        def compute(start: int, stop: int) -> None:
            wide_powers.segment_products(
                products, rows, split, positions, begins, counts, self.modulus, self._scratch(),
                start, stop,
            )  # fmt: skip

        mean = len(positions) / max(1, len(order))
        in_slices(len(order), mean * self._product_us, compute)
        in_order = np.empty_like(order)
        in_order[order] = np.arange(len(order))
        return self.take(products, in_order), ends

    def change_modulus(self, inner: WideModulus, pairs: Pairs, constants: Words) -> Pairs:
        """Return numbers modulo ``inner.n**2`` as numbers modulo n^2, n a factor of ``inner.n``."""
        return self._map(pairs, change_modulus, constants)

    def constants_from(self, inner: WideModulus) -> Words:
        """Return what :meth:`change_modulus` takes.

        A number z modulo N^2 is held as z S, S of N; its two digits have two limbs' lengths each.
        """
        if inner.limbs != 2 * self.limbs:
            raise ValueError("a factor must have half the limbs")
        factor = self.r**2 * invert(inner.r, self.n**2)
        places = [mpz(1), self.r, inner.n, inner.n * self.r]
        return np.concatenate([self.pair(factor * place) for place in places])

    def join_moduli(self, modulo_p: Pairs, modulo_q: Pairs, constants: Words) -> Pairs:
        """Return the numbers modulo n^2, n = p q, of numbers modulo p^2 and q^2."""
        return self._map(modulo_p, join_moduli, modulo_q, constants)

    def constants_of_join(self, p: WideModulus, q: WideModulus) -> Words:
        """Return what :meth:`join_moduli` takes."""
        constants = []
        for own, other in ((p, q), (q, p)):
            # 1 modulo own^2 and 0 modulo other^2.
            unit = other.n**2 * invert(other.n**2, own.n**2)
            factor = unit * invert(own.r, self.n**2) * self.r**2
            constants += [self.pair(factor), self.pair(factor * own.n)]
        return np.concatenate(constants)

    def _map(self, pairs: Pairs, kernel: Callable[..., None], *others: Any, each: int = 1) -> Pairs:
        """Return what ``kernel`` makes of the rows and ``others``, by ``each`` products a row."""
        out = memory(len(pairs), 2, self.width)

        def compute(start: int, stop: int) -> None:
            kernel(out, pairs, *others, self.modulus, self._scratch(), start, stop)

        in_slices(len(pairs), each * self._product_us, compute)
        return out

    def _scratch(self) -> Scratch:
        return new_scratch(self.width)

    def _lanes(self, packed: Words) -> list[mpz]:
        return self.integers(np.ascontiguousarray(packed.T)[:, np.newaxis])

    def _packed(self, values: Sequence[mpz]) -> Words:
        packed = memory(self.width, LANES)
        packed[:] = np.concatenate([self.digit(value)[0] for value in values]).T
        return packed
