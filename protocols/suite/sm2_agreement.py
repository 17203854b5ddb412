"""Diffie-Hellman on the SM2 curve.

Elliptic Curve Cryptography Cofactor Diffie-Hellman, NIST SP 800-56A Rev. 3 §5.7.1.2, with the
curve of GB/T 32918.5-2017 (cofactor 1) in place of NIST's. It is *not* the key exchange of
GB/T 32918.3-2016, which mixes long-term and ephemeral keys as MQV does: here a key pair is
ephemeral, and who holds it must be signed for by the protocol that uses it.

The multiplication runs one sequence of steps for every scalar; the integers beneath are not
constant time (see :mod:`protocols.suite.sm2_curve`).
"""

from __future__ import annotations

from gmpy2 import mpz

from protocols.suite import sm2_curve, sm2_keys
from protocols.suite.interface import InvalidElement


def shared_secret(private_key: bytes, peer_public_key: bytes) -> bytes:
    """Return the 32-byte x-coordinate of private key times peer's point, big endian.

    Raises :class:`InvalidElement` for a peer key that is no point of the curve, ``ValueError``
    for a private key outside [1, n - 2]. The product is never infinity: the order is prime.
    """
    scalar = sm2_keys.private_scalar(private_key)
    try:
        x, y = sm2_keys.point(peer_public_key)
    except ValueError:
        raise InvalidElement(0) from None
    xs, _ = sm2_curve.multiply_points(scalar, [mpz(x)], [mpz(y)])
    return int(xs[0]).to_bytes(sm2_curve.COORDINATE_BYTES, "big")
