"""SM2 signatures: GB/T 32918.2-2016 on the curve of GB/T 32918.5-2017, computed by ``gmssl``.

Keys are those of :mod:`protocols.suite.sm2_keys`; a signature is the DER encoding of
SEQUENCE {r, s} (GB/T 35276-2017). The signer's identity in ZA (GB/T 32918.2 §5.5) is always the
default ``1234567812345678``.

The nonce never comes from gmssl, whose own source is Python's ``random``. It is derived from the
private key, the message digest and fresh entropy, hedged in the spirit of RFC 6979 §3.6: good
entropy makes it unpredictable, and repeated entropy with another message still gives another
nonce. gmssl is not constant time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from gmssl.sm2 import CryptSM2

from protocols.suite import sm2_curve, sm2_keys
from protocols.suite.interface import InvalidSignature
from protocols.suite.sm3 import hmac_sm3, sm3

SIGNER_ID = b"1234567812345678"
ENTROPY_BYTES = 32
NONCE_LABEL = b"fedcrm/sm2-nonce/1"

_ORDER = int(sm2_curve.N)
_CURVE_FIELDS = b"".join(
    int(value).to_bytes(32, "big")
    for value in (sm2_curve.A, sm2_curve.B, sm2_curve.G_X, sm2_curve.G_Y)
)


def sign(private_key: bytes, message: bytes, entropy: bytes) -> bytes:
    """Return the DER signature of ``message``; the same arguments give the same bytes.

    ``entropy`` is 32 secret bytes, fresh for every signature; see the module's text for what
    happens when they repeat.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"entropy must be {ENTROPY_BYTES} bytes")
    signer = CryptSM2(private_key=private_key.hex(), public_key="")
    digest = message_digest(sm2_keys.public_key(private_key), message)
    nonces = _nonces(private_key, entropy, digest)
    signature = None
    while signature is None:
        # None is gmssl's answer to r = 0, r + k = n and s = 0 (GB/T 32918.2 §6.1, A5 and A6).
        signature = signer.sign(digest, f"{next(nonces):064x}")
    return encode_dss_signature(int(signature[:64], 16), int(signature[64:], 16))


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Return if ``signature`` is the canonical DER of a valid one; else InvalidSignature."""
    try:
        sm2_keys.point(public_key)
    except ValueError as error:
        raise InvalidSignature(str(error)) from None
    r, s = decode(signature)
    verifier = CryptSM2(private_key="", public_key="")
    # Set past the constructor, which strips every leading 0 and 4 of a key that starts with 04.
    verifier.public_key = public_key[1:].hex()
    try:
        valid = verifier.verify(f"{r:064x}{s:064x}", message_digest(public_key, message))
    except TypeError:
        # sG + tP at infinity: gmssl has no such point. Only the key's owner can arrange it.
        valid = False
    if not valid:
        raise InvalidSignature("the signature does not verify")


def message_digest(public_key: bytes, message: bytes) -> bytes:
    """Return e = SM3(ZA || message), ZA with the default identity (GB/T 32918.2 §5.5, §6.1)."""
    identity_bits = (8 * len(SIGNER_ID)).to_bytes(2, "big")
    za = sm3(identity_bits, SIGNER_ID, _CURVE_FIELDS, public_key[1:])
    return sm3(za, message)


def _nonces(private_key: bytes, entropy: bytes, digest: bytes) -> Iterator[int]:
    """Yield nonce candidates in [1, n - 1], uniform by rejection (n is just below 2^256)."""
    nonce_key = hmac_sm3(private_key, NONCE_LABEL, entropy, digest)
    for counter in itertools.count():
        nonce = int.from_bytes(hmac_sm3(nonce_key, counter.to_bytes(4, "big")), "big")
        if 1 <= nonce < _ORDER:
            yield nonce


def decode(signature: bytes) -> tuple[int, int]:
    """Return r and s, in [1, n - 1], of canonical DER; raises :class:`InvalidSignature`."""
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        raise InvalidSignature("the signature is not DER") from None
    if not (1 <= r < _ORDER and 1 <= s < _ORDER):
        raise InvalidSignature("r and s must be in [1, n - 1]")
    if encode_dss_signature(r, s) != signature:
        raise InvalidSignature("the signature is not in canonical DER")
    return r, s
