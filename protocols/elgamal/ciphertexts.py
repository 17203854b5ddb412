"""Ciphertexts as rows of bytes, and what anyone can do with them.

A ciphertext of v is the points (r G, r Q + v G) for a secret uniform r, G being the generator and
Q = s G the public key: two compressed points, one after the other, a row of ``2 * point_bytes``.
A row's points are never infinity; that a sum's are not is up to r, which is uniform.
"""

from __future__ import annotations

import numpy as np

from protocols.elgamal.logarithm import small_logarithm
from protocols.suite import InvalidElement, Octets, PointGroup, RandomStream


def ciphertext_bytes(group: PointGroup) -> int:
    """Return the length of one ciphertext."""
    return 2 * group.point_bytes


def check_ciphertexts(group: PointGroup, ciphertexts: Octets) -> None:
    """Return if every row of ``ciphertexts`` holds two points of the group.

    Raises :class:`InvalidElement` with the index of the first row that does not.
    """
    try:
        group.check(ciphertexts.tobytes())
    except InvalidElement as error:
        raise InvalidElement(error.index // 2) from None


def add_all(group: PointGroup, ciphertexts: Octets) -> bytes:
    """Return a ciphertext of the sum of what the rows hold, at least one.

    Whoever made all the rows could tell which they are: one of them should be
    :func:`encrypt_zero`'s. Raises :class:`InvalidElement` for what is no point, ``ValueError`` for
    no row or an infinite sum, which that row makes as unlikely as guessing a key.
    """
    halves = np.split(ciphertexts, 2, axis=1)
    return b"".join(group.sum(half.tobytes()) for half in halves)


def encrypt_zero(group: PointGroup, public_key: bytes, stream: RandomStream) -> Octets:
    """Return a ciphertext of 0, shape (1, 2 * point_bytes): added, it re-randomises a sum.

    t G and t Q for a secret t. Raises :class:`InvalidElement` if the key is no point.
    """
    (t,) = group.random_scalars(stream, 1)
    zero = group.multiply_base([t]) + group.multiply(t, public_key)
    return np.frombuffer(zero, np.uint8).reshape(1, -1)


def first_point(group: PointGroup, ciphertext: bytes) -> bytes:
    """Return r G: all of a ciphertext that its owner needs for a decryption share."""
    return ciphertext[: group.point_bytes]


def open_with_share(group: PointGroup, ciphertext: bytes, share: bytes, bound: int) -> int | None:
    """Return the value in [0, bound) of a ciphertext, or None if it holds no such value.

    ``share`` is s r G, from the key's owner; ``bound`` at most 2^48. Raises
    :class:`InvalidElement` if the ciphertext or the share is no point.
    """
    group.check(ciphertext)
    second = ciphertext[group.point_bytes :]
    opposite = group.negate(share)
    if second == share:
        return 0 if bound > 0 else None
    return small_logarithm(group, group.add(second, opposite), bound)
