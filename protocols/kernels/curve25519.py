"""Curve25519 by x-coordinates in eight lanes: ladder, check, Elligator 2 (AVX-512 IFMA).

RFC 7748 (January 2016) §4.1 and §5; RFC 9380 (August 2023) §6.7.1 and §8.5. The twin without
vector instructions is :mod:`protocols.suite.curve25519_portable`.

A batch is cut in blocks of :data:`BLOCK` vectors, which share an inversion by Montgomery's trick
(Mathematics of Computation 48, 1987, §10.3.1); one number that is 0 would spoil its lane of the
block. Exponentiations run over :data:`GROUP` vectors side by side, because a squaring waits longer
for the one before than it takes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from protocols.kernels.field25519 import (
    CHARACTER,
    ELEMENT_WORDS,
    INVERSE,
    NUMBER_WORDS,
    POWER_REGISTERS,
    Element,
    P,
    Slot,
    Words,
    add,
    broadcast,
    canonical_words,
    carry,
    copy,
    fill,
    load,
    load_uniform,
    minus,
    operation,
    plus,
    plus_multiple,
    power,
    product,
    square,
    squared,
    store,
    subtract,
    work_area,
)
from protocols.kernels.field25519 import multiply as multiply_elements
from protocols.kernels.jit import kernel
from protocols.kernels.lanes import I64, LANES, Lanes, Value
from protocols.kernels.limbs import LIMBS, ZERO

Octets = npt.NDArray[np.uint8]

J = 486662
QUARTER = (J + 2) // 4
COFACTOR_DOUBLINGS = 3
SCALAR_BITS = 255
X_BYTES = 32
UNIFORM_BYTES = 48
BLOCK = 32
GROUP = 8

LOW_ORDER = (
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    P - 1,
)
"""The x-coordinates of all points of order 2, 4 and 8, of the curve and of its twist."""

_LOW_ORDER_WORDS = np.array(
    [[x >> 64 * k & 2**64 - 1 for k in range(NUMBER_WORDS)] for x in LOW_ORDER], np.uint64
)
_P_WORDS = np.array([P >> 64 * k & 2**64 - 1 for k in range(NUMBER_WORDS)], np.uint64)


def multiply(scalar: int, elements: Octets) -> Octets:
    """Return the x-coordinate of ``scalar`` times each point, canonical, shape (n, 32).

    Montgomery's ladder of 255 steps whatever the scalar, any in [1, 2^255). The lanes share the
    scalar; its bits become masks, and a step selects by mask what it doubles: the same
    instructions on the same addresses for every scalar. Elements, shape (n, 32), are x-coordinates
    of the curve or its twist, taken modulo p without bit 255.

    Raises ``ValueError`` for another scalar or shape, and if a product is infinity, which has no
    x-coordinate and shows that some element was not checked; nothing is returned then.
    """
    if not 0 < scalar < 1 << SCALAR_BITS:
        raise ValueError("the scalar must be in [1, 2^255)")
    rows = _rows(elements, X_BYTES)
    products = np.empty_like(rows)
    if len(rows) and _multiply(rows, _swaps(scalar), products, work_area(_LADDER_SLOTS)):
        raise ValueError("a product is infinity: an element of low order was not refused before")
    return products.view(np.uint8)


def check(elements: Octets) -> int:
    """Return the index of the first invalid element, or -1.

    Valid is the canonical x-coordinate of a point of the curve, not of its twist, that is not of
    order 1, 2, 4 or 8. Raises ``ValueError`` unless the shape is (n, 32).
    """
    rows = _rows(elements, X_BYTES)
    return int(_check(rows, work_area(_CHECK_SLOTS))) if len(rows) else -1


def map_elligator2(uniform: Octets) -> Octets:
    """Return the x-coordinates of the points that field elements map to, cofactor cleared.

    A row is the 48 bytes, big endian, that hash_to_field reduces modulo p (RFC 9380 §5.2); the
    map is that of curve25519_XMD:SHA-512_ELL2_NU_ (§8.5), its x-coordinate only, shape (n, 32).
    Raises ``ValueError`` for another shape, or if one maps to the identity, which nobody can find.
    """
    words = _rows(uniform, UNIFORM_BYTES).byteswap()  # word 0 is the most significant one
    rows = np.ascontiguousarray(words[:, ::-1])
    xs = np.empty((len(rows), NUMBER_WORDS), np.uint64)
    if len(rows) and _map_elligator2(rows, xs, work_area(_MAP_SLOTS)):
        raise ValueError("an item encodes to the identity")
    return xs.view(np.uint8)


def _rows(octets: Octets, width: int) -> Words:
    if octets.dtype != np.uint8 or octets.ndim != 2 or octets.shape[1] != width:
        raise ValueError(f"expected rows of {width} octets")
    return np.ascontiguousarray(octets).view(np.uint64)


def _swaps(scalar: int) -> Words:
    """Return all-ones or 0 for each step: whether it doubles point 3, the last step's sum.

    Before bit b of the scalar, b times the base more than the higher bits' multiple is to be
    doubled, and point 2 is that if b is the bit before. So word t, for bit 254 - t, tells whether
    the bit differs from the one before, and the last word is the last bit: where it is 1, point 2
    became the multiple of the scalar plus 1, and the result is point 3.
    """
    octets = np.frombuffer(scalar.to_bytes(X_BYTES, "big"), np.uint8)
    bits = np.unpackbits(octets).astype(np.uint64)
    return np.uint64(0) - np.append(bits[:-1] ^ bits[1:], bits[-1])


# Slots are numpy's integers: numba compiles a function anew for every constant of Python's.
_DIVISION_SLOTS = 3 * BLOCK + POWER_REGISTERS
_BASE_X, _X2, _Z2, _X3, _Z3, _QUOTIENT_X = np.arange(6)
_LADDER_SCRATCH = _BASE_X
_LADDER_SLOTS = int(_QUOTIENT_X) + _DIVISION_SLOTS
"""The ladder's base x, tight; both running points as fractions x / z, wide; a division's."""


def _select(lanes: Lanes, mask: Value, x: Element, y: Element) -> Element:
    """Return y where the mask's bits are 1, else x."""
    builder = lanes.builder
    return [
        builder.xor(a, builder.and_(builder.xor(a, b), mask)) for a, b in zip(x, y, strict=True)
    ]


def _load(lanes: Lanes, base: Value, slot: Slot) -> Element:
    return lanes.load(base, ir.Constant(I64, int(slot)), LIMBS)


def _store(lanes: Lanes, base: Value, slot: Slot, element: Element) -> None:
    lanes.store(base, ir.Constant(I64, int(slot)), element)


@operation
def _step(lanes: Lanes, base: Value, swap: Value) -> None:
    """Put the double of point 2, or of point 3 under ``swap``, in 2, and their sum in 3.

    The letters are RFC 7748's (§5), but that z of the double is E (BB + (J + 2) / 4 E): the same,
    as AA = BB + E. The sum needs no swap: under one, DA and CB change places, which changes the
    sign of their difference, and only its square is used. The double and the sum take turns,
    because neither alone has enough independent products to fill the multipliers.
    """
    mask = broadcast(lanes, swap)
    base_x, x2, z2, x3, z3 = (_load(lanes, base, k) for k in (_BASE_X, _X2, _Z2, _X3, _Z3))
    a, d = plus(lanes, x2, z2), minus(lanes, x3, z3)
    da = product(lanes, d, a)
    c, b = plus(lanes, x3, z3), minus(lanes, x2, z2)
    cb = product(lanes, c, b)
    aa = squared(lanes, _select(lanes, mask, a, c))
    difference = squared(lanes, minus(lanes, da, cb))
    bb = squared(lanes, _select(lanes, mask, b, d))
    e = minus(lanes, aa, bb)
    aa, bb = carry(lanes, aa), carry(lanes, bb)
    _store(lanes, base, _Z3, product(lanes, base_x, carry(lanes, difference)))
    _store(lanes, base, _Z2, product(lanes, e, plus_multiple(lanes, bb, QUARTER, e)))
    _store(lanes, base, _X3, squared(lanes, plus(lanes, da, cb)))
    _store(lanes, base, _X2, product(lanes, aa, bb))


@operation
def _take_result(lanes: Lanes, base: Value, x: Value, z: Value, swap: Value) -> None:
    """Store point 2, or point 3 under ``swap``, tight."""
    mask = broadcast(lanes, swap)
    for out, first, second in ((x, _X2, _X3), (z, _Z2, _Z3)):
        chosen = _select(lanes, mask, _load(lanes, base, first), _load(lanes, base, second))
        lanes.store(base, out, carry(lanes, chosen))


@operation
def _double(lanes: Lanes, base: Value, x: Value, z: Value) -> None:
    """Replace x / z by that of the double, as :func:`_step` does."""
    numerator, denominator = lanes.load(base, x, LIMBS), lanes.load(base, z, LIMBS)
    aa = squared(lanes, plus(lanes, numerator, denominator))
    bb = squared(lanes, minus(lanes, numerator, denominator))
    e = minus(lanes, aa, bb)
    aa, bb = carry(lanes, aa), carry(lanes, bb)
    lanes.store(base, x, carry(lanes, product(lanes, aa, bb)))
    z_factor = plus_multiple(lanes, bb, QUARTER, e)
    lanes.store(base, z, carry(lanes, product(lanes, e, z_factor)))


@operation
def _scale_by_j(lanes: Lanes, base: Value, out: Value, x: Value) -> None:
    lanes.store(base, out, plus_multiple(lanes, [ZERO] * LIMBS, J, lanes.load(base, x, LIMBS)))


@kernel
def _climb(base: int, swaps: Words) -> None:
    """Take the ladder's 255 steps; a function of its own, so that few registers are spilled."""
    for t in range(SCALAR_BITS):
        _step(base, swaps[t])


@kernel
def _divide(base: int, x: Slot, count: int) -> None:
    """Store x_i / z_i in x_i, for ``count`` vectors, by one inversion.

    The z_i start at slot ``x + BLOCK`` and are overwritten, as are the slots of a division from
    ``x + 2 * BLOCK`` on. Lane by lane: where some z_i is 0, all quotients of the lane become 0.
    """
    z, running, inverse = x + BLOCK, x + 2 * BLOCK, x + 3 * BLOCK
    term = inverse + 1
    copy(base, running, z)
    for i in range(1, count):
        multiply_elements(base, running + i, running + i - 1, z + i)
    power(base, INVERSE, running + count - 1, 1, inverse)
    for i in range(count - 1, 0, -1):
        multiply_elements(base, term, inverse, running + i - 1)
        multiply_elements(base, inverse, inverse, z + i)
        multiply_elements(base, x + i, x + i, term)
    multiply_elements(base, x, x, inverse)


@kernel
def _multiply(rows: Words, swaps: Words, products: Words, work: Words) -> int:
    """Fill ``products``; returns how many of them are 0."""
    base = work.ctypes.data
    zeros = 0
    for block in range(0, rows.shape[0], BLOCK * LANES):
        vectors = min(BLOCK, (rows.shape[0] - block + LANES - 1) // LANES)
        for i in range(vectors):
            load(work, _BASE_X, rows, block + i * LANES)
            load(work, _X3, rows, block + i * LANES)
            fill(base, _Z3, 1)
            fill(base, _X2, 1)
            fill(base, _Z2, 0)
            _climb(base, swaps)
            _take_result(base, _QUOTIENT_X + i, _QUOTIENT_X + BLOCK + i, swaps[SCALAR_BITS])
        _divide(base, _QUOTIENT_X, vectors)
        for i in range(vectors):
            zeros += store(work, _QUOTIENT_X + i, products, block + i * LANES, _LADDER_SCRATCH)
    return zeros


@kernel
def _is_canonical(rows: Words, row: int) -> bool:
    """Return whether a number of four words is below p."""
    for k in range(NUMBER_WORDS - 1, -1, -1):
        if rows[row, k] != _P_WORDS[k]:
            return bool(rows[row, k] < _P_WORDS[k])
    return False


@kernel
def _has_low_order(rows: Words, row: int) -> bool:
    for refused in _LOW_ORDER_WORDS:
        same = True
        for k in range(NUMBER_WORDS):
            same &= rows[row, k] == refused[k]
        if same:
            return True
    return False


@kernel
def _is_one(work: Words, slot: Slot, lane: int) -> bool:
    """Return whether the lane's words, as :func:`canonical_words` left them, are the number 1."""
    word = ELEMENT_WORDS * slot + lane
    rest = work[word + LANES] | work[word + 2 * LANES] | work[word + 3 * LANES]
    return bool(work[word] == 1 and rest == 0)


_CHECK_X, _CHECK_CURVE, _CHECK_CHARACTER = GROUP * np.arange(3)
_CHECK_ONE, _CHECK_J, _CHECK_FREE = GROUP * (2 + POWER_REGISTERS) + np.arange(3)
_CHECK_SLOTS = int(_CHECK_FREE) + 1


@kernel
def _check(rows: Words, work: Words) -> int:
    base = work.ctypes.data
    fill(base, _CHECK_ONE, 1)
    fill(base, _CHECK_J, J)
    for group in range(0, rows.shape[0], GROUP * LANES):
        vectors = min(GROUP, (rows.shape[0] - group + LANES - 1) // LANES)
        for i in range(vectors):
            x, curve = _CHECK_X + i, _CHECK_CURVE + i
            load(work, x, rows, group + i * LANES)
            add(base, curve, x, _CHECK_J)  # ((x + J) x + 1) x
            multiply_elements(base, curve, curve, x)
            add(base, curve, curve, _CHECK_ONE)
            multiply_elements(base, curve, curve, x)
        power(base, CHARACTER, _CHECK_CURVE, vectors, _CHECK_CHARACTER)
        for i in range(vectors):
            canonical_words(work, _CHECK_FREE, _CHECK_CHARACTER + i)
            start = group + i * LANES
            for lane in range(min(LANES, rows.shape[0] - start)):
                row = start + lane
                if (
                    not _is_one(work, _CHECK_FREE, lane)
                    or not _is_canonical(rows, row)
                    or _has_low_order(rows, row)
                ):
                    return row
    return -1


_MAP_Z_U2, _MAP_DENOMINATOR, _MAP_CURVE, _MAP_CHARACTER = GROUP * np.arange(4)
_MAP_ZERO, _MAP_ONE, _MAP_J2, _MAP_X = GROUP * (3 + POWER_REGISTERS) + np.arange(4)
_MAP_SCRATCH = _MAP_CHARACTER
_MAP_SLOTS = int(_MAP_X) + _DIVISION_SLOTS


@kernel
def _candidate(work: Words, rows: Words, first: int, i: int) -> None:
    """Load u; store 2 u^2, d = 1 + 2 u^2, and what has the quadratic character of g(-J / d).

    g(x) = x^3 + J x^2 + x at x = -J / d, times d^4, is -J d (J^2 + d (d - J^2)); -1 is a square.
    """
    base = work.ctypes.data
    z_u2, denominator, curve = _MAP_Z_U2 + i, _MAP_DENOMINATOR + i, _MAP_CURVE + i
    load_uniform(work, _MAP_SCRATCH, rows, first)
    square(base, z_u2, _MAP_SCRATCH)
    add(base, z_u2, z_u2, z_u2)
    add(base, denominator, z_u2, _MAP_ONE)
    subtract(base, curve, denominator, _MAP_J2)
    multiply_elements(base, curve, curve, denominator)
    add(base, curve, curve, _MAP_J2)
    multiply_elements(base, curve, curve, denominator)
    _scale_by_j(base, curve, curve)


@kernel
def _finish_candidate(base: int, i: int, x: Slot, z: Slot) -> None:
    """Store x and z of eight times the point of the curve, of x_1 = -J / d and x_2 = 2 u^2 x_1.

    The character c of g(x_1) is 1 or -1: g has the one root 0, as J^2 - 4 is no square, and x_1 is
    not 0. So (c + 1) + (1 - c) 2 u^2 is twice 1 or twice 2 u^2, without a choice, and the point's
    x is -J times it over 2 d.
    """
    z_u2, denominator, character = _MAP_Z_U2 + i, _MAP_DENOMINATOR + i, _MAP_CHARACTER + i
    subtract(base, x, _MAP_ONE, character)
    multiply_elements(base, x, x, z_u2)
    add(base, x, x, character)
    add(base, x, x, _MAP_ONE)
    _scale_by_j(base, x, x)
    add(base, z, denominator, denominator)
    subtract(base, z, _MAP_ZERO, z)
    for _ in range(COFACTOR_DOUBLINGS):
        _double(base, x, z)


@kernel
def _map_elligator2(rows: Words, xs: Words, work: Words) -> int:
    """Fill ``xs``; returns how many of them are 0, which only the identity becomes."""
    base = work.ctypes.data
    fill(base, _MAP_ZERO, 0)
    fill(base, _MAP_ONE, 1)
    fill(base, _MAP_J2, J * J)
    zeros = 0
    for block in range(0, rows.shape[0], BLOCK * LANES):
        vectors = min(BLOCK, (rows.shape[0] - block + LANES - 1) // LANES)
        for group in range(0, vectors, GROUP):
            count = min(GROUP, vectors - group)
            for i in range(count):
                _candidate(work, rows, block + (group + i) * LANES, i)
            power(base, CHARACTER, _MAP_CURVE, count, _MAP_CHARACTER)
            for i in range(count):
                _finish_candidate(base, i, _MAP_X + group + i, _MAP_X + BLOCK + group + i)
        _divide(base, _MAP_X, vectors)
        for i in range(vectors):
            zeros += store(work, _MAP_X + i, xs, block + i * LANES, _MAP_SCRATCH)
    return zeros
