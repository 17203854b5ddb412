"""SM3 (GB/T 32905-2016), HMAC (GB/T 15852.2, RFC 2104) and HKDF (RFC 5869) over it, by OpenSSL."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

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


def hkdf_sm3(key: bytes, info: bytes, length: int) -> bytes:
    """Return ``length`` bytes, at most 8,160, of HKDF with an empty salt (RFC 5869 §2)."""
    return HKDF(algorithm=hashes.SM3(), length=length, salt=None, info=info).derive(key)
