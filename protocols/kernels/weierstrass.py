"""Batches of points on SM2 and P-256, eight at a time: the twin of ``short_weierstrass``.

Affine points of y^2 = x^3 - 3x + b over a 256-bit prime p, prime order n, as arrays of shape
(points, 32) for x and for y, big endian and below p. Callers have checked that points are on the
curve (:func:`lift` does): an invalid one would spoil its block's shared inversions.

A scalar is recoded to 52 odd signed digits of 5 bits (Joye and Tunstall, "Exponent Recoding and
Regular Exponentiation Algorithms", AFRICACRYPT 2009, §3.2). Every scalar, shared or not, takes the
same sequence of 255 doublings and 51 additions, and what a digit stands for is taken from the
table by reading all of it under masks: no branch and no address depends on a scalar.

**Equal and opposite points.** Let k, odd and in [1, n - 1], be the sum of d_i 32^i, and k_j what is
left of it from window j up, odd and positive. Window j's addition makes k_j Q of (k_j - d_j) Q and
d_j Q, for Q = P, or Q = 32^j G where the generator's tables are used; their sum would be infinity
if n divided k_j, and they would be equal if it divided k_j - 2 d_j. Neither number is 0, both being
odd. For j > 0, n divides them only if it divides their products with 32^j, which are below 2^257
and multiples of 32, as no multiple of the odd n below 32 n > 2^257 is. For j = 0, k_0 = k is below
n, and k = n + 2 d_0 is possible: k = n - 2, n - 6, ... n - 62. So after the last addition the
double stands in wherever the sum's Z is 0. A table is built by adding 2, 4, 8 and 16 times P to
smaller odd multiples: all different and none opposite, n being large.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from protocols.kernels import weierstrass_batch as batch
from protocols.kernels.limbs import LIMBS
from protocols.kernels.montgomery52 import (
    PRIMES,
    P256Work,
    Sm2Work,
    Words,
    limbs_of,
    workspace,
)
from protocols.kernels.montgomery52_batch import CHAINS, Chain
from protocols.kernels.weierstrass_batch import WINDOWS, Digits, Flags, Octets
from protocols.kernels.weierstrass_points import ODD_MULTIPLES


@dataclass(frozen=True, slots=True)
class Curve:
    """One of the two curves: the type of its workspaces, its order and its generator."""

    work: type[Sm2Work] | type[P256Work]
    order: int
    x: int
    y: int

    @property
    def prime(self) -> int:
        """The field's prime."""
        return PRIMES[self.work].p

    @property
    def chain(self) -> Chain:
        """The addition chain of the field's powers."""
        return CHAINS[PRIMES[self.work]]


SM2 = Curve(
    Sm2Work,
    order=0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
    x=0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    y=0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
P256 = Curve(
    P256Work,
    order=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    x=0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    y=0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def lift(curve: Curve, x: Octets, odd: Flags) -> tuple[Octets, int]:
    """Return a y for each x, odd where ``odd`` says so, and the first row that has none, or -1.

    A row has none if x is not below p or belongs to no point. One flag may stand for all.
    """
    words = _words(x)
    if len(odd) not in (1, len(x)):
        raise ValueError("there must be one flag, or one for each x")
    y = np.empty_like(words)
    if not len(words):
        return x.copy(), -1
    work = workspace(batch.LIFT_SLOTS)
    invalid = int(batch.lift_points(curve.work(work.ctypes.data), curve.chain, words, odd, y))
    beyond = np.flatnonzero(~_below(words, curve.prime))
    if len(beyond) and (invalid < 0 or beyond[0] < invalid):
        invalid = int(beyond[0])
    return _octets(y), invalid


def multiply(curve: Curve, scalars: Octets, x: Octets, y: Octets) -> tuple[Octets, Octets]:
    """Return scalar times each point; ``scalars`` are one or as many as the points.

    Shape (1, 32) or (points, 32), big endian; raises ``ValueError`` unless in [1, n - 1].
    """
    if len(scalars) not in (1, len(x)):
        raise ValueError("there must be one scalar, or one for each point")
    if len(x) != len(y):
        raise ValueError("there must be one y for each x")
    digits, negative = _digits(curve, scalars)
    new_x, new_y = np.empty((len(x), 4), np.uint64), np.empty((len(x), 4), np.uint64)
    if len(x):
        work = workspace(batch.MULTIPLY_SLOTS)
        handle = curve.work(work.ctypes.data)
        batch.multiply_points(
            handle, curve.chain, digits, negative, _words(x), _words(y), new_x, new_y
        )
    return _octets(new_x), _octets(new_y)


def multiply_base(curve: Curve, scalars: Octets) -> tuple[Octets, Octets]:
    """Return each scalar, shape (n, 32), big endian, in [1, n - 1], times the generator."""
    new_x, new_y = np.empty((len(scalars), 4), np.uint64), np.empty((len(scalars), 4), np.uint64)
    if len(scalars):
        digits, negative = _digits(curve, scalars)
        tables = base_tables(curve)
        work = workspace(batch.GENERATOR_SLOTS)
        handle, address = curve.work(work.ctypes.data), tables.ctypes.data
        batch.multiply_generator(handle, curve.chain, address, digits, negative, new_x, new_y)
    return _octets(new_x), _octets(new_y)


def add(
    curve: Curve, x1: Octets, y1: Octets, x2: Octets, y2: Octets
) -> tuple[Octets, Octets, Flags]:
    """Return P + Q for each pair, and where it is infinity; there x and y mean nothing."""
    if not len(x1) == len(y1) == len(x2) == len(y2):
        raise ValueError("there must be one of each coordinate for each pair")
    new_x, new_y = np.empty((len(x1), 4), np.uint64), np.empty((len(x1), 4), np.uint64)
    infinite = np.zeros(len(x1), np.bool_)
    if len(x1):
        work = workspace(batch.ADD_SLOTS)
        handle = curve.work(work.ctypes.data)
        a, b, c, d = _words(x1), _words(y1), _words(x2), _words(y2)
        batch.add_points(handle, curve.chain, a, b, c, d, new_x, new_y, infinite)
    return _octets(new_x), _octets(new_y), infinite


def map_sswu(curve: Curve, uniform: Octets) -> tuple[Octets, Octets]:
    """Return the simplified SWU map's points for 48-byte strings, shape (n, 48) (RFC 9380 §6.6.2).

    A string stands for the field element it is modulo p, big endian (§5.2).
    """
    words = _words(uniform, 48)
    high, low = np.zeros((len(words), 4), np.uint64), np.ascontiguousarray(words[:, 2:])
    high[:, 2:] = words[:, :2]
    new_x, new_y = np.empty_like(low), np.empty_like(low)
    if len(words):
        work = workspace(batch.MAP_SLOTS)
        batch.map_points(curve.work(work.ctypes.data), curve.chain, high, low, new_x, new_y)
    return _octets(new_x), _octets(new_y)


@cache
def base_tables(curve: Curve) -> Words:
    """Return the odd multiples of 32^i G for every window i, as workspaces hold coordinates.

    Shape (52, 16, 2, 5): window, odd multiple, x or y, limb. One at a time for all lanes.
    """
    scalars = [
        (2 * k + 1) * 32**window % curve.order
        for window in range(WINDOWS)
        for k in range(ODD_MULTIPLES)
    ]
    octets = np.frombuffer(b"".join(k.to_bytes(32, "big") for k in scalars), np.uint8)
    generator = np.frombuffer(curve.x.to_bytes(32, "big") + curve.y.to_bytes(32, "big"), np.uint8)
    x, y = (np.tile(coordinate, (len(scalars), 1)) for coordinate in generator.reshape(2, 32))
    prime = PRIMES[curve.work]
    tables = [
        limbs_of(prime.montgomery(int.from_bytes(coordinate.tobytes(), "big")))
        for point in zip(*multiply(curve, octets.reshape(-1, 32), x, y), strict=True)
        for coordinate in point
    ]
    return np.array(tables, dtype=np.uint64).reshape(WINDOWS, ODD_MULTIPLES, 2, LIMBS)


def _digits(curve: Curve, scalars: Octets) -> tuple[Digits, Octets]:
    words = _words(scalars)
    if not _below(words, curve.order).all() or not words.any(axis=1).all():
        raise ValueError("a scalar must be in [1, n - 1]")
    digits = np.empty((len(words), WINDOWS), np.int8)
    negative = np.empty(len(words), np.uint8)
    batch.recode(words, _number(curve.order), digits, negative)
    return digits, negative


def _number(value: int) -> Words:
    return np.frombuffer(value.to_bytes(32, "big"), ">u8").astype(np.uint64)


def _below(words: Words, bound: int) -> Flags:
    """Return which rows are below ``bound``, most significant word first."""
    below, equal = np.zeros(len(words), np.bool_), np.ones(len(words), np.bool_)
    for column, limit in zip(words.T, _number(bound), strict=True):
        below |= equal & (column < limit)
        equal &= column == limit
    return below


def _words(octets: Octets, width: int = 32) -> Words:
    """Return rows of ``width`` bytes as 64-bit words, the most significant first."""
    if octets.dtype != np.uint8 or octets.ndim != 2 or octets.shape[1] != width:
        raise ValueError(f"numbers must be rows of {width} bytes")
    return np.ascontiguousarray(octets).view(">u8").astype(np.uint64)


def _octets(words: Words) -> Octets:
    return words.astype(">u8").view(np.uint8)
