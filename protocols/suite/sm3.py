"""SM3 (GB/T 32905-2016) and HMAC over it (GB/T 15852.2, RFC 2104), by OpenSSL."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes, hmac

DIGEST_BYTES = 32
BLOCK_BYTES = 64


def sm3(*parts: bytes) -> bytes:
    """Return the 32-byte SM3 digest of the parts' concatenation."""
    digest = hashes.Hash(hashes.SM3())
    for part in parts:
        digest.update(part)
    return digest.finalize()


def hmac_sm3(key: bytes, *parts: bytes) -> bytes:
    """Return the 32-byte HMAC-SM3 of the parts' concatenation."""
    mac = hmac.HMAC(key, hashes.SM3())
    for part in parts:
        mac.update(part)
    return mac.finalize()
