"""Curve25519 by x-coordinates: the group of ECDH-PSI, and X25519.

RFC 7748 (January 2016) §4.1 and §5: t^2 = s^3 + 486662 s^2 + s over 2^255 - 19; the points form a
group of order 8 l, l a prime above 2^252, and an element travels as its x-coordinate (RFC 7748
calls it u), 32 bytes, little endian. Scalar multiplication is X25519 by OpenSSL, which is written
to take the same time for every scalar; hashing items to the curve and checking elements is not.

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

An unblinding scalar, the inverse modulo l of another, is in general not of this form: protocols
that need one need another ladder.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from gmpy2 import jacobi, mpz

from protocols.suite import hash_to_curve
from protocols.suite.batch_inversion import invert_all
from protocols.suite.interface import InvalidElement, RandomStream

P = mpz(2**255 - 19)
J = mpz(486662)
X_BYTES = 32
COFACTOR_DOUBLINGS = 3  # the cofactor is 8
BATCH = 1024  # bounds what a shared inversion keeps in memory

SUITE_ID = b"curve25519_XMD:SHA-512_ELL2_NU_"
"""RFC 9380 (August 2023) §8.5."""

LOW_ORDER = frozenset(
    {
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        int(P) - 1,
    }
)
"""The x-coordinates of all points of order 2, 4 and 8, of the curve and of its twist."""


def _sha512(*parts: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA512())
    for part in parts:
        digest.update(part)
    return digest.finalize()


ENCODING = hash_to_curve.Elligator2(
    p=P,
    j=J,
    z=mpz(2),
    field_bytes=48,
    expander=hash_to_curve.Xmd(_sha512, digest_bytes=64, block_bytes=128),
)


class Curve25519Group:
    """Curve25519 as the group of ECDH-PSI (see the module's text).

    An element is the canonical x-coordinate of a point of the curve that is not of low order. The
    twist is refused too, though X25519 would be safe on it: an honest peer's elements are never
    there, but half of those of a peer that hashes items to x-coordinates directly would be, and
    each would tell one bit of its item. A component of order 2, 4 or 8 is not looked for: every
    product clears it, so that elements that differ by it only are one.
    """

    element_bytes = X_BYTES

    def random_scalar(self, stream: RandomStream) -> int:
        """Return 8 m, m uniform in [2^251, 2^252)."""
        return (1 << 254) + 8 * stream.below(1 << 251)

    def check(self, elements: bytes) -> None:
        """Return if each element is a canonical x of the curve, not of low order.

        Raises :class:`InvalidElement` for the first that is not, ``ValueError`` for a cut-off one.
        """
        for index, element in enumerate(_split(elements)):
            x = int.from_bytes(element, "little")
            if x >= P or x in LOW_ORDER or jacobi(((x + J) * x + 1) * x, P) != 1:
                raise InvalidElement(index)

    def hash_and_multiply(self, scalar: int, items: Sequence[bytes], dst: bytes) -> bytes:
        """Return ``scalar * encode_to_curve(item)`` for each item, concatenated.

        The cofactor is cleared before, as RFC 9380 has it; the domain separation tag is ``dst``,
        ``-with-`` and the encoding's suite id (§3.1).
        """
        tag = dst + b"-with-" + SUITE_ID
        products = bytearray()
        for start in range(0, len(items), BATCH):
            products += _multiply(scalar, encode_to_curve_x(items[start : start + BATCH], tag))
        return bytes(products)

    def multiply(self, scalar: int, elements: bytes) -> bytes:
        """Return ``scalar * element`` for each of the concatenated elements; raises as check."""
        self.check(elements)
        return _multiply(scalar, _split(elements))


def encode_to_curve_x(items: Sequence[bytes], tag: bytes) -> list[bytes]:
    """Return the x-coordinate of each item's point of the prime-order subgroup (RFC 9380 §8.5).

    Raises ``ValueError`` if an item encodes to the identity, which nobody can find.
    """
    numerators, denominators = [], []
    for item in items:
        x, z = hash_to_curve.elligator2_x(
            hash_to_curve.hash_to_field(item, tag, ENCODING), ENCODING
        )
        for _ in range(COFACTOR_DOUBLINGS):
            x, z = _double(x, z)
        numerators.append(x)
        denominators.append(z)
    if not all(denominators):  # one 0 would spoil the shared inversion
        raise ValueError("an item encodes to the identity")
    return [
        int(x * inverse % P).to_bytes(X_BYTES, "little")
        for x, inverse in zip(numerators, invert_all(denominators, P), strict=True)
    ]


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


def _multiply(scalar: int, elements: list[bytes]) -> bytes:
    if scalar % 8 or scalar >> 254 != 1:
        raise ValueError("scalar must be a multiple of 8 in [2^254, 2^255)")
    key = _x25519_private(scalar.to_bytes(X_BYTES, "little"))
    return b"".join(key.exchange(X25519PublicKey.from_public_bytes(x)) for x in elements)


def _split(elements: bytes) -> list[bytes]:
    if len(elements) % X_BYTES:
        raise ValueError(f"elements must be a multiple of {X_BYTES} bytes long")
    return [elements[start : start + X_BYTES] for start in range(0, len(elements), X_BYTES)]


def _double(x: mpz, z: mpz) -> tuple[mpz, mpz]:
    """Return the x-coordinate of the double of a point, both as fractions x / z.

    Montgomery, Mathematics of Computation 48 (1987), §10.3.1.
    """
    x2, xz, z2 = x * x % P, x * z % P, z * z % P
    difference = x2 - z2
    return difference * difference % P, 4 * xz * (x2 + J * xz + z2) % P
