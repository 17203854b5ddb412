"""Curve25519 by x-coordinates: the group of ECDH-PSI, and X25519.

RFC 7748 (January 2016) §4.1 and §5: t^2 = s^3 + 486662 s^2 + s over 2^255 - 19; the points form a
group of order 8 l, l a prime above 2^252, and an element travels as its x-coordinate (RFC 7748
calls it u), 32 bytes, little endian. Scalar multiplication is a Montgomery ladder of the same
steps for every scalar: OpenSSL's X25519 (:mod:`protocols.suite.curve25519_portable`) or eight
lanes of it (:mod:`protocols.kernels.curve25519`). Hashing items to the curve and checking elements
is not constant time.

**Scalars** are those X25519 takes: k = 8 m with 2^251 <= m < 2^252.

- *Commutativity.* x(kP) depends on x(P) alone, so applying k and then k' gives x(k'kP), either way
  round; OpenSSL's clamping of such a k changes nothing.
- *Cofactor.* k is a multiple of 8: whatever an element's component of order 2, 4 or 8 is, the
  product lies in the subgroup of order l, and tells nothing of k through small orders.
- *Never infinity.* 0 < m < l, so k P is not the identity unless P has order 1, 2, 4 or 8, and
  those are refused.
- *Nothing lost against uniform scalars.* kP and -kP share their x, so a scalar counts up to its
  sign modulo l. With d = l - 2^252 < 2^125, all but d + 1 of the 2^251 values of m are each the
  only one of its pair {m, l - m}, and d pairs of the (l - 1) / 2 are never met: a statistical
  distance from uniform below 2^-126. So DDH may be assumed for uniform scalars, as usual.
- *Inverses.* For the same reason the inverse of k modulo l, up to its sign, is of this form too
  unless it falls into one of those d pairs: :func:`inverse`. Division is multiplication by it.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from gmpy2 import mpz, powmod_sec

from protocols.suite import curve25519_portable, hash_to_curve
from protocols.suite.curve25519_portable import ENCODING, P
from protocols.suite.interface import InvalidElement, Items, Octets, RandomStream

X_BYTES = curve25519_portable.X_BYTES
L = mpz(2**252 + 27742317777372353535851937790883648493)
"""The order of the prime-order subgroup (RFC 7748 §4.1)."""

SUITE_ID = b"curve25519_XMD:SHA-512_ELL2_NU_"
"""RFC 9380 (August 2023) §8.5."""

KERNELS = ("avx512", "portable")
BULK = 64  # so many elements are worth loading a kernel for: OpenSSL multiplies them in 2 ms
CHUNK = 1 << 14  # bounds what hashing to the curve keeps in memory, to 2 MiB


class Curve25519Group:
    """Curve25519 as the group of ECDH-PSI (see the module's text).

    An element is the canonical x-coordinate of a point of the curve that is not of low order. The
    twist is refused too, though X25519 would be safe on it: an honest peer's elements are never
    there, but half of those of a peer that hashes items to x-coordinates directly would be, and
    each would tell one bit of its item. A component of order 2, 4 or 8 is not looked for: every
    product clears it, so that elements that differ by it only are one.

    ``kernels`` is ``avx512``, on a processor with AVX-512 IFMA, or ``portable``; the results are
    the same, byte for byte.
    """

    element_bytes = X_BYTES

    def __init__(self, kernels: str = "portable") -> None:
        if kernels not in KERNELS:
            raise ValueError(f"unknown kernels {kernels!r}; there are: {', '.join(KERNELS)}")
        self._kernels = kernels

    def random_scalar(self, stream: RandomStream) -> int:
        """Return 8 m, m uniform in [2^251, 2^252)."""
        return (1 << 254) + 8 * stream.below(1 << 251)

    def check(self, elements: bytes) -> None:
        """Return if each element is a canonical x of the curve, not of low order.

        Raises :class:`InvalidElement` for the first that is not, ``ValueError`` for a cut-off one.
        """
        self._check(_rows(elements))

    def hash_and_multiply(self, scalar: int, items: Items, dst: bytes) -> bytes:
        """Return ``scalar * encode_to_curve(item)`` for each item, a row of ``items``.

        The cofactor is cleared before, as RFC 9380 has it; the domain separation tag is ``dst``,
        ``-with-`` and the encoding's suite id (§3.1). Raises ``ValueError`` for a scalar of
        another form, and if an item encodes to the identity, which nobody can find.
        """
        _require_scalar(scalar)
        twin = self._twin(len(items))
        tag = dst + b"-with-" + SUITE_ID
        products = bytearray()
        for start in range(0, len(items), CHUNK):
            xs = twin.map_elligator2(self._expand(items[start : start + CHUNK], tag))
            products += twin.multiply(scalar, xs).tobytes()
        return bytes(products)

    def multiply(self, scalar: int, elements: bytes) -> bytes:
        """Return ``scalar * element`` for each of the concatenated elements; raises as check.

        Raises ``ValueError`` for a scalar of another form.
        """
        _require_scalar(scalar)
        rows = _rows(elements)
        self._check(rows)
        return bytes(self._twin(len(rows)).multiply(scalar, rows).tobytes())

    def divide(self, scalar: int, elements: bytes) -> bytes:
        """Return the elements that :meth:`multiply` made these of, for elements it returned.

        What was multiplied had no component of order 2, 4 or 8, as elements hashed or multiplied
        by this group have none; another's is lost. Raises as :meth:`multiply` and :func:`inverse`.
        """
        _require_scalar(scalar)
        return self.multiply(inverse(scalar), elements)

    def _check(self, rows: Octets) -> None:
        index = self._twin(len(rows)).check(rows)
        if index >= 0:
            raise InvalidElement(index)

    def _expand(self, items: Items, tag: bytes) -> Octets:
        """Return the 48 uniform bytes of each item (RFC 9380 §5.3.1)."""
        if self._kernels == "portable" or len(items) < BULK:
            rows = [
                hash_to_curve.expand_message_xmd(
                    item.tobytes(), tag, ENCODING.field_bytes, ENCODING.expander
                )
                for item in items
            ]
            return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, ENCODING.field_bytes)
        from protocols.kernels import xmd  # noqa: PLC0415 - loads numba

        return xmd.expand(items, tag, ENCODING.field_bytes, "sha512")

    def _twin(self, count: int) -> ModuleType:
        """Return the module whose functions compute on so many elements."""
        if self._kernels == "portable" or count < BULK:
            return curve25519_portable
        from protocols.kernels import curve25519  # noqa: PLC0415 - loads numba

        return curve25519


def inverse(scalar: int) -> int:
    """Return the scalar, of the group's form, that undoes a multiplication by ``scalar``.

    Of the two inverses of 8 m up to sign, 8 m' with 64 m m' = 1 or -1 (mod l), one has m' in
    (l / 2, l), and m' is then below 2^252 but for fewer than 2^125 scalars of 2^251; for those,
    ``ValueError``.
    """
    m = powmod_sec(8 * mpz(scalar), L - 2, L)
    m = max(m, L - m)
    if m >> 252:
        raise ValueError("this scalar's inverse is not one the group takes: draw another")
    return 8 * int(m)


def x25519_public_key(private_key: bytes) -> bytes:
    """Return the 32-byte public key; raises ``ValueError`` unless the private key has 32 bytes."""
    return _x25519_private(private_key).public_key().public_bytes_raw()


def x25519(private_key: bytes, peer_public_key: bytes) -> bytes:
    """Return the 32-byte shared secret (RFC 7748 §6.1).

    Raises :class:`InvalidElement` for a peer key of another length, one that is not canonical
    (x >= p or the high bit set: RFC 7748 would reduce it, here a key has one encoding), and one
    of low order, whose secret would be zero whatever the private key. The twist is accepted, as
    RFC 7748 has it.
    """
    private = _x25519_private(private_key)
    if len(peer_public_key) != X_BYTES or int.from_bytes(peer_public_key, "little") >= P:
        raise InvalidElement(0)
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(peer_public_key))
    except ValueError:  # the secret is all zero
        raise InvalidElement(0) from None


def _x25519_private(private_key: bytes) -> X25519PrivateKey:
    if len(private_key) != X_BYTES:
        raise ValueError(f"an X25519 private key is {X_BYTES} bytes")
    return X25519PrivateKey.from_private_bytes(private_key)


def _require_scalar(scalar: int) -> None:
    if scalar % 8 or scalar >> 254 != 1:
        raise ValueError("the scalar must be a multiple of 8 in [2^254, 2^255)")


def _rows(elements: bytes) -> Octets:
    if len(elements) % X_BYTES:
        raise ValueError(f"elements must be a multiple of {X_BYTES} bytes long")
    return np.frombuffer(elements, np.uint8).reshape(-1, X_BYTES)
