"""SM2 keys as bytes: GB/T 32918.1-2016 §4.2 (conversions) and §6 (key pairs and their checks).

A private key is 32 bytes, big endian, in [1, n - 2]; a public key is 65 bytes, ``04 || x || y``.
"""

from __future__ import annotations

from protocols.suite import sm2_curve
from protocols.suite.interface import RandomStream

PRIVATE_KEY_BYTES = 32
PUBLIC_KEY_BYTES = 65

_ORDER = int(sm2_curve.N)


def generate(stream: RandomStream) -> tuple[bytes, bytes]:
    """Return the (private key, public key) that a secret stream gives, uniform in the range."""
    private_key = (1 + stream.below(_ORDER - 2)).to_bytes(PRIVATE_KEY_BYTES, "big")
    return private_key, public_key(private_key)


def public_key(private_key: bytes) -> bytes:
    """Return the 65-byte public key; raises ``ValueError`` for a key outside [1, n - 2]."""
    x, y = sm2_curve.multiply_base(private_scalar(private_key))
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def private_scalar(private_key: bytes) -> int:
    """Return the scalar; raises ``ValueError`` for a key outside [1, n - 2]."""
    scalar = int.from_bytes(private_key, "big")
    if len(private_key) != PRIVATE_KEY_BYTES or not 1 <= scalar <= _ORDER - 2:
        raise ValueError("an SM2 private key is 32 bytes, big endian, in [1, n - 2]")
    return scalar


def point(public_key: bytes) -> tuple[int, int]:
    """Return the point (x, y); raises ``ValueError`` unless it is one of the curve's.

    The cofactor is 1, so a point on the curve has order n.
    """
    if len(public_key) != PUBLIC_KEY_BYTES or public_key[0] != 4:
        raise ValueError("an SM2 public key is 65 bytes and begins with 04")
    x, y = int.from_bytes(public_key[1:33], "big"), int.from_bytes(public_key[33:], "big")
    if not sm2_curve.on_curve(x, y):
        raise ValueError("the public key is not a point of the SM2 curve")
    return x, y
