"""Ed25519 signatures: RFC 8032 (January 2017) §5.1, computed by OpenSSL.

A private key is the 32-byte seed, a public key 32 bytes, a signature 64. Signatures are
deterministic: the nonce is a hash of a secret half of the expanded key and the message (§5.1.6),
so none is drawn and none can repeat by a bad random source; entropy would add nothing.

What is refused when verifying: S >= l and an R that is not the canonical encoding of what the
equation gives (by OpenSSL, which compares R byte by byte, without the cofactor); a public key
whose y is not below the field's prime, or that has a small order (by this module: OpenSSL takes
both, and a key of small order verifies some signatures of every message). A key with a component
of small order besides is not looked for: only its owner can make one, and gains signatures that
other verifiers, those which multiply by the cofactor, may judge otherwise.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature as OpenSslRefused
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocols.suite.interface import InvalidSignature

PRIVATE_KEY_BYTES = 32
PUBLIC_KEY_BYTES = 32
ENTROPY_BYTES = 32

_P = 2**255 - 19
_Y_MASK = (1 << 255) - 1  # the highest bit is the sign of x
_ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022

LOW_ORDER = frozenset({0, 1, _P - 1, _ORDER_8, _P - _ORDER_8})
"""The y-coordinates of all points of order 1, 2, 4 and 8."""


def public_key(private_key: bytes) -> bytes:
    """Return the 32-byte public key; raises ``ValueError`` unless the seed has 32 bytes."""
    return _private(private_key).public_key().public_bytes_raw()


def sign(private_key: bytes, message: bytes, entropy: bytes) -> bytes:
    """Return the 64-byte signature. ``entropy`` is 32 bytes, as for every suite, and not used."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"entropy must be {ENTROPY_BYTES} bytes")
    return _private(private_key).sign(message)


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Return if the signature verifies; raises :class:`InvalidSignature` otherwise."""
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise InvalidSignature(f"an Ed25519 public key is {PUBLIC_KEY_BYTES} bytes")
    y = int.from_bytes(public_key, "little") & _Y_MASK
    if y >= _P or y in LOW_ORDER:
        raise InvalidSignature("the public key is not canonical or has a small order")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (OpenSslRefused, ValueError):
        raise InvalidSignature("the signature does not verify") from None


def _private(private_key: bytes) -> Ed25519PrivateKey:
    if len(private_key) != PRIVATE_KEY_BYTES:
        raise ValueError(f"an Ed25519 private key is a seed of {PRIVATE_KEY_BYTES} bytes")
    return Ed25519PrivateKey.from_private_bytes(private_key)
