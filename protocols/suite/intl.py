"""The international suite: SHA-256, AES-256, Ed25519 and Curve25519.

SHA-256 (FIPS 180-4), HMAC (FIPS 198-1), AES-256 (FIPS 197) in GCM (NIST SP 800-38D) and counter
mode, Ed25519 (RFC 8032) and X25519 (RFC 7748) all come from OpenSSL through ``cryptography``; the
encoding of items to the curve (RFC 9380, over SHA-512) is this package's own.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.hashes import SHA256

from protocols.suite import curve25519, ed25519_signature
from protocols.suite.interface import Group
from protocols.suite.symmetric import SymmetricSuite


class IntlSuite(SymmetricSuite):
    """:class:`~protocols.suite.interface.Suite` of SHA-256, AES-256 and Curve25519, stateless."""

    name = "intl"
    hash_function = SHA256
    block_cipher = AES
    key_bytes = 32

    def __init__(self) -> None:
        self.group: Group = curve25519.Curve25519Group()
        self.primitives = {
            "hash": "SHA-256",
            "message authentication": "HMAC-SHA-256",
            "key derivation": "HKDF-SHA-256",
            "authenticated encryption": "AES-256-GCM",
            "random stream": "AES-256-CTR",
            "tokens": "AES-256",
            "signature": "Ed25519",
            "key agreement": "X25519",
            "intersection": "Curve25519",
            "hash to curve": curve25519.SUITE_ID.decode("ascii"),
        }

    def generate_signing_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return (private key, public key), deterministic in a secret seed of 32 bytes."""
        length = ed25519_signature.PRIVATE_KEY_BYTES
        private_key = self.stream(seed, b"ed25519 signing key").bytes(length)
        return private_key, ed25519_signature.public_key(private_key)

    def public_key(self, private_key: bytes) -> bytes:
        """Return the 32-byte public key that belongs to ``private_key``."""
        return ed25519_signature.public_key(private_key)

    def sign(self, private_key: bytes, message: bytes, entropy: bytes) -> bytes:
        """Return the 64-byte signature; ``entropy`` is not used, Ed25519 draws no nonce."""
        return ed25519_signature.sign(private_key, message, entropy)

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> None:
        """Return if the signature verifies; raises :class:`InvalidSignature` otherwise."""
        ed25519_signature.verify(public_key, message, signature)

    def agreement_key(self, seed: bytes) -> tuple[bytes, bytes]:
        """Return (private key, public key), 32 bytes each, deterministic in a 32-byte seed."""
        private_key = self.stream(seed, b"x25519 agreement key").bytes(curve25519.X_BYTES)
        return private_key, curve25519.x25519_public_key(private_key)

    def agree(self, private_key: bytes, peer_public_key: bytes) -> bytes:
        """Return the raw shared secret of :func:`curve25519.x25519`, for the KDF only."""
        return curve25519.x25519(private_key, peer_public_key)
