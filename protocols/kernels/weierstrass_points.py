"""Point operations on y^2 = x^3 - 3x + b, eight points at a time, in workspace slots.

A point in Jacobian coordinates is three slots, (x, y) = (X / Z^2, Y / Z^3); an affine point is two
slots, x and y. Every point has the curve's order n, an odd prime: none has y = 0.
"""

from __future__ import annotations

from llvmlite import ir

from protocols.kernels.lanes import I64, Value, constant
from protocols.kernels.limbs import LIMBS
from protocols.kernels.montgomery52 import (
    LIMB_BITS,
    P256,
    SM2,
    Element,
    Field,
    Prime,
    operation,
)

ODD_MULTIPLES = 16
"""What a table holds of a point: P, 3P, ... 31P."""

B: dict[Prime, int] = {
    SM2: 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
    P256: 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
}
Z: dict[Prime, int] = {SM2: -9, P256: -10}
"""Z of the simplified SWU map: RFC 9380 §8.2, and for SM2 what the search of its §H.2 finds."""


def _slot(field: Field, first: Value, offset: int) -> Value:
    return field.builder.add(first, ir.Constant(I64, offset))


def _load(field: Field, first: Value, count: int) -> list[Element]:
    return [field.load(_slot(field, first, k)) for k in range(count)]


def _store(field: Field, first: Value, *elements: Element) -> None:
    for k, element in enumerate(elements):
        field.store(_slot(field, first, k), element)


@operation
def start(field: Field, total: Value, entry: Value, signs: Value) -> None:
    """Jacobian total = + or - affine entry; ``signs`` holds all ones for minus."""
    x, y = _load(field, entry, 2)
    y = field.negate_where(field.load_vectors(signs, 1)[0], y)
    _store(field, total, x, y, field.constant(1))


@operation
def double(field: Field, total: Value) -> None:
    """total = 2 total, a = -3: "dbl-2001-b" (Bernstein) of the Explicit-Formulas Database.

    Y is one reduction of a difference of two products. The order of the instructions keeps
    independent products next to each other, which the processor then overlaps.
    """
    x, y, z = _load(field, total, 3)
    delta = field.square(z)
    gamma = field.square(y)
    third = field.multiply(field.subtract(x, delta), field.add(x, delta))
    beta = field.multiply(x, gamma)
    new_z = field.scale(field.multiply(y, z), 2)
    alpha = field.scale(third, 3)
    new_x = field.fold(field.subtract(field.square(alpha), field.scale(beta, 8)))
    eight = field.square_columns(gamma)
    product = field.columns(alpha, field.subtract(field.scale(beta, 4), new_x))
    new_y = field.reduce(field.subtract_columns(product, eight, 8))
    _store(field, total, new_x, new_y, new_z)


@operation
def add(field: Field, total: Value, entry: Value, signs: Value) -> None:
    """total = total + or - affine entry, which is neither it nor its opposite.

    8M + 3S, of which two products share a reduction; ``signs`` holds all ones to subtract.
    """
    x1, y1, z1 = _load(field, total, 3)
    x2, y2 = _load(field, entry, 2)
    zz = field.square(z1)
    u2 = field.multiply(x2, zz)
    zzz = field.multiply(z1, zz)
    h = field.subtract(u2, x1)
    s2 = field.multiply(y2, zzz)
    hh = field.square(h)
    r = field.subtract(field.negate_where(field.load_vectors(signs, 1)[0], s2), y1)
    v = field.multiply(x1, hh)
    hhh = field.multiply(h, hh)
    new_z = field.multiply(z1, h)
    new_x = field.fold(field.subtract(field.subtract(field.square(r), hhh), field.scale(v, 2)))
    opposite = field.columns(y1, hhh)
    product = field.columns(r, field.subtract(v, new_x))
    new_y = field.reduce(field.subtract_columns(product, opposite, 1))
    _store(field, total, new_x, new_y, new_z)


@operation
def replace_infinity(field: Field, total: Value, doubled: Value) -> None:
    """Where an addition met two equal points, and its Z is 0 therefore, take the double."""
    sums, doubles = _load(field, total, 3), _load(field, doubled, 3)
    equal = field.zero_mask(sums[2])
    _store(
        field,
        total,
        *(field.select(equal, b, a) for a, b in zip(sums, doubles, strict=True)),
    )


@operation
def to_affine(field: Field, point: Value, signs: Value) -> None:
    """(X, Y, 1 / Z) to + or - (x, y) in the first two slots."""
    x, y, inverse = _load(field, point, 3)
    square = field.square(inverse)
    cube = field.multiply(square, inverse)
    y = field.negate_where(field.load_vectors(signs, 1)[0], field.multiply(y, cube))
    _store(field, point, field.multiply(x, square), y)


@operation
def chord_denominator(field: Field, out: Value, p: Value, q: Value) -> None:
    """out = x_q - x_p."""
    field.store(out, field.subtract(field.load(q), field.load(p)))


@operation
def tangent_denominator(field: Field, out: Value, p: Value) -> None:
    """out = 2 y_p."""
    field.store(out, field.scale(field.load(_slot(field, p, 1)), 2))


@operation
def chord(field: Field, out: Value, p: Value, q: Value, inverse: Value) -> None:
    """Affine out = p + q, the inverse of x_q - x_p given."""
    (x1, y1), (x2, y2) = _load(field, p, 2), _load(field, q, 2)
    slope = field.multiply(field.subtract(y2, y1), field.load(inverse))
    _along(field, out, slope, (x1, y1), x2)


@operation
def tangent(field: Field, out: Value, p: Value, inverse: Value) -> None:
    """Affine out = 2 p, the inverse of 2 y_p given."""
    x, y = _load(field, p, 2)
    slope = field.multiply(_tangent_numerator(field, x), field.load(inverse))
    _along(field, out, slope, (x, y), x)


@operation
def any_denominator(field: Field, out: Value, infinite: Value, p: Value, q: Value) -> None:
    """The denominator of the slope of p + q: a chord's, or a tangent's if p = q.

    1 where p = -q, and then all ones in ``infinite``, which is 0 elsewhere.
    """
    (x1, y1), (x2, y2) = _load(field, p, 2), _load(field, q, 2)
    run = field.subtract(x2, x1)
    same_x = field.zero_mask(run)
    same_y = field.zero_mask(field.subtract(y2, y1))
    tangent = field.select(same_y, field.scale(y1, 2), field.constant(1))
    field.store(out, field.select(same_x, tangent, run))
    opposite = field.builder.and_(same_x, field.builder.not_(same_y))
    field.store_vectors(infinite, [opposite])


@operation
def any_sum(field: Field, out: Value, p: Value, q: Value, inverse: Value) -> None:
    """Affine out = p + q for any p and q but opposites, the inverse as :func:`any_denominator`."""
    (x1, y1), (x2, y2) = _load(field, p, 2), _load(field, q, 2)
    same_x = field.zero_mask(field.subtract(x2, x1))
    numerator = field.select(same_x, _tangent_numerator(field, x1), field.subtract(y2, y1))
    slope = field.multiply(numerator, field.load(inverse))
    _along(field, out, slope, (x1, y1), x2)


def _tangent_numerator(field: Field, x: Element) -> Element:
    return field.subtract(field.scale(field.square(x), 3), field.constant(3))


def _along(
    field: Field, out: Value, slope: Element, p: tuple[Element, Element], x2: Element
) -> None:
    """Store the third point of the line through p with this slope, mirrored."""
    x1, y1 = p
    new_x = field.fold(field.subtract(field.subtract(field.square(slope), x1), x2))
    new_y = field.subtract(field.multiply(slope, field.subtract(x1, new_x)), y1)
    _store(field, out, new_x, new_y)


@operation
def choose(field: Field, out: Value, signs: Value, table: Value, digits: Value) -> None:
    """Write each lane's odd multiple |d| P to ``out`` and d's sign to ``signs``.

    Reads the whole table whatever the digits are.
    """
    entries = [
        field.load_vectors(_slot(field, table, 2 * k), 2 * LIMBS) for k in range(ODD_MULTIPLES)
    ]
    _store_chosen(field, out, signs, entries, digits)


@operation
def choose_base(field: Field, out: Value, signs: Value, address: Value, digits: Value) -> None:
    """As :func:`choose`, from a table that all lanes share: the limbs are words at ``address``."""
    entries = [
        field.spread_words(_slot(field, address, 8 * 2 * LIMBS * k), 2 * LIMBS)
        for k in range(ODD_MULTIPLES)
    ]
    _store_chosen(field, out, signs, entries, digits)


def _store_chosen(
    field: Field, out: Value, signs: Value, entries: list[list[Value]], digits: Value
) -> None:
    digit = field.load_vectors(digits, 1)[0]
    sign = field.lanes.shift_right_signed(digit, 63)
    magnitude = field.lanes.subtract(field.builder.xor(digit, sign), sign)
    index = field.lanes.shift_right(magnitude, 1)
    chosen = entries[0]
    for k in range(1, ODD_MULTIPLES):
        here = field.builder.icmp_unsigned("==", index, constant(k))
        chosen = [
            field.builder.select(here, new, old)
            for new, old in zip(entries[k], chosen, strict=True)
        ]
    field.store_vectors(out, chosen)
    field.store_vectors(signs, [sign])


@operation
def curve_equation(field: Field, out: Value, x: Value) -> None:
    """out = x^3 - 3x + b."""
    value = field.load(x)
    slope = field.subtract(field.square(value), field.constant(3))
    field.store(out, field.add(field.multiply(slope, value), field.constant(B[field.prime])))


@operation
def root(field: Field, out: Value, valid: Value, power: Value, square: Value, odd: Value) -> None:
    """out = a root of ``square``, whose power (p - 3) / 4 is given; all ones in ``valid`` if it is.

    The root is odd where ``odd`` is all ones, even where it is 0.
    """
    value = field.load(square)
    root = field.multiply(field.load(power), value)
    field.store_vectors(valid, [field.zero_mask(field.subtract(field.square(root), value))])
    other = field.builder.xor(_odd(field, root), field.load_vectors(odd, 1)[0])
    field.store(out, field.negate_where(other, root))


def _odd(field: Field, x: Element) -> Value:
    """Return all ones where the number x stands for is odd."""
    lowest = field.lanes.mask(field.canonical(x)[0], 1)
    return field.lanes.subtract(constant(0), lowest)


@operation
def field_element(field: Field, out: Value, high: Value, low: Value) -> None:
    """out = high 2^256 + low, of numbers below 2^128 and 2^256."""
    high_part = field.multiply(field.load(high), field.constant(1 << 256 + LIMBS * LIMB_BITS))
    low_part = field.multiply(field.load(low), field.constant(1 << LIMBS * LIMB_BITS))
    field.store(out, field.add(high_part, low_part))


@operation
def sswu_fraction(field: Field, state: Value, radicand: Value, u: Value) -> None:
    """Steps 1 to 16 of RFC 9380 §F.2, and what its sqrt_ratio (§F.2.1.2) takes to a power.

    ``state`` is five slots: tv1 = Z u^2; tv3 and tv4, numerator and denominator of the first x;
    tv2 and tv6, those of g(x). ``radicand`` is tv6^2 (tv2 tv6), whose power (p - 3) / 4 is wanted.
    """
    a, b, z = field.constant(-3), field.constant(B[field.prime]), field.constant(Z[field.prime])
    tv1 = field.multiply(z, field.square(field.load(u)))
    tv2 = field.add(field.square(tv1), tv1)
    tv3 = field.multiply(b, field.add(tv2, field.constant(1)))
    opposite = field.negate_where(constant(-1), tv2)
    tv4 = field.multiply(a, field.select(field.zero_mask(tv2), z, opposite))
    tv6 = field.square(tv4)
    tv2 = field.multiply(field.add(field.square(tv3), field.multiply(a, tv6)), tv3)
    tv6 = field.multiply(tv6, tv4)
    tv2 = field.add(tv2, field.multiply(b, tv6))
    _store(field, state, tv1, tv3, tv4, tv2, tv6)
    field.store(radicand, field.multiply(field.square(tv6), field.multiply(tv2, tv6)))


@operation
def sswu_point(
    field: Field, point: Value, denominator: Value, state: Value, power: Value, u: Value
) -> None:
    """Steps 17 to 24 of RFC 9380 §F.2: point = (numerator of x, y), and x's denominator."""
    prime = field.prime
    tv1, tv3, tv4, tv2, tv6 = _load(field, state, 5)
    y1 = field.multiply(field.load(power), field.multiply(tv2, tv6))
    is_square = field.zero_mask(field.subtract(field.multiply(field.square(y1), tv6), tv2))
    y2 = field.multiply(y1, field.constant(pow(-Z[prime], (prime.p + 1) // 4, prime.p)))
    argument = field.load(u)
    y2 = field.multiply(field.multiply(tv1, argument), y2)
    x = field.select(is_square, tv3, field.multiply(tv1, tv3))
    y = field.select(is_square, y1, y2)
    other = field.builder.xor(_odd(field, argument), _odd(field, y))
    _store(field, point, x, field.negate_where(other, y))
    field.store(denominator, tv4)
